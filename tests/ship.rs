//! Shipments: round trips, damage of every kind, and golden files.

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use rewit::segment::{Checkpoint, Pages, Reads, Segment};
use rewit::ship::{
    At, BASE_RAW_BYTES, Base, CHUNK_BYTES, Compression, DIGEST_OFFSET, Encoding, HEADER_BYTES,
    MAX_EXPANSION, Payload, Record, ShipError, Shipment, Table, decode, encode, inspect,
    memory_digest,
};
use rewit::vm::MachineState;

const STATE_BYTES: usize = 160;
const START_AT: usize = 80;
const RAW_BYTES_AT: usize = 400;
const STORED_BYTES_AT: usize = 408;

// --- values to send ---

fn state(pc: u32, input_pos: u32) -> MachineState {
    let mut x = [0; 32];
    for (i, r) in x.iter_mut().enumerate().skip(1) {
        *r = pc.wrapping_mul(0x9e37_79b9).rotate_left(i as u32);
    }
    MachineState {
        pc,
        x,
        brk: 0x2_0000,
        input_pos,
        io_phase: 0,
        io_fd: 0,
        io_ptr: 0,
        io_left: 0,
        halted: 0,
    }
}

/// 20 cycles that consume five bytes.
fn segment() -> Segment {
    let mut end = state(0x1_0100, 12);
    end.halted = 1;
    Segment {
        index: 3,
        log_cycles: 5,
        start_cycle: 96,
        num_cycles: 20,
        start: state(0x1_0000, 7),
        end,
    }
}

const ELF: &[u8] = b"\x7fELF, as far as this test is concerned";

fn pages(log_page_bytes: u32, numbers: &[u32]) -> Pages {
    let bytes = numbers
        .iter()
        .flat_map(|&n| {
            (0..1_u32 << log_page_bytes).map(move |i| if i % 97 == 0 { n as u8 } else { 0 })
        })
        .collect();
    Pages {
        log_page_bytes,
        numbers: numbers.to_vec(),
        bytes,
    }
}

fn reads() -> Reads {
    // Four chunks; the third starts inside a system call, after which all is as before.
    let mut checkpoints: Vec<Checkpoint> = [0, 4, 4, 9]
        .into_iter()
        .map(|first_word| Checkpoint {
            state: segment().start,
            first_word,
        })
        .collect();
    checkpoints[1].state = state(0x1_0040, 7);
    let mut inside = checkpoints[1].state;
    inside.x[10] = 3;
    (inside.input_pos, inside.io_phase, inside.io_fd) = (9, 2, 3);
    (inside.io_ptr, inside.io_left) = (0x8000, 11);
    checkpoints[2].state = inside;
    checkpoints[3].state = MachineState {
        input_pos: 12,
        brk: 0x3_0000,
        ..checkpoints[1].state
    };
    Reads {
        log_chunk: 3,
        checkpoints: checkpoints[..3].to_vec(),
        words: (0..13).collect(),
    }
}

fn payload(encoding: Encoding) -> Payload {
    match encoding {
        Encoding::Witness => Payload::Witness(vec![
            Table {
                name: "cpu".into(),
                width: 3,
                words: (0..12).map(|i| i * 0x0a00_0000).collect(),
            },
            Table {
                name: "range-check_16b0".into(),
                width: 1,
                words: vec![0x7800_0000],
            },
            Table {
                name: "empty".into(),
                width: 1024,
                words: vec![],
            },
        ]),
        Encoding::Image => Payload::Image(pages(12, &[0x10, 0xf_ffff])),
        Encoding::Pages1k => Payload::Pages(pages(10, &[0, 1, 0x3f_ffff])),
        Encoding::Pages4k => Payload::Pages(pages(12, &[0x20])),
        Encoding::Delta => Payload::Delta {
            base: Base::Program,
            pages: pages(10, &[5, 7]),
        },
        Encoding::DeltaPrevious => Payload::Delta {
            base: Base::Previous {
                digest: memory_digest(&pages(10, &[5, 6])),
            },
            pages: pages(10, &[7]),
        },
        Encoding::Records => Payload::Records(
            (0..20)
                .map(|i| Record {
                    op: i | (i % 6) << 29,
                    a: i,
                    b: !i,
                    old: i * i,
                    rd_old: 7,
                    gap: [0, i, 4 * i, 1],
                })
                .collect(),
        ),
        Encoding::Reads => Payload::Reads(reads()),
        Encoding::Input => Payload::Input {
            elf: ELF.to_vec(),
            input: (0..12).collect(),
        },
    }
}

