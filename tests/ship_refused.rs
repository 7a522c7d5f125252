//! Shipments: one test per reason to refuse them, with the offset that the error names.

mod ship_values;

use rewit::segment::{Pages, Reads};
use rewit::ship::{
    At, BASE_RAW_BYTES, Compression, Encoding, HEADER_BYTES, MAX_EXPANSION, Payload, ShipError,
    Shipment, Table, decode, encode,
};
use ship_values::*;

#[test]
fn refused_frames() {
    let sent = shipment(Encoding::Reads);
    let refused = |offset: usize, new: &[u8]| tamper(&sent, offset, new).unwrap_err();
    assert!(matches!(refused(0, b"\x7fELF"), ShipError::BadMagic { .. }));
    assert_eq!(
        refused(8, &[2]).to_string(),
        "unsupported version 2 at byte 8: this build reads version 1"
    );
    assert_eq!(
        refused(10, &[0]).to_string(),
        "unknown encoding 0 at byte 10: expected 1 to 9"
    );
    assert_eq!(
        refused(10, &[10]),
        ShipError::UnknownEncoding {
            offset: 10,
            found: 10
        }
    );
    assert_eq!(
        refused(11, &[3]),
        ShipError::UnknownCompression {
            offset: 11,
            found: 3
        }
    );
    assert_eq!(
        refused(12, &[7]),
        ShipError::ReservedBits {
            offset: 12,
            expected: 3,
            found: 7
        }
    );
    for offset in [13, 15, 76, 79] {
        assert!(matches!(
            refused(offset, &[1]),
            ShipError::ReservedBits { .. }
        ));
    }
    assert!(matches!(
        refused(16, &[0; 32]),
        ShipError::ProgramMismatch { at: At::Body(0) }
    ));
    let out_of_range = |error, offset| match error {
        ShipError::LengthOutOfRange { at, .. } => assert_eq!(at, At::File(offset)),
        other => panic!("{other}"),
    };
    out_of_range(refused(52, &[23]), 52);
    out_of_range(refused(52, &[4]), 64);
    out_of_range(refused(64, &[0]), 64);
    out_of_range(refused(64, &[33]), 64);
    out_of_range(refused(56, &[0xff; 8]), 56);
    assert!(matches!(
        refused(68, &[4]),
        ShipError::Inconsistent {
            at: At::File(68),
            ..
        }
    ));
    out_of_range(refused(72, &[0xff; 4]), 72);
    // Without its flag, the ELF file's length must be zero.
    assert!(matches!(
        refused(12, &[1]),
        ShipError::Inconsistent {
            at: At::File(72),
            ..
        }
    ));
    for offset in [
        START_AT,
        START_AT + 4,
        START_AT + STATE_BYTES,
        START_AT + STATE_BYTES - 4,
    ] {
        assert!(matches!(
            refused(offset, &[2]),
            ShipError::NotCanonicalState { .. }
        ));
    }
    // The end's input position before the start's: 35 words into the state.
    out_of_range(
        refused(START_AT + STATE_BYTES + 34 * 4, &[6]),
        (START_AT + STATE_BYTES) as u64,
    );
    assert!(matches!(
        refused(RAW_BYTES_AT, &[0]),
        ShipError::Inconsistent { .. }
    ));
    assert!(matches!(
        refused(STORED_BYTES_AT, &[0]),
        ShipError::TrailingBytes { .. }
    ));
    assert!(matches!(
        refused(STORED_BYTES_AT, &[0xff; 8]),
        ShipError::Truncated { .. }
    ));
}

#[test]
fn refused_input_lengths() {
    // More input than a word per cycle.
    let mut sent = shipment(Encoding::Records);
    sent.segment.end.input_pos = sent.segment.start.input_pos + 81;
    sent.input = vec![0; 81];
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::LengthOutOfRange {
            value: 81,
            max: 80,
            ..
        })
    ));
    // The whole input must end where the segment says it does, and go on where it does not.
    let mut sent = shipment(Encoding::Input);
    sent.input_ends = false;
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::LengthOutOfRange {
            value: 12,
            min: 13,
            ..
        })
    ));
    // The part consumed must be the whole's.
    let mut sent = shipment(Encoding::Input);
    sent.input[1] = 1;
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::Inconsistent {
            value: 8,
            expected: 1,
            ..
        })
    ));
    // One ELF file is enough.
    let mut sent = shipment(Encoding::Input);
    sent.elf = Some(ELF.to_vec());
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::Inconsistent { .. })
    ));
    let mut sent = shipment(Encoding::Reads);
    sent.elf = Some(vec![]);
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::ProgramMismatch { .. })
    ));
}

