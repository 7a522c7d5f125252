//! The page itself: its looks, its plots, and what it does with hostile files.

use super::*;

/// Widths of a desktop's window and of a phone's.
const WIDTHS: [u32; 2] = [1280, 390];

/// What the page looks like, written under `target/report-shots/` for whoever wants to look.
fn keep(name: &str, picture: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-shots");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), picture).unwrap();
}

#[test]
fn the_page_fits_desktop_and_phone() {
    let Some(mut browser) = browser() else { return };
    let page = full_page();
    for width in WIDTHS {
        let height = if width < 600 { 844 } else { 900 };
        browser.resize(width, height);
        browser.forget();
        browser.open(page, "");
        quiet(&mut browser, &format!("{width} pixels"));
        let content = browser.eval("document.documentElement.scrollWidth");
        assert_eq!(content, width, "the page scrolls sideways");
        keep(&format!("report-{width}.png"), &browser.picture(None));

        let plots = browser.eval(
            "[...document.querySelectorAll('figure.plot')].map((figure) => { \
               const shown = [...figure.querySelectorAll('svg')].filter((svg) => svg.checkVisibility()); \
               const box = shown[0]?.getBoundingClientRect(); \
               return {name: figure.dataset.name, shown: shown.length, left: box.left, right: box.right, \
                 top: box.top + scrollY, width: box.width, height: box.height}; })",
        );
        let plots = plots.as_array().unwrap();
        assert!(plots.len() >= 4, "{} plots", plots.len());
        for plot in plots {
            let name = plot["name"].as_str().unwrap();
            let at = |key: &str| plot[key].as_f64().unwrap();
            assert_eq!(plot["shown"], 1, "{name}");
            assert!(
                at("width") > 0.6 * f64::from(width.min(960)),
                "{name} is small"
            );
            assert!(
                at("left") >= 0.0 && at("right") <= f64::from(width),
                "{name} is cut"
            );
            let clip = json!({"x": at("left"), "y": at("top"), "width": at("width"), "height": at("height"), "scale": 1});
            let picture = browser.picture(Some(clip));
            let (colours, ink) = contents(&mut browser, &picture);
            assert!(
                colours > 16 && ink > 0.01,
                "{name} is blank: {colours} colours, {ink}"
            );
        }
        let overlaps = browser.eval(OVERLAPS);
        assert_eq!(overlaps, json!([]), "texts overlap at {width} pixels");
    }
}

/// Pairs of texts of a visible plot that lie on one another, or are cut by its edge.
const OVERLAPS: &str = "[...document.querySelectorAll('figure.plot svg')].filter((svg) => svg.checkVisibility())\
  .flatMap((svg) => { \
    const paper = svg.getBoundingClientRect(); \
    const texts = [...svg.querySelectorAll('text')].filter((text) => text.textContent.trim() !== '').map((text) => { \
      const {left, right, top, bottom} = text.getBoundingClientRect(); \
      const [x, y] = [0.06 * (right - left), 0.2 * (bottom - top)]; \
      return {text: text.textContent, cut: left < paper.left - 1 || right > paper.right + 1 || top < paper.top - 1 \
        || bottom > paper.bottom + 1, left: left + x, right: right - x, top: top + y, bottom: bottom - y}; }); \
    return texts.flatMap((a, i) => [...texts.slice(i + 1).filter((b) => a.left < b.right && b.left < a.right && \
      a.top < b.bottom && b.top < a.bottom).map((b) => `${svg.id}: ${a.text} on ${b.text}`), \
      ...(a.cut ? [`${svg.id}: ${a.text} is cut`] : [])]); })";

/// Number of colours in a PNG file, and which part of its pixels has another than its first.
fn contents(browser: &mut Browser, png: &[u8]) -> (u64, f64) {
    let found = browser.apply(
        "async (bytes) => { \
           const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)], {type: 'image/png'})); \
           const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d'); \
           context.drawImage(bitmap, 0, 0); \
           const pixels = new Uint32Array(context.getImageData(0, 0, bitmap.width, bitmap.height).data.buffer); \
           return [new Set(pixels).size, pixels.filter((p) => p !== pixels[0]).length / pixels.length]; }",
        &json!(png),
    );
    (found[0].as_u64().unwrap(), found[1].as_f64().unwrap())
}