fn shipment(encoding: Encoding) -> Shipment {
    Shipment {
        program: *blake3::hash(ELF).as_bytes(),
        segment: segment(),
        input: vec![7, 8, 9, 10, 11],
        input_ends: true,
        elf: (encoding == Encoding::Reads).then(|| ELF.to_vec()),
        payload: payload(encoding),
    }
}

fn every_kind() -> impl Iterator<Item = (Encoding, Compression)> {
    Encoding::ALL
        .into_iter()
        .flat_map(|e| Compression::ALL.map(|c| (e, c)))
}

/// Corrects the digest of bytes that were tampered with, as their author could.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let (head, body) = bytes.split_at_mut(HEADER_BYTES);
    let (head, digest) = head.split_at_mut(DIGEST_OFFSET);
    let hash = *blake3::Hasher::new()
        .update(head)
        .update(body)
        .finalize()
        .as_bytes();
    digest.copy_from_slice(&hash);
    bytes
}

fn put(bytes: &mut [u8], offset: usize, new: &[u8]) {
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

/// Encodes raw, writes `new` at `offset`, seals, decodes.
fn tamper(shipment: &Shipment, offset: usize, new: &[u8]) -> Result<Shipment, ShipError> {
    let mut bytes = encode(shipment, Compression::Raw).unwrap();
    put(&mut bytes, offset, new);
    decode(&seal(bytes))
}

/// A frame around any raw body.
fn with_body(shipment: &Shipment, body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(shipment, Compression::Raw).unwrap();
    bytes.truncate(HEADER_BYTES);
    bytes.extend_from_slice(body);
    let len = (body.len() as u64).to_le_bytes();
    put(&mut bytes, RAW_BYTES_AT, &len);
    put(&mut bytes, STORED_BYTES_AT, &len);
    seal(bytes)
}

// --- round trips ---

#[test]
fn round_trips() {
    for (encoding, compression) in every_kind() {
        let sent = shipment(encoding);
        assert_eq!(sent.encoding(), encoding);
        let bytes = encode(&sent, compression).unwrap();
        assert_eq!(
            decode(&bytes).as_ref(),
            Ok(&sent),
            "{encoding} {compression}"
        );
        let header = inspect(&bytes[..HEADER_BYTES]).unwrap();
        assert_eq!(header.encoding, encoding);
        assert_eq!(header.compression, compression);
        assert_eq!(header.segment, sent.segment);
        assert_eq!(header.program, sent.program);
        assert_eq!((header.input_bytes, header.input_ends), (5, true));
        assert_eq!(
            header.elf_bytes.map(|n| n as usize),
            sent.elf.as_ref().map(Vec::len)
        );
        assert_eq!(header.total_bytes(), bytes.len() as u64);
    }
}

#[test]
fn names() {
    let names = "witness image pages-1k pages-4k delta delta-prev records reads input";
    assert_eq!(Encoding::ALL.map(|e| e.to_string()).join(" "), names);
    assert!(Encoding::ALL.iter().all(|e| e.name().parse() == Ok(*e)));
    assert_eq!(
        Compression::ALL.map(|e| e.to_string()).join(" "),
        "raw lz4 zstd"
    );
    assert!(Compression::ALL.iter().all(|c| c.name().parse() == Ok(*c)));
    let error = "pages".parse::<Encoding>().unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown encoding \"pages\": expected one of witness, image, pages-1k, pages-4k, delta, \
         delta-prev, records, reads, input"
    );
    assert!(
        "gzip"
            .parse::<Compression>()
            .unwrap_err()
            .to_string()
            .ends_with("raw, lz4, zstd")
    );
}

#[test]
fn sizes() {
    // The layout tables of docs/shipment.md, as arithmetic.
    let body = |e| encode(&shipment(e), Compression::Raw).unwrap().len() - HEADER_BYTES - 5;
    assert_eq!(body(Encoding::Witness), 4 + 3 * 24 + 4 * 13);
    assert_eq!(body(Encoding::Image), 8 + 2 * (4 + 4096));
    assert_eq!(body(Encoding::Pages1k), 8 + 3 * (4 + 1024));
    assert_eq!(body(Encoding::Pages4k), 8 + 4 + 4096);
    assert_eq!(body(Encoding::Delta), 8 + 2 * (4 + 1024));
    assert_eq!(body(Encoding::DeltaPrevious), 32 + 8 + 4 + 1024);
    assert_eq!(body(Encoding::Records), 20 * 36);
    // Checkpoint 1: all 31 registers and pc. Checkpoint 2: a0 and five rare fields.
    let checkpoints = (12 + 31 * 4) + (12 + 4 + 4 + 5 * 4);
    assert_eq!(body(Encoding::Reads), ELF.len() + 8 + checkpoints + 13 * 4);
    assert_eq!(body(Encoding::Input) + 5, 8 + ELF.len() + 12);
}