#[test]
fn refused_pages() {
    let sent = shipment(Encoding::Pages1k);
    let first = HEADER_BYTES + 5;
    let refused = |offset: usize, new: &[u8]| tamper(&sent, first + offset, new).unwrap_err();
    assert!(matches!(
        refused(0, &[12]),
        ShipError::LengthOutOfRange {
            at: At::Body(5),
            value: 12,
            min: 10,
            max: 10,
            ..
        }
    ));
    assert!(matches!(
        refused(4, &[4]),
        ShipError::Truncated { what: "pages", .. }
    ));
    assert!(matches!(refused(4, &[2]), ShipError::TrailingBytes { .. }));
    assert!(matches!(
        refused(4, &[0xff; 4]),
        ShipError::LengthOutOfRange { .. }
    ));
    // The last page is the last of memory, so the gap before it cannot grow.
    assert_eq!(
        refused(8, &[1]),
        ShipError::PageOutOfRange {
            at: At::Body(5 + 16),
            number: 0x40_0000,
            max: 0x3f_ffff
        }
    );
    assert!(matches!(
        tamper(&shipment(Encoding::Image), first, &[11]),
        Err(ShipError::Inconsistent { value: 11, .. })
    ));

    let mut sent = sent;
    let error = |sent: &Shipment| encode(sent, Compression::Raw).unwrap_err();
    sent.payload = Payload::Pages(pages(10, &[3, 3]));
    assert!(matches!(
        error(&sent),
        ShipError::PagesNotAscending {
            previous: 3,
            found: 3,
            ..
        }
    ));
    sent.payload = Payload::Image(pages(12, &[0x10_0000]));
    assert!(matches!(
        error(&sent),
        ShipError::PageOutOfRange {
            number: 0x10_0000,
            ..
        }
    ));
    let mut short = pages(10, &[3, 4]);
    short.bytes.pop();
    sent.payload = Payload::Pages(short);
    assert!(matches!(
        error(&sent),
        ShipError::Inconsistent {
            value: 2047,
            expected: 2048,
            ..
        }
    ));
}

