//! Strings of files in text that something else reads: a terminal, Markdown, CSV, JSON.

/// Without characters that a terminal obeys or that change the order of others: they are written as
/// `\u{1b}`.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if obeyed(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, those of direction and width, and the byte-order mark.
pub(super) fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// As the text of a Markdown document or of a cell of its table: no markup, link, HTML or mention.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // Of mentions, which become links without any markup.
            '@' => out.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // And so do addresses.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// As a field of CSV (RFC 4180), in quotes where they are needed. What a spreadsheet would take for a
/// formula starts with an apostrophe.
pub(super) fn csv(text: &str) -> String {
    let text = plain(text);
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '|', '%']);
    let formula = formula && text.parse::<f64>().is_err();
    let field = format!("{}{text}", if formula { "'" } else { "" });
    if field.contains([',', '"']) || field.trim() != field {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

/// JSON text, in which control characters that JSON allows are escaped too.
///
/// - `json`: whole and valid, so that such characters are in strings; line feeds between are kept.
pub(super) fn json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && obeyed(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_told_nothing() {
        assert_eq!(plain("2^20 cycles, µs – 5 %"), "2^20 cycles, µs – 5 %");
        // ESC and CSI, which has one byte in some encodings; a right-to-left override.
        assert_eq!(
            plain("\x1b[31m\u{9b}2J\u{202e}a\r\n"),
            r"\u{1b}[31m\u{9b}2J\u{202e}a\u{d}\u{a}"
        );
    }

    #[test]
    fn markdown_has_no_markup() {
        let hostile = "a|b\n<script>x</script> [l](http://e) `c` **d** @me www.e &amp;";
        let out = markdown(hostile);
        assert!(!out.contains(['\n', '<', '>', '@']), "{out}");
        for (i, c) in out.char_indices() {
            if matches!(c, '|' | '`' | '*' | '[' | ']') {
                assert_eq!(&out[i - 1..i], "\\", "{out}");
            }
        }
        assert!(!out.contains("://") && !out.contains("www."), "{out}");
        assert!(out.ends_with("&amp;amp;"), "{out}");
    }

    #[test]
    fn fields_are_no_formulas() {
        assert_eq!(csv("text"), "text");
        assert_eq!(csv("plain, text"), "\"plain, text\"");
        assert_eq!(csv(" a"), "\" a\"");
        assert_eq!(csv("-1.5e3"), "-1.5e3");
        assert_eq!(csv("a \"b\""), "\"a \"\"b\"\"\"");
        for start in ["=", "+", "-", "@", "|", "%"] {
            assert_eq!(csv(&format!("{start}LINK(1)")), format!("'{start}LINK(1)"));
        }
        assert_eq!(csv(" =LINK(1,2)"), "\"' =LINK(1,2)\"");
        assert_eq!(csv("a\nb"), "a\\u{a}b");
    }

    #[test]
    fn json_stays_the_same_value() {
        let text = "\u{9b}2J \u{202e} \u{7f} \x1b \u{e0041} ordinary \\ \" é";
        let written = serde_json::to_string_pretty(&[text]).unwrap();
        let escaped = json(&written);
        assert!(
            !escaped.chars().any(|c| c != '\n' && obeyed(c)),
            "{escaped}"
        );
        let back: Vec<String> = serde_json::from_str(&escaped).unwrap();
        assert_eq!(back, [text]);
    }
}