/// More than one chunk, in arrays that start and end inside chunks.
#[test]
fn round_trips_of_many_chunks() {
    let mut sent = shipment(Encoding::Witness);
    sent.segment.log_cycles = 20;
    sent.segment.num_cycles = 1 << 20;
    let mut x = 1_u32;
    let mut word = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 5) % 1000 * 7
    };
    let words: Vec<u32> = (0..5 * CHUNK_BYTES / 4 + 12).map(|_| word()).collect();
    let records: Vec<Record> = (0..sent.segment.num_cycles)
        .map(|i| Record {
            op: word(),
            a: word(),
            gap: [i, 1, 2, word()],
            ..Record::default()
        })
        .collect();
    let tables = vec![
        Table {
            name: "a".into(),
            width: 4,
            words: words.clone(),
        },
        Table {
            name: "b".into(),
            width: 1,
            words: words.clone(),
        },
    ];
    let checkpoints = vec![Checkpoint {
        state: sent.segment.start,
        first_word: 0,
    }];
    let values = Reads {
        log_chunk: 20,
        checkpoints,
        words,
    };
    let memory = pages(12, &(3..1000).step_by(2).collect::<Vec<u32>>());
    for payload in [
        Payload::Witness(tables),
        Payload::Records(records),
        Payload::Reads(values),
        Payload::Image(memory),
    ] {
        sent.payload = payload;
        for compression in Compression::ALL {
            let bytes = encode(&sent, compression).unwrap();
            assert!(
                decode(&bytes) == Ok(sent.clone()),
                "{} {compression}",
                sent.encoding()
            );
        }
    }
}

prop_compose! {
    fn any_state(input_pos: u32)(
        words in proptest::array::uniform32(any::<u32>()),
        phase in 0..3_u32,
        (brk, fd, ptr, left) in (any::<u32>(), 0..4_u32, any::<u32>(), 1..=u32::MAX),
        halted in 0..2_u32,
    ) -> MachineState {
        let mut x = words;
        x[0] = 0;
        MachineState {
            pc: words[0] & !3,
            x,
            brk,
            input_pos,
            io_phase: phase,
            io_fd: if phase > 0 { fd } else { 0 },
            io_ptr: if phase == 2 { ptr } else { 0 },
            io_left: if phase > 0 { left } else { 0 },
            halted,
        }
    }
}

prop_compose! {
    fn any_pages(logs: &'static [u32])(log in proptest::sample::select(logs))(
        log in Just(log),
        numbers in proptest::collection::btree_set(0..=u32::MAX >> log, 0..4),
        seed in any::<[u8; 32]>(),
    ) -> Pages {
        let mut bytes = vec![0; numbers.len() << log];
        blake3::Hasher::new().update(&seed).finalize_xof().fill(&mut bytes);
        Pages { log_page_bytes: log, numbers: numbers.into_iter().collect(), bytes }
    }
}

fn any_table(name: &'static str) -> impl Strategy<Value = Table> {
    (1..6_u32, 0..5_u32).prop_flat_map(move |(width, rows)| {
        vec(0..0x7800_0001_u32, (width * rows) as usize).prop_map(move |words| Table {
            name: name.into(),
            width,
            words,
        })
    })
}

fn any_record() -> impl Strategy<Value = Record> {
    (any::<[u32; 9]>(), 0..6_u32).prop_map(|(w, kind)| Record {
        op: w[0] >> 3 | kind << 29,
        a: w[1],
        b: w[2],
        old: w[3],
        rd_old: w[4],
        gap: [w[5], w[6], w[7], w[8]],
    })
}

