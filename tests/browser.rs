//! The report page in headless Chromium: its calculator against the command line, its plots, its manners.

mod chromium;
mod command;
#[path = "browser/models.rs"]
mod models;
#[path = "browser/page.rs"]
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use chromium::{Browser, browser};
use command::*;
use rewit::model::note::{LedgerInputs, seconds_on_link};
use rewit::model::{Crossing, GIGABIT, LINKS_GBPS};
use rewit::report::{
    ResultFile, Verdict, Witnesses, format_bandwidth, format_bytes, format_seconds, read, render,
};
use serde_json::{Value, json};

/// Latency where no file has a link, in seconds.
const LATENCY: f64 = 50e-6;

/// A file of the published results whose name ends so.
fn published(end: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(end))
        .collect();
    found.sort();
    found.remove(0)
}

fn block() -> ResultFile {
    read(&fs::read(published("-block.json")).unwrap()).unwrap()
}

/// Writes the report of files, by the command.
fn report(name: &str, files: &[&Path]) -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut args: Vec<&str> = vec!["report"];
    args.extend(files.iter().map(|file| file.to_str().unwrap()));
    args.extend(["-o", out.to_str().unwrap()]);
    expect(0, &args);
    out
}

/// The report of a run, made once for all tests.
fn block_page() -> &'static Path {
    static PAGE: OnceLock<PathBuf> = OnceLock::new();
    PAGE.get_or_init(|| report("block.html", &[&published("-block.json")]))
}

/// The report of files of all kinds, which has every plot that there is data for.
fn full_page() -> &'static Path {
    static PAGE: OnceLock<PathBuf> = OnceLock::new();
    PAGE.get_or_init(|| {
        let files = ["-block.json", "-fold.json", "-proof-size.json"].map(published);
        report("full.html", &files.each_ref().map(PathBuf::as_path))
    })
}

/// Pseudo-random numbers, log-uniform over `10^from..10^to`.
fn spread(seed: u64, from: f64, to: f64) -> impl Iterator<Item = f64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // Knuth's generator; the upper bits.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let unit = (state >> 11) as f64 / (1u64 << 53) as f64;
        10f64.powf(from + unit * (to - from))
    })
}

/// Every one with every other.
fn pairs(a: &[f64], b: &[f64]) -> Vec<(f64, f64)> {
    a.iter()
        .flat_map(|&x| b.iter().map(move |&y| (x, y)))
        .collect()
}

/// The cells of a table of the calculator: value and text by row and column.
fn cells(browser: &mut Browser, table: &str) -> Value {
    browser.apply(
        "(id) => Object.fromEntries([...document.getElementById(id).tBodies[0].rows].map((row) => [row.dataset.key, \
         Object.fromEntries([...row.querySelectorAll('[data-name]')].map((cell) => [cell.dataset.name, \
         {value: cell.dataset.value, text: cell.textContent}]))]))",
        &json!(table),
    )
}

/// The value of a cell; none if it has none.
fn value(cell: &Value) -> Option<f64> {
    let text = cell["value"].as_str().expect("a cell");
    (!text.is_empty()).then(|| text.parse().unwrap())
}

#[track_caller]
fn close(found: Option<f64>, expected: f64, what: &str) {
    let found = found.unwrap_or_else(|| panic!("{what}: no value"));
    assert!(
        (found - expected).abs() <= 1e-9 * expected.abs(),
        "{what}: {found}, expected {expected}"
    );
}

/// Types a number into a field, as one who selects what is there and types.
fn type_into(browser: &mut Browser, key: &str, text: &str) {
    browser.apply(
        "(key) => { const box = document.getElementById(`calculator-${key}`); box.focus(); box.select(); }",
        &json!(key),
    );
    browser.call("Input.insertText", json!({"text": text}));
}

/// Presses a key while an element has the focus.
fn press(browser: &mut Browser, id: &str, key: &str, code: u32) {
    browser.apply("(id) => document.getElementById(id).focus()", &json!(id));
    for kind in ["keyDown", "keyUp"] {
        browser.call(
            "Input.dispatchKeyEvent",
            json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code}),
        );
    }
}

/// The text of the table of `rewit run`: by encoding and heading.
fn printed(result: &ResultFile) -> impl Fn(&str, &str) -> String {
    let text = render(result);
    let rows: Vec<Vec<String>> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect();
    move |encoding, heading| {
        let column = rows[0].iter().position(|cell| cell == heading);
        let column = column.unwrap_or_else(|| panic!("no column {heading}"));
        // The mark of delta-prev.
        let row = rows
            .iter()
            .find(|row| row[0].trim_end_matches(" *") == encoding);
        row.unwrap_or_else(|| panic!("no row {encoding}"))[column].clone()
    }
}

