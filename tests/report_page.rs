//! The report page: what is in it, what is not, and what happens to hostile files.

mod command;
#[path = "report_page/written.rs"]
mod written;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use rewit::report::{
    AnyFile, FoldingFile, Page, PageOptions, ProofSizes, ResultFile, Source, is_page, page,
};
use sha2::{Digest, Sha256};

use command::rewit;

/// Elements without an end.
const VOID: [&str; 6] = ["meta", "br", "input", "hr", "link", "img"];

fn published(kind: &str) -> PathBuf {
    results(&format!("2026-11-22-amd-epyc-zen5-2-threads-{kind}.json"))
}

fn results(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results");
    folder.join(name)
}

fn source(kind: &str) -> Source {
    let bytes = fs::read(published(kind)).expect("is there");
    Source::read(&format!("{kind}.json"), &bytes).expect("is valid")
}

fn run() -> ResultFile {
    match source("block").file {
        AnyFile::Run(file) => *file,
        other => panic!("{} is a run", other.kind()),
    }
}

fn folding() -> FoldingFile {
    match source("fold").file {
        AnyFile::Folding(file) => *file,
        other => panic!("{} is a folding", other.kind()),
    }
}

fn sizes() -> ProofSizes {
    match source("proof-size").file {
        AnyFile::ProofSizes(file) => *file,
        other => panic!("{} is of proof sizes", other.kind()),
    }
}

fn make(sources: &[Source], title: &str) -> Page {
    let options = PageOptions {
        title: title.to_owned(),
        created: "2026-11-23T00:00:00Z".to_owned(),
    };
    page(sources, &options).expect("is a page")
}

/// A file that no reader has seen: whatever is in it.
fn unread(file: AnyFile) -> Source {
    Source {
        name: HOSTILE.join(" "),
        blake3: "0".repeat(64),
        file,
    }
}

fn tokens(html: &str) -> Vec<Token> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    Tokenizer::new_with_emitter(html, emitter)
        .map(Result::unwrap)
        .collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("is text")
}

fn attribute<'t>(tag: &'t StartTag<()>, name: &str) -> Option<&'t str> {
    let found = tag.attributes.iter().find(|(key, _)| text(key) == name);
    found.map(|(_, value)| text(value))
}

/// What holds for every page, whatever the files.
fn check(page: &Page) -> Vec<Token> {
    let tokens = tokens(&page.html);
    let (mut open, mut ids, mut scripts): (Vec<String>, HashSet<String>, Vec<String>) =
        Default::default();
    for token in &tokens {
        match token {
            Token::StartTag(tag) => {
                let name = text(&tag.name).to_owned();
                for (key, value) in &tag.attributes {
                    let (key, value) = (text(key), text(value));
                    assert!(!key.starts_with("on"), "{name} has {key}");
                    // Nothing is loaded, and links lead to places in the page.
                    let local = value.starts_with('#');
                    assert!(
                        !["src", "href", "xlink:href", "action", "srcset"].contains(&key) || local,
                        "{name} {key}={value}"
                    );
                    assert!(
                        key == "xmlns" || !value.contains("://"),
                        "{name} {key}={value}"
                    );
                }
                if let Some(id) = attribute(tag, "id") {
                    assert!(ids.insert(id.to_owned()), "id {id} is there twice");
                }
                let kind = attribute(tag, "type").unwrap_or("script").to_owned();
                if name == "script" {
                    scripts.push(kind);
                }
                assert!(
                    !["iframe", "object", "embed", "base", "img", "foreignobject"]
                        .contains(&name.as_str()),
                    "{name}"
                );
                if !VOID.contains(&name.as_str()) && !tag.self_closing {
                    open.push(name);
                }
            }
            Token::EndTag(tag) => assert_eq!(open.pop().as_deref(), Some(text(&tag.name))),
            Token::Error(error) => panic!("{error:?}"),
            Token::Comment(comment) => panic!("{comment:?}"),
            Token::String(_) | Token::Doctype(_) => {}
        }
    }
    assert_eq!(open, Vec::<String>::new(), "all is closed");
    assert_eq!(
        scripts,
        ["application/json", "script"],
        "the data, and the one script"
    );
    let bad = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert_eq!(page.html.chars().find(|c| bad(*c)), None);
    assert!(is_page(page.html.as_bytes()));
    for figure in &page.figures {
        assert!(
            figure
                .id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "{}",
            figure.id
        );
    }
    for (i, start) in page.html.match_indices("<svg").enumerate() {
        let end = page.html[start.0..].find("</svg>").expect("ends") + 6;
        let svg = &page.html[start.0..start.0 + end];
        roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("plot {i}: {error}: {svg}"));
    }
    assert_eq!(page.html.matches("<svg").count(), 2 * page.figures.len());
    island(&page.html);
    tokens
}