/// Reads of 5 chunks of 4 cycles, the segment starting in `start` and ending at `end_pos`.
fn any_reads(start: MachineState, end_pos: u32) -> impl Strategy<Value = Reads> {
    let chunk = (
        0..=8_u32,
        start.input_pos..=end_pos,
        any_state(0),
        any::<u64>(),
    );
    vec(chunk, 5).prop_flat_map(move |chunks| {
        let mut positions: Vec<u32> = chunks.iter().map(|c| c.1).collect();
        positions.sort_unstable();
        let mut last = Checkpoint {
            state: start,
            first_word: 0,
        };
        let mut checkpoints = vec![last];
        for (chunk, position) in chunks[1..].iter().zip(positions) {
            // Take over some registers only; others stay as they were.
            for i in 1..32 {
                if chunk.3 >> i & 1 != 0 {
                    last.state.x[i] = chunk.2.x[i];
                }
            }
            if chunk.3 & 1 != 0 {
                last.state = MachineState {
                    x: last.state.x,
                    ..chunk.2
                };
            }
            last.state.input_pos = position;
            last.first_word += chunk.0;
            checkpoints.push(last);
        }
        let num_words = (last.first_word + chunks[0].0) as usize;
        vec(any::<u32>(), num_words).prop_map(move |words| Reads {
            log_chunk: 2,
            checkpoints: checkpoints.clone(),
            words,
        })
    })
}

fn any_payload(
    start: MachineState,
    end_pos: u32,
    elf: Vec<u8>,
    input: Vec<u8>,
) -> impl Strategy<Value = Payload> {
    prop_oneof![
        (any_table("cpu"), any_table("memory"), 0..3_usize).prop_map(|(a, b, count)| {
            let mut tables = vec![a, b];
            tables.truncate(count);
            Payload::Witness(tables)
        }),
        any_pages(&[10, 12]).prop_map(Payload::Image),
        any_pages(&[10]).prop_map(Payload::Pages),
        any_pages(&[12]).prop_map(Payload::Pages),
        any_pages(&[10, 12]).prop_map(|pages| Payload::Delta {
            base: Base::Program,
            pages
        }),
        (any_pages(&[10, 12]), any::<[u8; 32]>()).prop_map(|(pages, digest)| Payload::Delta {
            base: Base::Previous { digest },
            pages
        }),
        vec(any_record(), 19).prop_map(Payload::Records),
        any_reads(start, end_pos).prop_map(Payload::Reads),
        Just(Payload::Input { elf, input }),
    ]
}

fn any_shipment() -> impl Strategy<Value = Shipment> {
    let scalars = (
        any::<u32>(),
        5..23_u32,
        0..=u64::MAX >> 1,
        any::<bool>(),
        any::<bool>(),
    );
    let lengths = (0..20_usize, 0..76_usize, 0..9_usize);
    (scalars, lengths, vec(any::<u8>(), 0..40), any::<[u8; 16]>()).prop_flat_map(
        |(scalars, (before, during, after), elf, seed)| {
            let (index, log_cycles, start_cycle, ends, embed) = scalars;
            let after = if ends { 0 } else { after + 1 };
            let whole: Vec<u8> = seed
                .iter()
                .copied()
                .cycle()
                .take(before + during + after)
                .collect();
            let positions = (before as u32, (before + during) as u32);
            (any_state(positions.0), any_state(positions.1)).prop_flat_map(move |(start, end)| {
                let (elf, whole) = (elf.clone(), whole.clone());
                any_payload(start, end.input_pos, elf.clone(), whole.clone()).prop_map(
                    move |payload| {
                        let other = payload.encoding() != Encoding::Input;
                        Shipment {
                            program: *blake3::hash(&elf).as_bytes(),
                            segment: Segment {
                                index,
                                log_cycles,
                                start_cycle,
                                num_cycles: 19,
                                start,
                                end,
                            },
                            input: whole[before..before + during].to_vec(),
                            input_ends: ends,
                            elf: (embed && other).then(|| elf.clone()),
                            payload,
                        }
                    },
                )
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_shipment_round_trips(sent in any_shipment()) {
        for compression in Compression::ALL {
            let bytes = encode(&sent, compression).unwrap();
            let found = decode(&bytes);
            prop_assert_eq!(found.as_ref(), Ok(&sent));
        }
    }

    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&bytes).is_err());
        prop_assert!(inspect(&bytes).is_err());
    }

    #[test]
    fn random_bodies_do_not_panic(
        encoding in proptest::sample::select(&Encoding::ALL),
        body in vec(prop_oneof![Just(0_u8), 0..16_u8, any::<u8>()], 0..300),
    ) {
        let bytes = with_body(&shipment(encoding), &body);
        if let Ok(found) = decode(&bytes) {
            prop_assert_eq!(encode(&found, Compression::Raw), Ok(bytes));
        }
    }
}

// --- damage ---

#[test]
fn every_truncation_is_refused() {
    for (encoding, compression) in every_kind() {
        let bytes = encode(&shipment(encoding), compression).unwrap();
        for len in 0..bytes.len() {
            let error = decode(&bytes[..len]).expect_err("a part is not a shipment");
            let expected = if len < HEADER_BYTES {
                HEADER_BYTES
            } else {
                bytes.len() - HEADER_BYTES
            };
            match error {
                ShipError::Truncated { expected: e, .. } => assert_eq!(e, expected as u64),
                other => panic!("{encoding} {compression}: {other}"),
            }
        }
        let longer = [&bytes[..], &[0]].concat();
        let at = At::File(bytes.len() as u64);
        assert_eq!(
            decode(&longer),
            Err(ShipError::TrailingBytes { at, extra: 1 })
        );
    }
}

/// Offsets to damage: all of the header and the body's ends, and some of a long body's middle.
fn offsets(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |&i| i < HEADER_BYTES + 200 || i + 64 > len || i % 61 == 0)
}