/// What the calculator's first table should show, from what the file's verdicts say.
fn check_times(browser: &mut Browser, result: &ResultFile, bandwidth: f64, latency: f64) {
    let shown = cells(browser, "calculator-times");
    let mut encodings: Vec<&str> = result
        .verdicts
        .iter()
        .map(|v| v.encoding.as_str())
        .collect();
    encodings.dedup();
    assert_eq!(shown.as_object().unwrap().len(), encodings.len() + 1);
    let what = |name: &str| format!("{name} at {bandwidth:e} b/s, {latency:e} s");
    let seconds = |v: &Verdict| v.route().total_seconds(bandwidth) + latency;
    for name in encodings {
        let row = &shown[name];
        let of = || result.verdicts.iter().filter(|v| v.encoding == name);
        let best = of()
            .reduce(|a, b| if seconds(b) < seconds(a) { b } else { a })
            .unwrap();
        close(value(&row["bytes"]), best.bytes, &what(name));
        close(value(&row["seconds"]), best.seconds, &what(name));
        close(value(&row["total"]), seconds(best), &what(name));
        assert_eq!(
            row["bytes"]["text"],
            format_bytes(best.bytes),
            "{}",
            what(name)
        );
        assert_eq!(
            row["seconds"]["text"],
            format_seconds(best.seconds),
            "{}",
            what(name)
        );
        assert_eq!(
            row["total"]["text"],
            format_seconds(seconds(best)),
            "{}",
            what(name)
        );
        let most = of()
            .filter_map(|v| match v.against(Witnesses::RawInPlace)? {
                Crossing::Below { bits_per_second } => Some(bits_per_second),
                other => panic!("{name}: {other:?}"),
            })
            .max_by(f64::total_cmp);
        match most {
            Some(most) => close(value(&row["break-even"]), most, &what(name)),
            None => assert_eq!(value(&row["break-even"]), None, "{name}"),
        }
    }
    let in_place = result
        .segments
        .iter()
        .map(|s| s.witness_bytes as f64)
        .sum::<f64>();
    let in_place = in_place / result.segments.len() as f64;
    let total = 8.0 * in_place / bandwidth + latency;
    close(
        value(&shown["witness, in place"]["total"]),
        total,
        &what("in place"),
    );
    // The fastest is marked, and named in words.
    let fastest = result.verdicts.iter().map(seconds).fold(total, f64::min);
    let marked = browser.eval(
        "[...document.querySelectorAll('#calculator-times tr.fastest')].map((row) => row.dataset.key)",
    );
    let [marked] = &marked.as_array().unwrap()[..] else {
        panic!("{marked}")
    };
    close(
        value(&shown[marked.as_str().unwrap()]["total"]),
        fastest,
        "the fastest",
    );
    let sentence = browser.eval("document.getElementById('calculator-fastest').textContent");
    let sentence = sentence.as_str().unwrap();
    for words in [
        format_bandwidth(bandwidth),
        format_seconds(fastest),
        "modelled".into(),
    ] {
        assert!(sentence.contains(&words), "{sentence}: {words}");
    }
}

#[test]
fn times_are_those_of_the_command_line() {
    let Some(mut browser) = browser() else { return };
    let (result, page) = (block(), block_page());
    let printed = printed(&result);
    // Typed, on the links of the command's table, which counts no latency.
    browser.open(page, "#latency=0");
    for gbps in LINKS_GBPS {
        type_into(&mut browser, "bw", &gbps.to_string());
        check_times(&mut browser, &result, gbps * GIGABIT, 0.0);
        let shown = cells(&mut browser, "calculator-times");
        for (name, row) in shown.as_object().unwrap() {
            let total = printed(name, &format!("{gbps} Gb/s"));
            assert_eq!(row["total"]["text"], total, "{name} at {gbps} Gb/s");
            let crossing = row["break-even"]["text"]
                .as_str()
                .unwrap()
                .replace('–', "-");
            assert_eq!(crossing, printed(name, "break-even"), "{name}");
        }
    }
    // From the fragment, over all of the range.
    for (bandwidth, latency) in pairs(
        &[1e6, 1e8, 3.3e9, 1.88e11, 1.89e11, 1e13],
        &[0.0, 5e-5, 0.123_456_789, 10.0],
    ) {
        browser.open(page, &format!("#bw={bandwidth:e}&latency={latency:e}"));
        check_times(&mut browser, &result, bandwidth, latency);
    }
    // By the keyboard: a step of a slider is a hundredth of a decade, to three digits.
    browser.open(page, "");
    press(&mut browser, "calculator-bw-slider", "ArrowRight", 39);
    check_times(&mut browser, &result, 1.02e10, LATENCY);
    press(&mut browser, "calculator-bw-slider", "End", 35);
    check_times(&mut browser, &result, 1e13, LATENCY);
}

