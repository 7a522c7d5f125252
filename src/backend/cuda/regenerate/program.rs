//! A program on the device.

use bytemuck::{Pod, Zeroable};

use crate::Result;
use crate::backend::cuda::device::{Buffer, Device, Ptr};
use crate::segment::Pages;
use crate::vm::{Op, Program};
use crate::witness::rom::{RomRow, reads};

/// `kind` of an address between parts of the code: `KIND_HOLE` of the kernels.
const KIND_HOLE: u32 = 63;

/// A page of 1 KiB.
pub(super) type Page = [u8; crate::segment::PAGE_BYTES];

/// A program's instructions and initial memory on a device; made once and used for every segment.
#[derive(Debug)]
pub struct DeviceProgram {
    program: Program,
    /// See [`pack`]; one more than the program has, the last a hole.
    ops: Buffer<[u32; 2]>,
    /// Start and end of each part of the code, ascending.
    ranges: Buffer<[u32; 2]>,
    /// Numbers of the pages that memory starts with.
    page_numbers: Vec<u32>,
    pages: Buffer<Page>,
}

/// `Code` of the kernels.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Code {
    ops: Ptr<[u32; 2]>,
    num_ops: u32,
    base: u32,
}

impl DeviceProgram {
    /// Device memory that a program takes.
    pub fn num_bytes(program: &Program) -> u64 {
        let words = 2 * (program.ops().len() + 1 + program.code_ranges().len());
        4 * words as u64 + program.initial_pages().bytes.len() as u64
    }

    /// Uploads a program: 8 bytes an instruction, and the memory it starts with.
    ///
    /// # Errors
    /// [`Error::OutOfDeviceMemory`](crate::Error::OutOfDeviceMemory), [`Error::Device`](crate::Error::Device).
    pub fn new(device: &Device, program: &Program) -> Result<Self> {
        let mut pc = program.code_base();
        let mut ops = Vec::with_capacity(program.ops().len() + 1);
        for op in program.ops() {
            let packed = match program.is_code(pc) {
                true => pack(*op, pc),
                false => [KIND_HOLE, 0],
            };
            ops.push(packed);
            pc = pc.wrapping_add(4);
        }
        ops.push([KIND_HOLE, 0]);
        let ranges: Vec<[u32; 2]> = program
            .code_ranges()
            .iter()
            .map(|range| [range.start, range.end])
            .collect();
        let Pages { numbers, bytes, .. } = program.initial_pages();
        Ok(Self {
            ops: device.upload("the program's instructions", &ops)?,
            ranges: device.upload("the program's code ranges", &ranges)?,
            pages: device.upload("the program's pages", bytemuck::cast_slice(&bytes))?,
            page_numbers: numbers,
            program: program.clone(),
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Number of instructions.
    pub(super) fn num_ops(&self) -> usize {
        self.ops.len() - 1
    }

    /// The instructions as kernels take them.
    pub(super) fn code(&self) -> Code {
        Code {
            ops: self.ops.ptr(),
            num_ops: self.num_ops() as u32,
            base: self.program.code_base(),
        }
    }

    /// Start and end of each part of the code, ascending.
    pub(super) fn ranges(&self) -> &Buffer<[u32; 2]> {
        &self.ranges
    }

    /// Numbers of the 1 KiB pages that memory starts with, and the pages.
    pub(super) fn initial_pages(&self) -> (&[u32], &Buffer<Page>) {
        (&self.page_numbers, &self.pages)
    }
}

/// An instruction as `Instruction` of the kernels: kind, class, registers, modifiers and what it
/// accesses in 32 bits; and its immediate.
fn pack(op: Op, pc: u32) -> [u32; 2] {
    let kind = op.kind as u32;
    let Some(row) = RomRow::new(op, pc) else {
        return [kind, op.imm];
    };
    let (reads1, reads2) = reads(op.kind);
    let bits = kind
        | u32::from(row.class as u8) << 6
        | row.rd << 11
        | row.rs1 << 16
        | row.rs2 << 21
        | u32::from(row.signed) << 26
        | u32::from(row.signed_b) << 27
        | u32::from(row.use_imm) << 28
        | u32::from(row.writes_rd) << 29
        | u32::from(reads1) << 30
        | u32::from(reads2) << 31;
    [bits, op.imm]
}
