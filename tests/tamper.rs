//! Proofs with bytes changed, cut off, added or made up: every one is refused, with a reason, by
//! decoding or verifying. Fields are changed in `tamper_fields.rs`.

mod common;
mod proofs;

use common::Rng;
use p3_field::PrimeField32;
use proofs::parts::Part;
use proofs::target::{Table, Target};
use proofs::third_party::Val;
use proofs::{ALL_PARTS, CHEAP};
use rewit::stark::proof::HEADER_BYTES;
use rewit::stark::{DecodeError, Params, SegmentProof, VerifyError};

/// Flips bits over the whole file at a stride, in every part, and in each byte of both ends.
fn flip_bits(params: Params) -> Table {
    let target = Target::new(params);
    let parts = target.parts();
    let len = target.bytes.len();
    let mut positions: Vec<usize> = (0..300).chain(len - 300..len).collect();
    positions.extend((0..len).step_by(len / 500));
    for Part {
        bytes, is_length, ..
    } in &parts
    {
        positions.extend([bytes.start, (bytes.start + bytes.end) / 2, bytes.end - 1]);
        if *is_length {
            positions.extend(bytes.clone());
        }
    }
    positions.sort_unstable();
    positions.dedup();
    let mut table = Table::default();
    let mut rng = Rng::new(1);
    let mut bytes = target.bytes.clone();
    for at in positions {
        let part = parts.iter().find(|part| part.bytes.contains(&at)).unwrap();
        let mask = 1 << rng.below(8);
        bytes[at] ^= mask;
        table.add(&part.name, target.outcome(&bytes));
        bytes[at] ^= mask;
    }
    println!("{params:?}, {len} bytes:");
    table.print();
    table
}

#[test]
fn flipped_bits() {
    let table = flip_bits(ALL_PARTS);
    assert!(table.tried() > 1000, "{}", table.tried());
    table.expect_all_refused();
}

/// Without grinding nothing hashes the nonces: they must be zero.
#[test]
fn flipped_bits_without_grinding() {
    let table = flip_bits(Params {
        extension: 5,
        ..CHEAP
    });
    table.expect_all_refused();
}

#[test]
fn changed_headers() {
    let target = Target::new(CHEAP);
    let outcome = |bytes: &[u8]| SegmentProof::decode(bytes).unwrap_err();
    for at in 0..HEADER_BYTES {
        for bit in 0..8 {
            let mut bytes = target.bytes.clone();
            bytes[at] ^= 1 << bit;
            let decoded = SegmentProof::decode(&bytes);
            match at {
                0..8 => assert!(matches!(decoded, Err(DecodeError::BadMagic(_)))),
                8..12 => assert!(matches!(decoded, Err(DecodeError::UnsupportedVersion(_)))),
                _ => match decoded {
                    Err(DecodeError::BadParams(_) | DecodeError::BadPart { .. }) => {}
                    Ok(proof) => assert!(matches!(
                        proof.verify(&target.params, &target.program),
                        Err(VerifyError::Params { .. })
                    )),
                    Err(error) => panic!("byte {at}: {error:?}"),
                },
            }
        }
    }
    assert_eq!(outcome(&[]), DecodeError::BadMagic(vec![]));
    assert_eq!(
        outcome(b"REWITPRG"),
        DecodeError::BadMagic(b"REWITPRG".to_vec())
    );
    assert_eq!(outcome(b"REWITPRF"), DecodeError::Truncated(8));
}

/// Cut off anywhere, or with bytes after the end.
#[test]
fn truncated_and_extended() {
    let target = Target::new(CHEAP);
    let len = target.bytes.len();
    let mut table = Table::default();
    for at in (0..400).chain((400..len).step_by(37)).chain([len - 1]) {
        table.add("cut", target.outcome(&target.bytes[..at]));
        assert!(SegmentProof::decode(&target.bytes[..at]).is_err(), "{at}");
    }
    for extra in 1..=64 {
        for byte in [0, 1, 255] {
            let mut bytes = target.bytes.clone();
            bytes.resize(len + extra, byte);
            let error = SegmentProof::decode(&bytes).unwrap_err();
            assert_eq!(error, DecodeError::Trailing(extra));
            table.add("extended", target.outcome(&bytes));
        }
    }
    table.print();
    table.expect_all_refused();
}

/// A varint with a byte more than it needs: another encoding of the same proof.
#[test]
fn one_encoding() {
    let target = Target::new(CHEAP);
    let mut tried = 0;
    for part in target.parts() {
        let last = part.bytes.end - 1;
        if !part.is_length && part.name != "table heights" {
            continue;
        }
        let mut bytes = target.bytes.clone();
        bytes[last] |= 0x80;
        bytes.insert(last + 1, 0);
        let error = SegmentProof::decode(&bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::NotCanonical(at) if at >= part.bytes.start),
            "{}: {error:?}",
            part.name
        );
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
    // A field element above p.
    let nonce = target.parts().pop().unwrap();
    let mut bytes = target.bytes.clone();
    bytes[nonce.bytes].copy_from_slice(&0x7800_0001u32.to_le_bytes());
    assert_eq!(Val::ORDER_U32, 0x7800_0001);
    let error = SegmentProof::decode(&bytes).unwrap_err();
    assert!(
        matches!(
            error,
            DecodeError::BadPart {
                part: "argument",
                ..
            }
        ),
        "{error:?}"
    );
}

/// Anything at all: by itself, after a good header, and in place of the rest of a good proof.
#[test]
fn random_bytes() {
    let target = Target::new(CHEAP);
    let mut rng = Rng::new(5);
    let mut table = Table::default();
    for i in 0..10_000 {
        let len = rng.below(if i % 100 == 0 { 60_000 } else { 2000 }) as usize;
        let keep = match i % 4 {
            0 => 0,
            1 => HEADER_BYTES,
            2 => rng.below(2000) as usize,
            _ => rng.below(target.bytes.len() as u32) as usize,
        };
        let mut bytes = target.bytes[..keep].to_vec();
        // Small numbers pass for lengths and options more often.
        let below = [256, 256, 8, 2][i / 4 % 4];
        bytes.extend((0..len).map(|_| rng.below(below) as u8));
        let outcome = target.outcome(&bytes);
        let kind = ["random", "after a header", "after a start", "after a part"][i % 4];
        table.add(kind, outcome);
    }
    table.print();
    table.expect_all_refused();
}