#[test]
fn the_ledger_is_that_of_the_command_line() {
    let Some(mut browser) = browser() else { return };
    let page = block_page();
    let note = [1000.0, 1e9, 1e6, 50e6, 250e3];
    for ([machines, cycles, segment, snapshot, stark], bw) in [
        (note, 10e9),
        ([1000.0, 1e9, 1e6, 200e6, 250e3], 1e9),
        ([7.0, 1e9 + 1.0, 1e6, 50e6, 1e6], 1e11),
        ([1e6, 1e15, 1e3, 1.0, 1.0], 1e13),
    ] {
        let inputs = LedgerInputs {
            machines,
            cycles,
            segment_cycles: segment,
            snapshot_bytes: snapshot,
            stark_bytes: stark,
        };
        inputs.check().unwrap();
        browser.open(
            page,
            &format!(
                "#machines={machines}&cycles={cycles}&segment={segment}&snapshot={snapshot}&stark={stark}&bw={bw}"
            ),
        );
        let shown = cells(&mut browser, "calculator-ledger");
        let numbers = [machines, cycles, segment, snapshot, stark].map(|number| number.to_string());
        let [machines, cycles, segment, snapshot, stark] = numbers.each_ref().map(String::as_str);
        let (printed, _) = expect(
            0,
            &[
                "model",
                "--note",
                "--machines",
                machines,
                "--cycles",
                cycles,
                "--segment-cycles",
                segment,
                "--snapshot",
                snapshot,
                "--stark",
                stark,
                "--json",
            ],
        );
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let expected = &printed["note"]["scenarios"][0]["ledger"];
        for (name, cell) in shown.as_object().unwrap() {
            let expected = expected[name].as_f64().unwrap();
            close(value(&cell["amount"]), expected, name);
            if name.ends_with("_bytes") {
                assert_eq!(cell["amount"]["text"], format_bytes(expected), "{name}");
                let seconds = seconds_on_link(expected, bw);
                close(value(&cell["seconds"]), seconds, name);
                assert_eq!(cell["seconds"]["text"], format_seconds(seconds), "{name}");
            }
        }
        if inputs.snapshot_bytes == 50e6 && bw == 10e9 {
            // The note's own figures.
            for (name, text) in [
                ("assigned_bytes", "50.0 GB"),
                ("returned_bytes", "250 MB"),
                ("tree_bytes", "749 MB"),
                ("total_bytes", "51.0 GB"),
            ] {
                assert_eq!(shown[name]["amount"]["text"], text);
            }
        }
    }
}