/// The data of the script are JSON, and nothing in them can end their element.
fn island(html: &str) -> serde_json::Value {
    let start = html.find("type=\"application/json\">").expect("is there") + 24;
    let end = html[start..].find('<').expect("ends");
    assert!(html[start + end..].starts_with("</script>"));
    serde_json::from_str(&html[start..start + end]).expect("is JSON")
}

#[test]
fn every_published_file_gives_a_page() {
    for kind in ["block", "fold", "proof-size"] {
        let page = make(&[source(kind)], "One file");
        check(&page);
        assert!(!page.figures.is_empty(), "{kind}");
    }
    // Without a run nothing can be said of break-even, and the page says what measures it.
    let page = make(&[source("fold")], "Folding");
    assert!(page.html.contains("there is no break-even bandwidth"));
    let page = make(&[source("block")], "A run");
    assert!(
        page.html
            .contains("Below 189 Gb/s recomputing from <code>image</code>"),
        "the conclusion"
    );
}

/// Every number in tables of sections has its kind behind it.
#[test]
fn every_number_has_a_kind() {
    let page = make(&["block", "fold", "proof-size"].map(source), "All");
    let tokens = check(&page);
    let (mut numbers, mut section) = (0, String::new());
    for (i, token) in tokens.iter().enumerate() {
        match token {
            Token::StartTag(tag) if text(&tag.name) == "section" => {
                section = attribute(tag, "id").unwrap_or_default().to_owned();
            }
            // The calculator's tables have the kind in their heads.
            Token::EndTag(tag) if text(&tag.name) == "data" && section != "calculator" => {
                numbers += 1;
                let Some(Token::StartTag(kind)) = tokens.get(i + 1) else {
                    panic!("{:?} follows in {section}", tokens.get(i + 1))
                };
                let class = attribute(kind, "class").unwrap_or_default();
                let named = ["kind measured", "kind modelled", "kind declared"].contains(&class);
                assert!(named, "{class:?} in {section}");
            }
            _ => {}
        }
    }
    assert!(numbers > 1000, "{numbers}");
}

/// Numbers of the page are those of the file.
#[test]
fn numbers_are_those_of_the_file() {
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(published("block")).unwrap()).unwrap();
    let page = make(&[source("block")], "A run");
    let rows = json["rows"].as_array().unwrap();
    for row in rows {
        let median = if row["unit"] == "bytes" {
            &row["summary"]["mean"]
        } else {
            &row["summary"]["median"]
        };
        let median = median.as_f64().unwrap();
        assert!(
            page.html.contains(&format!("<data value=\"{median}\">")),
            "{median}"
        );
    }
    for verdict in json["verdicts"].as_array().unwrap() {
        for case in verdict["break_even"].as_array().unwrap() {
            if case["witness"] == "raw-in-place"
                && verdict["encoding"] == "image"
                && verdict["compression"] == "raw"
            {
                let bandwidth = case["recompute"]["bits_per_second"].as_f64().unwrap();
                assert!(
                    page.html.contains(&format!("<data value=\"{bandwidth}\">")),
                    "{bandwidth}"
                );
            }
        }
    }
    for name in ["elf_blake3", "input_blake3"] {
        assert!(page.html.contains(json["guest"][name].as_str().unwrap()));
    }
    assert!(
        page.html
            .contains(json["tool"]["git_commit"].as_str().unwrap())
    );
}

