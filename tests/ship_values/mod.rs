//! One small shipment of each encoding, and ways to damage it.
#![expect(dead_code, unreachable_pub, reason = "each test crate uses its part")]

use rewit::segment::{Checkpoint, Pages, Reads, Segment};
use rewit::ship::{
    Base, Compression, DIGEST_OFFSET, Encoding, HEADER_BYTES, Payload, Record, ShipError, Shipment,
    Table, decode, encode, memory_digest,
};
use rewit::vm::MachineState;

pub const STATE_BYTES: usize = 160;
pub const START_AT: usize = 80;
pub const RAW_BYTES_AT: usize = 400;
pub const STORED_BYTES_AT: usize = 408;

pub fn state(pc: u32, input_pos: u32) -> MachineState {
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
pub fn segment() -> Segment {
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

pub const ELF: &[u8] = b"\x7fELF, as far as this test is concerned";

pub fn pages(log_page_bytes: u32, numbers: &[u32]) -> Pages {
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

pub fn reads() -> Reads {
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

pub fn payload(encoding: Encoding) -> Payload {
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

pub fn shipment(encoding: Encoding) -> Shipment {
    Shipment {
        program: *blake3::hash(ELF).as_bytes(),
        segment: segment(),
        input: vec![7, 8, 9, 10, 11],
        input_ends: true,
        elf: (encoding == Encoding::Reads).then(|| ELF.to_vec()),
        payload: payload(encoding),
    }
}

pub fn every_kind() -> impl Iterator<Item = (Encoding, Compression)> {
    Encoding::ALL
        .into_iter()
        .flat_map(|e| Compression::ALL.map(|c| (e, c)))
}

/// Corrects the digest of bytes that were tampered with, as their author could.
pub fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
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

pub fn put(bytes: &mut [u8], offset: usize, new: &[u8]) {
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

/// Encodes raw, writes `new` at `offset`, seals, decodes.
pub fn tamper(shipment: &Shipment, offset: usize, new: &[u8]) -> Result<Shipment, ShipError> {
    let mut bytes = encode(shipment, Compression::Raw).unwrap();
    put(&mut bytes, offset, new);
    decode(&seal(bytes))
}

/// A frame around any raw body.
pub fn with_body(shipment: &Shipment, body: &[u8]) -> Vec<u8> {
    let mut bytes = encode(shipment, Compression::Raw).unwrap();
    bytes.truncate(HEADER_BYTES);
    bytes.extend_from_slice(body);
    let len = (body.len() as u64).to_le_bytes();
    put(&mut bytes, RAW_BYTES_AT, &len);
    put(&mut bytes, STORED_BYTES_AT, &len);
    seal(bytes)
}
