//! Shipments: round trips, damage of every kind, and golden files.

mod ship_values;

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use rewit::segment::{Checkpoint, Pages, Reads, Segment};
use rewit::ship::{
    At, Base, CHUNK_BYTES, Compression, DIGEST_OFFSET, Encoding, HEADER_BYTES, Payload, Record,
    ShipError, Shipment, Table, decode, encode, inspect, memory_digest,
};
use rewit::vm::MachineState;
use ship_values::*;

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