#[test]
fn plots_are_saved() {
    let Some(mut browser) = browser() else { return };
    let page = full_page();
    // On a phone, too, what is saved is the plot for wide pages.
    browser.resize(390, 844);
    browser.open(page, "");
    let folder = browser.downloads();
    let names = browser
        .eval("[...document.querySelectorAll('figure.plot')].map((figure) => figure.dataset.name)");
    let sizes = browser.eval("[...document.querySelectorAll('figure.plot')].map((figure) => { \
        const svg = figure.querySelector('.desktop svg'); return [svg.width.baseVal.value, svg.height.baseVal.value]; })");
    for (i, name) in names.as_array().unwrap().iter().enumerate() {
        let name = name.as_str().unwrap();
        let mut saved = |button: usize, end: &str| {
            // Chromium drops what a page downloads beyond ten files in a second.
            std::thread::sleep(Duration::from_millis(120));
            browser.eval(&format!(
                "document.querySelectorAll('figure.plot')[{i}].querySelectorAll('.save button')[{button}].click()"
            ));
            let ended = browser.wait("Browser.downloadProgress", |event| {
                event["state"] != "inProgress"
            });
            assert_eq!(ended["state"], "completed", "{name}.{end}");
            fs::read(folder.join(format!("{name}.{end}"))).unwrap()
        };
        let png = saved(0, "png");
        let svg = String::from_utf8(saved(1, "svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{name}");
        // Signature, length and name of the first part, width and height.
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n", "{name}");
        let at = |i: usize| f64::from(u32::from_be_bytes(png[i..i + 4].try_into().unwrap()));
        let size = [sizes[i][0].as_f64().unwrap(), sizes[i][1].as_f64().unwrap()];
        assert_eq!([at(16), at(20)], size.map(|side| 2.0 * side), "{name}");
        let (colours, ink) = contents(&mut browser, &png);
        assert!(colours > 16 && ink > 0.01, "{name} is blank");
    }
    quiet(&mut browser, "saving");
}

/// Texts that do something where they are not escaped.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "\"><img src=x onerror=alert(3)>",
    "]]></style><svg onload=alert(4)>&lt;b&gt;",
    "'; alert(5); //<!--<script>",
];

#[test]
fn hostile_files_do_no_harm() {
    let Some(mut browser) = browser() else { return };
    let dir = Dir::new();
    let elements = "[document.scripts.length, document.images.length, document.querySelectorAll('iframe, object, embed, \
        link, base, style').length, [...document.querySelectorAll('*')].filter((e) => \
        e.getAttributeNames().some((name) => name.startsWith('on'))).length]";
    browser.open(block_page(), "");
    let harmless = browser.eval(elements);
    assert_eq!(harmless, json!([2, 0, 1, 0]));
    // A file for each text, all in one page, and each a choice of the calculator.
    let mut files = Vec::new();
    for (i, text) in HOSTILE.iter().enumerate() {
        let bytes = fs::read(published("-block.json")).unwrap();
        let mut file: Value = serde_json::from_slice(&bytes).unwrap();
        file["guest"]["name"] = json!(text);
        for name in ["cpu", "os", "kernel", "arch"] {
            file["hardware"][name] = json!(text);
        }
        file["notes"] = json!([text]);
        files.push(PathBuf::from(
            dir.file(&format!("{i}.json"), file.to_string().as_bytes()),
        ));
    }
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    let page = report("hostile.html", &files);
    browser.forget();
    browser.open(&page, "");
    assert_eq!(browser.eval(elements), harmless);
    for (i, text) in HOSTILE.iter().enumerate() {
        // Chosen as a user does, which shows the texts of the run.
        browser.apply(
            "(i) => { const select = document.getElementById('calculator-run'); select.value = i; \
             select.dispatchEvent(new Event('input', {bubbles: true})); }",
            &json!(i),
        );
        check_times(&mut browser, &block(), 1e10, LATENCY);
        let shown = browser
            .eval("document.getElementById('calculator-run').selectedOptions[0].textContent");
        // Long names are cut.
        let start: String = text.chars().take(30).collect();
        assert!(shown.as_str().unwrap().starts_with(&start), "{shown}");
    }
    assert_eq!(browser.eval(elements), harmless);
    quiet(&mut browser, "hostile files");
}