/// The policy allows the page's script by its hash, and nothing else to run or to load.
#[test]
fn the_policy_allows_one_script() {
    let page = make(&[source("block")], "A run");
    let start = page.html.rfind("<script>").expect("is there") + 8;
    let end = page.html[start..].find("</script>").expect("ends");
    let digest = Sha256::digest(&page.html.as_bytes()[start..start + end]);
    let policy = format!("script-src 'sha256-{}';", BASE64_STANDARD.encode(digest));
    let tokens = tokens(&page.html);
    let tag = tokens.iter().find_map(|token| match token {
        Token::StartTag(tag) if attribute(tag, "http-equiv").is_some() => attribute(tag, "content"),
        _ => None,
    });
    let found = tag.expect("has a policy");
    assert!(
        found.starts_with("default-src 'none';") && found.contains(&policy),
        "{found}"
    );
}

/// Texts that would do harm if they were taken for anything else than text.
const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "\"><img src=x onerror=alert(3)>",
    "]]><!-- ' onload='alert(4)",
    "</style></svg></title></details><a href=javascript:alert(5)>x</a>",
    "\u{0}\u{1b}[31m\u{202e}txt.exe\u{2066}\u{ffff}\u{7f}",
    "&lt;b&gt;&#60;{{constructor}}`${alert(6)}`",
];

#[test]
fn hostile_texts_stay_text() {
    for hostile in HOSTILE {
        let hostile = hostile.to_owned();
        let mut run = run();
        run.guest.name.clone_from(&hostile);
        run.guest.elf_blake3.clone_from(&hostile);
        run.created.clone_from(&hostile);
        run.tool.version.clone_from(&hostile);
        run.tool.git_commit.clone_from(&hostile);
        run.tool.features = vec![hostile.clone()];
        run.hardware.cpu.clone_from(&hostile);
        run.hardware.os.clone_from(&hostile);
        run.notes = vec![hostile.clone()];
        for row in &mut run.rows {
            row.key.part = row.key.part.as_ref().map(|_| hostile.clone());
        }
        for verdict in &mut run.verdicts {
            verdict.compression.push_str(&hostile);
        }
        let mut folding = folding();
        folding.measured.guest.name.clone_from(&hostile);
        for session in &mut folding.measured.sessions {
            session.order.clone_from(&hostile);
        }
        for answer in &mut folding.modelled.answers {
            answer.question.clone_from(&hostile);
            answer.answer.clone_from(&hostile);
        }
        for tree in &mut folding.modelled.trees {
            tree.object.clone_from(&hostile);
        }
        let mut sizes = sizes();
        for row in &mut sizes.rows {
            row.subject.clone_from(&hostile);
            row.purpose.clone_from(&hostile);
            row.note.clone_from(&hostile);
        }
        let files = [
            AnyFile::Run(Box::new(run)),
            AnyFile::Folding(Box::new(folding)),
            AnyFile::ProofSizes(Box::new(sizes)),
        ];
        let page = make(&files.map(unread), &hostile);
        check(&page);
        assert!(
            !page.html.contains(hostile.as_str()) || !hostile.contains(['<', '>', '"', '\u{0}']),
            "{hostile}"
        );
    }
}