#[test]
fn refused_tables() {
    let sent = shipment(Encoding::Witness);
    let first = HEADER_BYTES + 5;
    let refused = |offset: usize, new: &[u8]| tamper(&sent, first + offset, new).unwrap_err();
    assert!(matches!(
        refused(0, &[17]),
        ShipError::LengthOutOfRange { max: 16, .. }
    ));
    for (offset, name) in [
        (4, &b"Cpu"[..]),
        (4, b"\0"),
        (4, b"c\0u"),
        (28, b"cpu\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ] {
        let at = At::Body(5 + offset as u64);
        assert_eq!(refused(offset, name), ShipError::BadTableName { at });
    }
    assert!(matches!(
        refused(20, &[0]),
        ShipError::LengthOutOfRange { min: 1, .. }
    ));
    assert!(matches!(
        refused(20, &[1, 4]),
        ShipError::LengthOutOfRange { value: 1025, .. }
    ));
    assert!(matches!(
        refused(24, &[5]),
        ShipError::Truncated { what: "tables", .. }
    ));
    assert!(matches!(
        refused(24, &[3]),
        ShipError::TrailingBytes { extra: 12, .. }
    ));
    assert_eq!(
        refused(4 + 3 * 24 + 12 * 4, &0x7800_0001_u32.to_le_bytes()),
        ShipError::NotCanonicalWord {
            at: At::Body(5 + 76 + 48),
            value: 0x7800_0001
        }
    );
    let mut sent = sent;
    sent.payload = Payload::Witness(vec![Table {
        name: "cpu".into(),
        width: 2,
        words: vec![1, 2, 3],
    }]);
    assert!(matches!(
        encode(&sent, Compression::Raw),
        Err(ShipError::Inconsistent {
            value: 3,
            expected: 2,
            ..
        })
    ));
}

#[test]
fn refused_records() {
    let sent = shipment(Encoding::Records);
    let error = tamper(&sent, HEADER_BYTES + 5 + 3 * 4 + 3, &[0xc0]).unwrap_err();
    assert_eq!(
        error,
        ShipError::BadRowKind {
            at: At::Body(5 + 12),
            value: 6
        }
    );
    assert_eq!(
        error.to_string(),
        "bad row kind 6 at byte 17 of the raw body: expected 0 to 5"
    );
    // One record fewer than cycles, and one more.
    for num_cycles in [21, 19] {
        assert!(matches!(
            tamper(&sent, 64, &[num_cycles]),
            Err(ShipError::Truncated { .. } | ShipError::TrailingBytes { .. })
        ));
    }
}

#[test]
fn refused_checkpoints() {
    let sent = shipment(Encoding::Reads);
    let first = ELF.len() + 5;
    let refused =
        |offset: usize, new: &[u8]| tamper(&sent, HEADER_BYTES + first + offset, new).unwrap_err();
    assert!(matches!(
        refused(0, &[23]),
        ShipError::LengthOutOfRange { max: 22, .. }
    ));
    assert!(matches!(
        refused(4, &[41]),
        ShipError::LengthOutOfRange { max: 40, .. }
    ));
    // Fewer values than the chunks before the last have; more than the last can have.
    for num_words in [3, 21] {
        assert!(matches!(
            refused(4, &[num_words]),
            ShipError::CheckpointsNotAscending {
                index: 3,
                what: "number of values",
                ..
            }
        ));
    }
    assert!(matches!(
        refused(8, &[2]),
        ShipError::NotCanonicalState { .. }
    ));
    assert!(matches!(
        refused(12, &[17]),
        ShipError::CheckpointsNotAscending {
            index: 1,
            value: 17,
            max: 16,
            ..
        }
    ));
    // The second checkpoint: its masks, a register that does not change, the input position.
    let second = 8 + 12 + 31 * 4;
    for (offset, new) in [(12, [0; 4]), (12, [0, 1, 0, 0])] {
        let at = At::Body((first + second + 8) as u64);
        assert_eq!(
            refused(second + offset, &new),
            ShipError::NotCanonicalCheckpoint { at }
        );
    }
    let same = state(0x1_0040, 7).x[10].to_le_bytes();
    assert!(matches!(
        refused(second + 16, &same),
        ShipError::NotCanonicalCheckpoint { .. }
    ));
    for input_pos in [6, 13] {
        assert!(matches!(
            refused(second + 20, &[input_pos]),
            ShipError::CheckpointsNotAscending {
                index: 2,
                what: "input position",
                ..
            }
        ));
    }

    let error = |change: fn(&mut Reads)| {
        let mut reads = reads();
        change(&mut reads);
        encode(
            &Shipment {
                payload: Payload::Reads(reads),
                ..sent.clone()
            },
            Compression::Raw,
        )
        .unwrap_err()
    };
    assert!(matches!(
        error(|r| r.log_chunk = 4),
        ShipError::Inconsistent { expected: 2, .. }
    ));
    assert!(matches!(
        error(|r| r.checkpoints[0].first_word = 1),
        ShipError::Inconsistent { .. }
    ));
    assert!(matches!(
        error(|r| r.checkpoints[0].state.x[1] += 1),
        ShipError::NotCanonicalState { .. }
    ));
    assert!(matches!(
        error(|r| r.checkpoints[2].first_word = 3),
        ShipError::CheckpointsNotAscending {
            index: 2,
            what: "first value",
            ..
        }
    ));
}

#[test]
fn refused_expansion() {
    // 300 MiB of zeros are refused where they compress by more than 1024, by both sides.
    let mut sent = shipment(Encoding::Image);
    sent.payload = Payload::Image(Pages {
        log_page_bytes: 12,
        numbers: (0..300 << 8).collect(),
        bytes: vec![0; 300 << 20],
    });
    let error = encode(&sent, Compression::Zstd).unwrap_err();
    let ShipError::ExpandsTooFar { raw, stored, max } = error else {
        panic!("{error}")
    };
    assert_eq!(max, BASE_RAW_BYTES + MAX_EXPANSION * stored);
    assert!(raw > max);
    assert!(decode(&encode(&sent, Compression::Lz4).unwrap()) == Ok(sent));
}
