//! Multiplicities: how often each range-checked value and each instruction was looked up.

use super::layout::{
    ABS_A, ABS_B, Col, GAP_HI, GAP_LO, MIN_ROWS, VALUES, X, XCARRY, boundary, range,
};
use super::monty::{from_monty, to_monty};

const ROWS: usize = 1 << range::LOG_ROWS;
/// Zero is looked up most; each lookup counts it in a cell of its own so that increments do not
/// wait for each other. Those cells are never read: zeros are what remains of the known total.
const SPREAD: usize = 8 * 16;

/// Counts of lookups, without those of zero (which the number of rows implies).
#[derive(Clone)]
pub(crate) struct Counts {
    values16: Vec<u32>,
    values14: Vec<u32>,
    bytes: Vec<u32>,
    program: Vec<u32>,
}

impl Counts {
    /// For a program of `num_ops` instructions.
    pub(crate) fn new(num_ops: usize) -> Self {
        let zeros = || vec![0; ROWS + SPREAD];
        Self {
            values16: zeros(),
            values14: zeros(),
            bytes: zeros(),
            program: vec![0; num_ops],
        }
    }

    /// Counts an execution of instruction `index`.
    #[inline(always)]
    pub(crate) fn executed(&mut self, index: usize) {
        self.program[index] += 1;
    }

    /// Counts the range lookups of a row of the CPU table.
    ///
    /// - `values`: the row's cells from column [`VALUES`] on, as integers within their ranges.
    #[inline(always)]
    pub(crate) fn row<const N: usize>(&mut self, values: &[u32; N]) {
        #[inline(always)]
        fn bump(counts: &mut [u32], value: usize, lookup: usize) {
            let at = if value == 0 { ROWS + 8 * lookup } else { value };
            counts[at] += 1;
        }
        let cell = |col: Col| values[col - VALUES] as usize;
        // Most rows neither shift nor multiply nor divide, and leave these cells zero.
        let any = |first: Col, end: Col| {
            values[first - VALUES..end - VALUES]
                .iter()
                .fold(0, |any, value| any | value)
                != 0
        };
        let products = any(X, XCARRY + 3) || any(ABS_B, ABS_A + 2);
        let is_product =
            |col: Col| (X..XCARRY + 3).contains(&col) || (ABS_B..ABS_A + 2).contains(&col);
        for (lookup, col) in range::COLS16.into_iter().enumerate() {
            if products || !is_product(col) {
                bump(&mut self.values16, cell(col), lookup);
            }
        }
        for (lookup, col) in range::COLS14.into_iter().enumerate() {
            if products || !is_product(col) {
                bump(&mut self.values14, cell(col), lookup);
            }
        }
        for (lookup, col) in range::COLS_BYTES.into_iter().enumerate() {
            if products || !is_product(col) {
                bump(&mut self.bytes, cell(col) + 256 * cell(col + 1), lookup);
            }
        }
    }

    /// Counts one 16-bit lookup of `value`.
    pub(crate) fn value16(&mut self, value: u32) {
        self.values16[value as usize] += 1;
    }

    /// Counts one 14-bit lookup of `value`.
    pub(crate) fn value14(&mut self, value: u32) {
        self.values14[value as usize] += 1;
    }

    /// Counts one lookup of the byte pair `(lo, hi)`.
    pub(crate) fn bytes(&mut self, lo: u32, hi: u32) {
        self.bytes[(lo + 256 * hi) as usize] += 1;
    }

    /// Replaces the gap of the access in `slot` of a row already counted.
    ///
    /// - `cells`: the row, in Montgomery form.
    pub(crate) fn move_gap(&mut self, cells: &mut [u32], slot: usize, gap: u32) {
        let pair = GAP_HI + (slot & 2);
        let hi_pair =
            |cells: &[u32]| (from_monty(cells[pair]) + 256 * from_monty(cells[pair + 1])) as usize;
        // Zeros are not counted one by one, so taking one back may wrap: they are never read.
        let recount = |values: &mut [u32], old: usize, new: usize| {
            values[old] = values[old].wrapping_sub(1);
            values[new] = values[new].wrapping_add(1);
        };
        let (old_lo, old_hi) = (from_monty(cells[GAP_LO + slot]) as usize, hi_pair(cells));
        cells[GAP_LO + slot] = to_monty(gap & 0xffff);
        cells[GAP_HI + slot] = to_monty(gap >> 16);
        recount(&mut self.values16, old_lo, (gap & 0xffff) as usize);
        recount(&mut self.bytes, old_hi, hi_pair(cells));
    }

    /// Adds the counts of another part of the same segment.
    pub(crate) fn merge(&mut self, other: &Self) {
        let parts = [
            (&mut self.values16, &other.values16),
            (&mut self.values14, &other.values14),
            (&mut self.bytes, &other.bytes),
            (&mut self.program, &other.program),
        ];
        for (to, from) in parts {
            for (to, from) in to.iter_mut().zip(from) {
                *to = to.wrapping_add(*from);
            }
        }
    }

    /// The range table and the program table's counts, in Montgomery form.
    ///
    /// - `cpu_rows`, `boundary_rows`: heights of the tables whose rows were counted.
    ///
    /// Returns `([2^16][3], [next power of two of num_ops])`.
    pub(crate) fn tables(&self, cpu_rows: usize, boundary_rows: usize) -> (Vec<u32>, Vec<u32>) {
        let with_zeros = |counts: &[u32], total: usize| -> Vec<u32> {
            let mut counts = counts[..ROWS].to_vec();
            let others: u64 = counts[1..].iter().map(|c| u64::from(*c)).sum();
            counts[0] = u32::try_from(total as u64 - others).expect("at most 2^26 lookups");
            counts
        };
        let per_row = |cpu: usize, boundary: usize| cpu * cpu_rows + boundary * boundary_rows;
        let values16 = with_zeros(
            &self.values16,
            per_row(range::COLS16.len(), boundary::COLS16.len()),
        );
        let values14 = with_zeros(
            &self.values14,
            per_row(range::COLS14.len(), boundary::COLS14.len()),
        );
        let bytes = with_zeros(
            &self.bytes,
            per_row(range::COLS_BYTES.len(), boundary::COLS_BYTES.len()),
        );
        let mut table = vec![0; ROWS * range::WIDTH];
        for (v, row) in table.chunks_exact_mut(range::WIDTH).enumerate() {
            row[range::VALUE16] = to_monty(values16[v]);
            row[range::BYTES] = to_monty(bytes[v]);
            if v % 4 == 0 {
                row[range::VALUE14] = to_monty(values14[v / 4]);
            }
        }
        let mut program: Vec<u32> = self.program.iter().map(|c| to_monty(*c)).collect();
        program.resize(program.len().next_power_of_two().max(MIN_ROWS), 0);
        (table, program)
    }
}
