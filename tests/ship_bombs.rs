//! Shipments made to exhaust memory: what decoding them allocates is counted.

mod bombs;

use bombs::{MIB, measured};
use rewit::segment::Segment;
use rewit::ship::{
    CHUNK_BYTES, Compression, DIGEST_OFFSET, HEADER_BYTES, Payload, Record, ShipError, Shipment,
    Table, decode, encode,
};
use rewit::vm::MachineState;

fn shipment(log_cycles: u32, payload: Payload) -> Shipment {
    let state = MachineState {
        pc: 0,
        x: [0; 32],
        brk: 0,
        input_pos: 0,
        io_phase: 0,
        io_fd: 0,
        io_ptr: 0,
        io_left: 0,
        halted: 0,
    };
    let segment = Segment {
        index: 0,
        log_cycles,
        start_cycle: 0,
        num_cycles: 1,
        start: state,
        end: state,
    };
    let program = *blake3::hash(b"").as_bytes();
    Shipment {
        program,
        segment,
        input: vec![],
        input_ends: true,
        elf: None,
        payload,
    }
}

fn header(log_cycles: u32, payload: Payload) -> Vec<u8> {
    let mut bytes = encode(&shipment(log_cycles, payload), Compression::Raw).unwrap();
    bytes.truncate(HEADER_BYTES);
    bytes
}

/// A shipment with `head`, `num_cycles`, and a body of `chunks` that claims `raw_bytes`.
fn bomb(
    mut head: Vec<u8>,
    compression: Compression,
    num_cycles: u32,
    raw_bytes: u64,
    chunks: &[&[u8]],
) -> Vec<u8> {
    for chunk in chunks {
        head.extend_from_slice(&(chunk.len() as u32).to_le_bytes());
        head.extend_from_slice(chunk);
    }
    let stored = (head.len() - HEADER_BYTES) as u64;
    head[11] = compression as u8;
    head[64..68].copy_from_slice(&num_cycles.to_le_bytes());
    head[400..408].copy_from_slice(&raw_bytes.to_le_bytes());
    head[408..416].copy_from_slice(&stored.to_le_bytes());
    let hash = {
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&head[..DIGEST_OFFSET])
            .update(&head[HEADER_BYTES..]);
        *hasher.finalize().as_bytes()
    };
    head[DIGEST_OFFSET..HEADER_BYTES].copy_from_slice(&hash);
    head
}

fn pack(compression: Compression, raw: &[u8]) -> Vec<u8> {
    match compression {
        Compression::Raw => raw.to_vec(),
        Compression::Lz4 => lz4_flex::block::compress(raw),
        Compression::Zstd => zstd::bulk::compress(raw, 1).unwrap(),
    }
}

/// One test, so that nothing else allocates while it counts.
#[test]
fn bombs_are_refused_in_little_memory() {
    let image = |numbers: u32| {
        Payload::Image(rewit::segment::Pages {
            log_page_bytes: 12,
            numbers: (0..numbers).collect(),
            bytes: vec![0; (numbers as usize) << 12],
        })
    };
    // Raw: lengths that the bytes do not have.
    for claim in [1 << 20, u64::from(u32::MAX), 1 << 40, u64::MAX] {
        let bytes = bomb(
            header(22, image(0)),
            Compression::Raw,
            1,
            claim,
            &[&[0; 100]],
        );
        let (result, peak) = measured(|| decode(&bytes));
        assert!(
            matches!(result, Err(ShipError::Inconsistent { .. })),
            "{result:?}"
        );
        assert!(peak < MIB, "{peak}");
    }
    for compression in [Compression::Lz4, Compression::Zstd] {
        // A claim of 4 GiB and more out of nothing is refused before anything is decompressed.
        for claim in [4 << 30, 1 << 40, u64::MAX] {
            let bytes = bomb(header(0, image(0)), compression, 1, claim, &[&[0; 100]]);
            let (result, peak) = measured(|| decode(&bytes));
            assert!(
                matches!(result, Err(ShipError::ExpandsTooFar { .. })),
                "{result:?}"
            );
            assert!(peak < MIB, "{peak}");
        }
        // As many chunks as 5 GiB need, each one nearly nothing, for a witness of 2^22 rows: the
        // header allows for 4 GiB and 256 MiB.
        let zeros = pack(compression, &vec![0; CHUNK_BYTES]);
        if compression == Compression::Zstd {
            let chunks = vec![&zeros[..]; 5 << 10];
            let head = header(22, Payload::Witness(vec![]));
            let bytes = bomb(head, compression, 1 << 22, 5 << 30, &chunks);
            let (result, peak) = measured(|| decode(&bytes));
            assert!(
                matches!(result, Err(ShipError::ExpandsTooFar { .. })),
                "{result:?}"
            );
            assert!(peak < MIB, "{peak}");
        }
        // A chunk that expands to more than its place in the body.
        let large = pack(compression, &vec![0; 64 * MIB]);
        let bytes = bomb(header(0, image(0)), compression, 1, 1000, &[&large]);
        let (result, peak) = measured(|| decode(&bytes));
        assert!(
            matches!(result, Err(ShipError::BadChunk { expected: 1000, .. })),
            "{result:?}"
        );
        assert!(peak < 4 * MIB, "{peak}");
        // Zero-length chunks by the million.
        let chunks = vec![&[][..]; 4 << 20];
        let bytes = bomb(header(0, image(0)), compression, 1, 1000, &chunks);
        let (result, peak) = measured(|| decode(&bytes));
        assert!(
            matches!(result, Err(ShipError::Inconsistent { .. })),
            "{result:?}"
        );
        assert!(peak < MIB, "{peak}");
        // A first chunk that announces 255 MiB of pages, and nothing but garbage behind it.
        let count = 255_u32 << 8;
        let mut first = vec![0; CHUNK_BYTES];
        first[0] = 12;
        first[4..8].copy_from_slice(&count.to_le_bytes());
        let first = pack(compression, &first);
        let mut chunks = vec![&b"\xff\xff"[..]; 256];
        chunks[0] = &first;
        let raw = 8 + (u64::from(count) * (4 + 4096));
        let bytes = bomb(header(0, image(0)), compression, 1, raw, &chunks);
        let (result, peak) = measured(|| decode(&bytes));
        assert!(
            matches!(result, Err(ShipError::BadChunk { .. })),
            "{result:?}"
        );
        assert!(peak < 70 * MIB, "{peak}");
        // Records for 2^22 cycles, of which the second batch is garbage.
        let good = pack(compression, &vec![0; CHUNK_BYTES]);
        let mut chunks = vec![&b"\xff\xff"[..]; 144];
        chunks[..18].fill(&good);
        let records = Payload::Records(vec![Record::default()]);
        let bytes = bomb(
            header(22, records),
            compression,
            1 << 22,
            144 << 20,
            &chunks,
        );
        let (result, peak) = measured(|| decode(&bytes));
        assert!(
            matches!(result, Err(ShipError::BadChunk { .. })),
            "{result:?}"
        );
        assert!(peak < 80 * MIB, "{peak}");
    }

    // What is not a bomb needs itself, and little more.
    let words: Vec<u32> = (0..16 << 20_u32).map(|i| i % 5000).collect();
    let tables = vec![Table {
        name: "cpu".into(),
        width: 64,
        words,
    }];
    let sent = shipment(20, Payload::Witness(tables));
    for compression in Compression::ALL {
        let bytes = encode(&sent, compression).unwrap();
        let (result, peak) = measured(|| decode(&bytes));
        assert!(result == Ok(sent.clone()));
        assert!(peak < (64 + 4) * MIB, "{compression}: {peak}");
    }
}