#[test]
fn every_flip_is_refused() {
    for (encoding, compression) in every_kind() {
        let mut bytes = encode(&shipment(encoding), compression).unwrap();
        for i in 0..bytes.len() {
            for mask in [1 << (i % 8), 0xff] {
                bytes[i] ^= mask;
                assert!(
                    decode(&bytes).is_err(),
                    "{encoding} {compression}: byte {i}"
                );
                bytes[i] ^= mask;
            }
        }
    }
}

/// The digest stops accidents, not authors. With a correct one, every change is either refused or
/// is another shipment's only encoding.
#[test]
fn every_sealed_flip_is_refused_or_canonical() {
    for encoding in Encoding::ALL {
        let sent = shipment(encoding);
        let bytes = encode(&sent, Compression::Raw).unwrap();
        for i in offsets(bytes.len()).filter(|i| !(DIGEST_OFFSET..HEADER_BYTES).contains(i)) {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[i] ^= 1 << bit;
                let bad = seal(bad);
                if let Ok(found) = decode(&bad) {
                    assert_ne!(found, sent, "{encoding}: byte {i} has no meaning");
                    assert_eq!(encode(&found, Compression::Raw).as_ref(), Ok(&bad));
                }
            }
        }
    }
}

#[test]
fn every_sealed_flip_of_compressed_bytes_does_not_panic() {
    for (encoding, compression) in every_kind() {
        let bytes = encode(&shipment(encoding), compression).unwrap();
        for i in offsets(bytes.len()) {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[i] ^= 1 << bit;
                let _ = decode(&seal(bad));
            }
        }
    }
}

// --- one test per reason to refuse ---

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

// --- golden files ---

/// Files that every later version of this crate must read, and write where that does not depend on
/// a compressor. `REWIT_BLESS=1 cargo test --test ship golden` writes them, after a new version.
#[test]
fn golden_files() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ship");
    for (encoding, compression) in every_kind() {
        let small = matches!(encoding, Encoding::Reads | Encoding::Records);
        if compression != Compression::Raw && !small {
            continue;
        }
        let path = folder.join(format!("{encoding}.{compression}.v1.ship"));
        let bytes = encode(&shipment(encoding), compression).unwrap();
        if std::env::var_os("REWIT_BLESS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        let golden = std::fs::read(&path).unwrap();
        assert_eq!(
            decode(&golden).as_ref(),
            Ok(&shipment(encoding)),
            "{}",
            path.display()
        );
        if compression == Compression::Raw {
            assert!(
                golden == bytes,
                "{} is not what encode writes",
                path.display()
            );
        }
    }
}

#[test]
fn memory_digest_ignores_zero_pages() {
    let all = pages(10, &[0, 3, 9]);
    let some = pages(10, &[3, 9]);
    assert_eq!(memory_digest(&all), memory_digest(&some), "page 0 is zero");
    assert_ne!(memory_digest(&some), memory_digest(&pages(10, &[3])));
    assert_ne!(
        memory_digest(&pages(10, &[])),
        memory_digest(&pages(12, &[]))
    );
    let mut by_hand = blake3::Hasher::new();
    by_hand.update(&10_u32.to_le_bytes());
    for (number, content) in [3_u32, 9].iter().zip(some.bytes.chunks(1024)) {
        by_hand.update(&number.to_le_bytes()).update(content);
    }
    assert_eq!(memory_digest(&all), *by_hand.finalize().as_bytes());
}