#[test]
fn the_cluster_is_that_of_the_command_line() {
    let Some(mut browser) = browser() else { return };
    let file = published("-block.json");
    let file = file.to_str().unwrap();
    // Machines, cycles, bandwidth, latency in microseconds, encoding, compression, aggregation; as CLI and fragment.
    let cases = [
        ("1000", "1e9", "10", "50", "pages-1k", "lz4", "fri"),
        ("1000", "1000000001", "1", "0", "witness", "zstd", "fri"),
        ("7", "1e9", "100", "1000", "reads", "raw", "none"),
        ("1", "1", "0.1", "5", "image", "raw", "fri"),
        ("64", "3e8", "25", "10", "input", "lz4", "none"),
    ];
    for case in cases {
        let (machines, cycles, gbps, micros, encoding, compression, aggregation) = case;
        let link = format!("{gbps}Gb/s,{micros}us");
        let (printed, _) = expect(
            0,
            &[
                "model",
                "--profile",
                file,
                "--machines",
                machines,
                "--cycles",
                cycles,
                "--link",
                &link,
                "--encoding",
                encoding,
                "--compression",
                compression,
                "--aggregate",
                aggregation,
                "--replicates",
                "0",
                "--json",
            ],
        );
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let expected = &printed["outcome"]["estimate"];
        browser.open(
            block_page(),
            &format!(
                "#machines={machines}&cycles={cycles}&bw={gbps}e9&latency={micros}e-6&encoding={encoding}.{compression}\
                 &aggregation={aggregation}"
            ),
        );
        let shown = cells(&mut browser, "calculator-estimate");
        assert_eq!(shown.as_object().unwrap().len(), 6);
        for (name, cell) in shown.as_object().unwrap() {
            let seconds = expected[name].as_f64().unwrap();
            close(
                value(&cell["amount"]),
                seconds,
                &format!("{name}, {case:?}"),
            );
            assert_eq!(
                cell["amount"]["text"],
                format_seconds(seconds),
                "{name}, {case:?}"
            );
        }
        // The bound is one: no schedule of the simulation is faster.
        let makespan = printed["outcome"]["makespan_seconds"]["value"]
            .as_f64()
            .unwrap();
        let bound = expected["makespan_seconds"].as_f64().unwrap();
        assert!(
            bound <= makespan * (1.0 + 1e-12),
            "{bound} {makespan} {case:?}"
        );
        let sentence = browser.eval("document.getElementById('calculator-bound').textContent");
        let sentence = sentence.as_str().unwrap();
        let binding = match expected["binding"].as_str().unwrap() {
            "executor" => "the way of the last segment executed",
            "egress" => "bytes that leave the executor's machine",
            "ingress" => "bytes that arrive at the executor's machine",
            "aggregation" => "the first segment's way through the tree",
            "workers" => "work spread over all workers",
            other => panic!("{other}"),
        };
        for words in [
            &format!("{encoding}, {compression}"),
            &format_seconds(bound),
            binding,
            "modelled",
        ] {
            assert!(sentence.contains(words), "{sentence}: {words}");
        }
    }
    // Without an encoding in the fragment: the one of the least bound.
    let least = "(() => { const least = (name) => { location.hash = `#encoding=${name}`; return new Promise((done) => \
        setTimeout(() => done(Number(document.querySelector('#calculator-estimate [data-key=makespan_seconds] \
        [data-name=amount]').dataset.value)), 30)); }; return (async () => { const list = []; for (const option of \
        [...document.getElementById('calculator-encoding').options].map((o) => o.value)) list.push(await least(option)); \
        return list; })(); })()";
    browser.open(block_page(), "");
    let found: Vec<f64> = serde_json::from_value(browser.eval(least)).unwrap();
    assert!(found.len() > 20, "{}", found.len());
    let others = found[1..].iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(found[0], others);
}

#[test]
fn hostile_fragments_are_kept_within_limits() {
    let Some(mut browser) = browser() else { return };
    let (result, page) = (block(), block_page());
    // A fragment, and the bandwidth and latency it leads to.
    let cases = [
        ("#bw=NaN&latency=-1", 1e10, 0.0),
        ("#bw=1e999&latency=1e999", 1e13, 10.0),
        ("#bw=-5", 1e6, LATENCY),
        ("#bw=0", 1e6, LATENCY),
        ("#bw=Infinity&latency=0x10", 1e10, LATENCY),
        ("#bw=1e10;alert(1)&latency=%00", 1e10, LATENCY),
        ("#bw=<img src=x onerror=alert(1)>", 1e10, LATENCY),
        (
            "#__proto__=1&constructor=2&run=99&encoding=<script>",
            1e10,
            LATENCY,
        ),
        ("#run=-1&encoding=pages-1k.none&bw=", 1e10, LATENCY),
        ("#bw=2e10&bw=3e10", 2e10, LATENCY),
        ("#%E0%A4%A&&&=&bw", 1e10, LATENCY),
        ("#javascript:alert(1)", 1e10, LATENCY),
    ];
    for (fragment, bandwidth, latency) in cases {
        browser.forget();
        browser.open(page, fragment);
        check_times(&mut browser, &result, bandwidth, latency);
        let ledger = cells(&mut browser, "calculator-ledger");
        assert_eq!(ledger["segments"]["text"], Value::Null);
        assert_eq!(ledger["segments"]["amount"]["text"], "1,000", "{fragment}");
        quiet(&mut browser, fragment);
    }
    let long = format!("#bw=2e10&x={}", "9".repeat(100_000));
    browser.open(page, &long);
    check_times(&mut browser, &result, 2e10, LATENCY);
    // So are numbers that are typed; nonsense changes nothing.
    type_into(&mut browser, "bw", "1e300");
    check_times(&mut browser, &result, 1e13, LATENCY);
    type_into(&mut browser, "bw", "-3");
    check_times(&mut browser, &result, 1e6, LATENCY);
    type_into(&mut browser, "bw", "e");
    check_times(&mut browser, &result, 1e6, LATENCY);
    let invalid = "document.getElementById('calculator-bw').getAttribute('aria-invalid')";
    assert_eq!(browser.eval(invalid), "true");
    type_into(&mut browser, "bw", "10");
    assert_eq!(browser.eval(invalid), "false");
    check_times(&mut browser, &result, 1e10, LATENCY);
}

