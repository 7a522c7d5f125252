//! What the command writes, and over what it does not.

use super::*;

#[test]
fn the_command_writes_a_page_and_plots() {
    let dir = tempfile::tempdir().expect("has a place");
    let (out, png, svg) = (
        dir.path().join("r.html"),
        dir.path().join("png"),
        dir.path().join("svg"),
    );
    let file = published("block");
    let arguments = |out: &Path| {
        let mut command = rewit(&["report", "--title", "A <title>"]);
        command
            .arg(&file)
            .arg("-o")
            .arg(out)
            .arg("--png")
            .arg(&png)
            .arg("--svg")
            .arg(&svg);
        command
    };
    // Twice: a page of ours is replaced.
    for _ in 0..2 {
        let output = arguments(&out).output().expect("runs");
        assert!(output.status.success(), "{output:?}");
    }
    let html = fs::read_to_string(&out).expect("is there");
    assert!(is_page(html.as_bytes()) && html.contains("A &lt;title&gt;"));
    let plots = html.matches("<figure").count();
    assert!(plots >= 5);
    let names = |folder: &Path| {
        let mut names: Vec<PathBuf> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        names.sort();
        names
    };
    assert_eq!((names(&png).len(), names(&svg).len()), (plots, plots));
    for path in names(&png) {
        let bytes = fs::read(path).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        // Width in the header: twice that of the plot.
        assert_eq!(bytes[16..20], 1920u32.to_be_bytes());
    }
    for path in names(&svg) {
        roxmltree::Document::parse(&fs::read_to_string(path).unwrap()).expect("is XML");
    }
    let output = rewit(&["report", "-o", "-"])
        .arg(&file)
        .output()
        .expect("runs");
    assert!(output.status.success() && is_page(&output.stdout));
}

#[test]
fn the_command_replaces_nothing_else() {
    let dir = tempfile::tempdir().expect("has a place");
    let other = dir.path().join("thesis.html");
    fs::write(&other, "<!DOCTYPE html><p>years of work</p>").unwrap();
    let copy = dir.path().join("run.json");
    fs::copy(published("block"), &copy).unwrap();
    let png = dir.path().join("png");
    fs::create_dir(&png).unwrap();
    fs::write(png.join("stages.png"), "not a picture").unwrap();
    let cases: [(&Path, Option<&Path>); 4] = [
        (&other, None),
        (&copy, None),
        (dir.path(), None),
        (&dir.path().join("new.html"), Some(&png)),
    ];
    for (out, png) in cases {
        let mut command = rewit(&["report"]);
        command.arg(&copy).arg("-o").arg(out);
        if let Some(png) = png {
            command.arg("--png").arg(png);
        }
        let output = command.output().expect("runs");
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(
        fs::read_to_string(&other).unwrap(),
        "<!DOCTYPE html><p>years of work</p>"
    );
    assert_eq!(
        fs::read(&copy).unwrap(),
        fs::read(published("block")).unwrap()
    );
    assert_eq!(
        fs::read_to_string(png.join("stages.png")).unwrap(),
        "not a picture"
    );
}

#[test]
fn malformed_files_are_refused() {
    let dir = tempfile::tempdir().expect("has a place");
    let whole = fs::read(published("block")).unwrap();
    let out = dir.path().join("r.html");
    let text = String::from_utf8(whole.clone()).unwrap();
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        (
            "version",
            text.replacen("\"schema_version\": 1", "\"schema_version\": 99", 1)
                .into_bytes(),
        ),
        (
            "type",
            text.replacen("\"complete\": true", "\"complete\": \"yes\"", 1)
                .into_bytes(),
        ),
        (
            "huge",
            text.replacen("\"elapsed_seconds\": ", "\"elapsed_seconds\": 1e999", 1)
                .into_bytes(),
        ),
        ("page", b"<!DOCTYPE html><html></html>".to_vec()),
    ];
    for (name, bytes) in cases {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let output = rewit(&["report"])
            .arg(&path)
            .arg("-o")
            .arg(&out)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(
            message.contains("bad result file") && message.contains(name),
            "{name}: {message}"
        );
        assert!(!out.exists(), "{name}");
    }
    let output = rewit(&["report"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
}
