//! Where the parts of an encoded proof lie, read from its bytes by the format's description alone.

use std::ops::Range;

use rewit::stark::proof::HEADER_BYTES;

/// A run of bytes with one meaning.
pub struct Part {
    pub name: String,
    pub bytes: Range<usize>,
    /// The bytes are the length of a list.
    pub is_length: bool,
}

/// Names of the tables, in the order in which they are proven.
const TABLES: [&str; 5] = ["cpu", "boundary", "program", "range", "log"];

/// The parts of a proof over challenges of `degree`, from the first byte to the last.
pub fn parts(proof: &[u8], degree: usize) -> Vec<Part> {
    let mut walk = Walk {
        proof,
        degree,
        at: 0,
        parts: Vec::new(),
    };
    walk.header();
    walk.statement();
    walk.argument();
    assert_eq!(walk.at, proof.len(), "the parts are not the whole proof");
    walk.parts
}

struct Walk<'a> {
    proof: &'a [u8],
    degree: usize,
    at: usize,
    parts: Vec<Part>,
}

impl Walk<'_> {
    fn part(&mut self, name: &str, len: usize, is_length: bool) {
        let bytes = self.at..self.at + len;
        self.at += len;
        if let Some(last) = self.parts.last_mut()
            && last.name == name
            && !last.is_length
            && !is_length
        {
            last.bytes.end = bytes.end;
            return;
        }
        self.parts.push(Part {
            name: name.to_owned(),
            bytes,
            is_length,
        });
    }

    fn varint(&mut self, name: &str, is_length: bool) -> usize {
        let mut value = 0;
        let mut len = 0;
        loop {
            let byte = self.proof[self.at + len];
            value |= usize::from(byte & 127) << (7 * len);
            len += 1;
            if byte & 128 == 0 {
                break;
            }
        }
        self.part(name, len, is_length);
        value
    }

    fn list(&mut self, name: &str, mut each: impl FnMut(&mut Self, usize)) {
        for i in 0..self.varint(name, true) {
            each(self, i);
        }
    }

    fn option(&mut self, name: &str, each: impl FnOnce(&mut Self)) {
        let some = self.proof[self.at];
        assert!(some < 2);
        self.part(name, 1, false);
        if some == 1 {
            each(self);
        }
    }

    fn challenges(&mut self, name: &str) {
        let bytes = 4 * self.degree;
        self.list(name, |walk, _| walk.part(name, bytes, false));
    }

    fn digests(&mut self, name: &str) {
        self.list(name, |walk, _| walk.part(name, 32, false));
    }

    fn header(&mut self) {
        self.part("magic", 8, false);
        self.part("version", 4, false);
        self.part("parameters", HEADER_BYTES - 12, false);
        self.part("key: rows", 1, false);
        self.digests("key: commitment");
    }

    fn statement(&mut self) {
        self.varint("statement: index", false);
        for _ in 0..14 {
            self.varint("statement: public values", false);
        }
        for (name, fields) in [("statement: boundary", 3), ("statement: log", 6)] {
            self.list(name, |walk, _| {
                for _ in 0..fields {
                    walk.varint(name, false);
                }
            });
        }
    }

    fn argument(&mut self) {
        self.digests("main commitment");
        self.option("permutation commitment", |walk| {
            walk.digests("permutation commitment");
        });
        self.digests("quotient commitment");
        self.option("no hiding commitment", |walk| {
            walk.digests("no hiding commitment");
        });
        self.list("tables opened", |walk, table| {
            walk.opened_values(TABLES[table]);
        });
        self.fri();
        let bytes = 4 * self.degree;
        self.list("lookup terminals", |walk, _| {
            walk.option("lookup terminals", |walk| {
                walk.part("lookup terminals", bytes, false);
            });
        });
        self.list("table heights", |walk, _| {
            walk.varint("table heights", false);
        });
        self.option("nonce: lookups", |walk| {
            walk.part("nonce: lookups", 4, false);
        });
        self.part("nonce: out of domain", 4, false);
    }

    fn opened_values(&mut self, table: &str) {
        let name = format!("{table} opened: row");
        self.challenges(&name);
        let name = format!("{table} opened: next row");
        self.option(&name, |walk| walk.challenges(&name));
        let name = format!("{table} opened: fixed row");
        self.option(&name, |walk| walk.challenges(&name));
        let name = format!("{table} opened: no next fixed row");
        self.option(&name, |walk| walk.challenges(&name));
        let name = format!("{table} opened: quotient");
        self.list(&name, |walk, _| walk.challenges(&name));
        let name = format!("{table} opened: no hiding row");
        self.option(&name, |walk| walk.challenges(&name));
        self.challenges(&format!("{table} opened: lookup row"));
        self.challenges(&format!("{table} opened: next lookup row"));
    }

    fn fri(&mut self) {
        self.part("nonce: batch", 4, false);
        self.list("fri commitments", |walk, _| {
            walk.digests("fri commitments");
        });
        self.list("nonces: commit", |walk, _| {
            walk.part("nonces: commit", 4, false);
        });
        self.list("input openings", |walk, _| {
            walk.list("input rows", |walk, _| {
                walk.list("input rows", |walk, _| {
                    walk.list("input rows", |walk, _| {
                        walk.part("input rows", 4, false);
                    });
                });
            });
            walk.digests("input paths");
        });
        self.list("fri openings", |walk, _| {
            walk.list("fri siblings", |walk, _| walk.challenges("fri siblings"));
            walk.digests("fri paths");
        });
        self.challenges("final polynomial");
        self.part("nonce: query", 4, false);
    }
}