/// No error, no warning, no dialog, and nothing asked of anyone but the file itself.
#[track_caller]
fn quiet(browser: &mut Browser, what: &str) {
    for event in [
        "Runtime.consoleAPICalled",
        "Runtime.exceptionThrown",
        "Log.entryAdded",
        "Page.javascriptDialogOpening",
        "Network.webSocketCreated",
    ] {
        let found = browser.events(event);
        assert!(found.is_empty(), "{what}: {event}: {found:?}");
    }
    for request in browser.events("Network.requestWillBeSent") {
        let url = request["request"]["url"].as_str().unwrap();
        let local = ["file:", "data:", "blob:", "about:"];
        assert!(
            local.iter().any(|scheme| url.starts_with(scheme)),
            "{what}: asked for {url}"
        );
    }
}

#[test]
fn settings_are_kept_in_the_address() {
    let Some(mut browser) = browser() else { return };
    let (result, page) = (block(), block_page());
    browser.open(page, "");
    assert_eq!(browser.eval("location.hash"), "");
    type_into(&mut browser, "bw", "42.5");
    type_into(&mut browser, "machines", "12");
    let hash = browser.eval(
        "new Promise((done) => { const look = () => /machines=12/.test(location.hash) ? done(location.hash) : \
         setTimeout(look, 20); look(); })",
    );
    let hash = hash.as_str().unwrap().to_owned();
    browser.open(page, &hash);
    check_times(&mut browser, &result, 42.5e9, LATENCY);
    assert_eq!(
        browser.eval("document.getElementById('calculator-machines').value"),
        "12"
    );
    // Another fragment typed into the address starts from the defaults again.
    browser.eval("location.hash = '#latency=1'; new Promise((done) => setTimeout(done, 50))");
    check_times(&mut browser, &result, 1e10, 1.0);
    // A link within the page has a fragment without settings.
    browser.eval("location.hash = '#witness'; new Promise((done) => setTimeout(done, 50))");
    check_times(&mut browser, &result, 1e10, 1.0);
    browser.eval("document.getElementById('calculator-reset').click()");
    check_times(&mut browser, &result, 1e10, LATENCY);
}

#[test]
fn without_javascript_the_page_says_the_same() {
    let Some(mut browser) = browser() else { return };
    let page = block_page();
    let texts = "[...document.querySelectorAll('#calculator table, #calculator-fastest')].map((e) => e.innerText)";
    browser.resize(1280, 900);
    browser.open(page, "");
    let with = browser.eval(texts);
    let form = "getComputedStyle(document.getElementById('calculator-form')).display";
    assert_ne!(browser.eval(form), "none");
    browser.scripts(false);
    browser.open(page, "");
    assert_eq!(browser.eval(texts), with);
    assert_eq!(browser.eval(form), "none");
    let note = browser.eval("document.querySelector('#calculator noscript').innerText");
    assert!(note.as_str().unwrap().contains("JavaScript"), "{note}");
    check_times(&mut browser, &block(), 1e10, LATENCY);
}

#[test]
fn every_input_has_a_name() {
    let Some(mut browser) = browser() else { return };
    browser.open(block_page(), "");
    // As a screen reader has them.
    let tree = browser.call("Accessibility.getFullAXTree", json!({}));
    let mut found = 0;
    for node in tree["nodes"].as_array().unwrap() {
        let role = node["role"]["value"].as_str().unwrap_or_default();
        if ["slider", "spinbutton", "combobox", "button"].contains(&role) {
            let name = node["name"]["value"].as_str().unwrap_or_default();
            assert!(!name.is_empty(), "a {role} without a name");
            found += 1;
        }
    }
    assert!(found >= 16, "{found} inputs");
    assert_eq!(
        browser.eval("document.querySelector('#calculator-fastest').ariaLive"),
        "polite"
    );
}