#[test]
fn hostile_numbers_and_gaps_are_drawn_or_left_out() {
    for value in [1e308, 5e-324, 0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut run = run();
        for row in &mut run.rows {
            row.summary.median = value;
            row.summary.mean = value;
            row.summary.max = value;
        }
        for verdict in &mut run.verdicts {
            verdict.bytes = value;
            verdict.bytes_per_cycle = value;
            verdict.seconds = value;
        }
        for proof in &mut run.proofs {
            proof.argument_bytes = u64::MAX / 2;
            proof.statement_bytes = u64::MAX / 2;
            proof.johnson_bits = Some(value);
            proof.unique_decoding_bits = value;
        }
        run.elapsed_seconds = value;
        let mut folding = folding();
        for stark in &mut folding.starks {
            stark.bytes = value;
            stark.unique_decoding_bits = value;
        }
        for session in &mut folding.measured.sessions {
            session.seconds = value;
        }
        let mut sizes = sizes();
        for row in &mut sizes.rows {
            row.modelled_bytes = Some(value);
            row.measured = None;
            row.provable_bits = Some(value);
        }
        let files = [
            AnyFile::Run(Box::new(run)),
            AnyFile::Folding(Box::new(folding)),
            AnyFile::ProofSizes(Box::new(sizes)),
        ];
        check(&make(&files.map(unread), "Numbers"));
    }
    let mut empty = run();
    empty.rows.clear();
    empty.verdicts.clear();
    empty.segments.clear();
    empty.proofs.clear();
    let mut unfolded = folding();
    unfolded.measured.sizes.clear();
    unfolded.measured.sessions.clear();
    unfolded.measured.tables.clear();
    unfolded.starks.clear();
    let mut none = sizes();
    none.rows.clear();
    let files = [
        AnyFile::Run(Box::new(empty)),
        AnyFile::Folding(Box::new(unfolded)),
        AnyFile::ProofSizes(Box::new(none)),
    ];
    let page = make(&files.map(unread), "Nothing");
    check(&page);
    assert_eq!(page.figures.len(), 0);
}

/// Of a long table the start is shown, and said to be that.
#[test]
fn long_tables_are_cut() {
    let mut run = run();
    let rows = run.rows.clone();
    while run.rows.len() < 50_000 {
        run.rows.extend(rows.iter().cloned());
    }
    let left = run.rows.len() - 300;
    let page = make(&[unread(AnyFile::Run(Box::new(run)))], "Long");
    check(&page);
    assert!(page.html.contains(&format!("the file has {left} more")));
    assert!(page.html.len() < 4_000_000, "{}", page.html.len());
}

/// No file, and more than a page holds.
#[test]
fn no_files_and_too_many_are_refused() {
    let options = PageOptions {
        title: "Many".into(),
        created: "2026-11-23T00:00:00Z".into(),
    };
    assert!(page(&[], &options).is_err());
    let many = vec![source("fold"); 65];
    assert!(page(&many, &options).is_err());
}

/// Runs are shown with the largest segments first, and of several as large the first file's is the cluster's.
#[test]
fn large_segments_come_first() {
    let names = [
        "2026-11-23-amd-epyc-zen5-2-threads-profile.json",
        "2026-11-23-amd-epyc-zen5-1-thread-block.json",
    ];
    let sources = names.map(|name| {
        let bytes = fs::read(results(name)).expect("is there");
        Source::read(name, &bytes).expect("is valid")
    });
    let runs = sources[0].file.runs();
    let sizes: Vec<u32> = runs.iter().map(|run| run.parameters.log_cycles).collect();
    assert_eq!(sizes, [14, 16, 18, 20]);
    let html = make(&sources, "sizes").html;
    let section = |id: &str| {
        let start = html.find(id).unwrap_or_else(|| panic!("no {id}"));
        let section = &html[start..];
        &section[..section.find("</section>").expect("has an end")]
    };
    let conclusion = section("class=\"conclusion\"");
    let abouts = [
        "2^20 cycles, 2 threads",
        "2^20 cycles, 1 thread,",
        "2^18",
        "2^16",
        "2^14",
    ]
    .map(|about| {
        conclusion
            .find(about)
            .unwrap_or_else(|| panic!("no {about}"))
    });
    assert!(abouts.is_sorted(), "{abouts:?}");
    let cluster = section("id=\"cluster\"");
    assert!(cluster.contains("1,000 machines as measured (AMD EPYC, 2 threads"));
    assert!(cluster.contains("in segments of 2^20"));
    let ledger = section("id=\"note\"");
    let smaller = ledger
        .find("Totals with smaller segments")
        .expect("is there");
    let (before, after) = ledger.split_at(smaller);
    let totals = before
        .find("Totals by transfer and link")
        .expect("is there");
    for (size, first) in [(20, true), (18, false), (16, false), (14, false)] {
        let name = format!("block, 2^{size} cycles, AMD EPYC, 2 threads, avx512: witness, raw");
        assert_eq!(before[totals..].contains(&name), first, "{name}");
        assert_eq!(after.contains(&name), !first, "{name}");
    }
}
