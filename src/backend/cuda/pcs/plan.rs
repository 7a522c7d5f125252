//! Device memory of commitments and openings, before any is taken.

use p3_field::ExtensionField;
use p3_fri::fold_schedule;

use super::super::lde::Size;
use super::super::merkle::{open_bytes, tree_bytes};
use super::super::open;
use super::super::plan::Plan;
use super::CudaPcs;
use crate::Result;
use crate::backend::types::Val;

/// A matrix to commit to and open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MatrixPlan {
    /// Base-2 logarithm of its rows, before extension.
    pub log_rows: u32,
    /// Columns.
    pub width: usize,
    /// Points it is opened at: the first is that of all matrices, others are of its height.
    pub num_points: usize,
}

/// A commitment to open: its matrices.
pub type CommitmentPlan<'a> = &'a [MatrixPlan];

impl<E: ExtensionField<Val>> CudaPcs<E> {
    /// Bytes that a commitment keeps on the device.
    pub fn committed_bytes(&self, matrices: &[MatrixPlan]) -> u64 {
        let extended = matrices.iter().map(|m| self.extended_bytes(m));
        extended.sum::<u64>() + self.tree_bytes(matrices)
    }

    /// What committing holds: from matrices of the host, unless `resident`, when the matrices are on
    /// the device already and are not counted.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if a matrix is too long.
    pub fn plan_commit(&self, matrices: &[MatrixPlan], resident: bool) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut extended = 0;
        for matrix in matrices {
            let log_blowup = self.fri.log_blowup as u32;
            let size = Size::new(matrix.width, 1 << matrix.log_rows, log_blowup)?;
            let bytes = 4 * size.input_len() as u64;
            if !resident {
                let held = [
                    ("extensions", extended),
                    ("by row", bytes),
                    ("trace", bytes),
                ];
                plan.step("transpose", &held);
            }
            let trace = if resident { 0 } else { bytes };
            let next = self.extended_bytes(matrix);
            let held = [
                ("extensions", extended + next),
                ("trace", trace),
                ("working memory", size.working_bytes()),
            ];
            plan.step("extend", &held);
            extended += next;
        }
        let held = [
            ("extensions", extended),
            ("tree", self.tree_bytes(matrices)),
        ];
        plan.step("tree", &held);
        Ok(plan)
    }

    /// What opening holds beside the commitments themselves.
    pub fn plan_open(&self, commitments: &[CommitmentPlan<'_>]) -> Plan {
        let element = 4 * E::DIMENSION as u64;
        let all = || commitments.iter().copied().flatten();
        let log_height = |m: &MatrixPlan| m.log_rows + self.fri.log_blowup as u32;
        let mut heights: Vec<u32> = all().map(log_height).collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        heights.dedup();
        let mut plan = Plan::default();
        let Some(&tallest) = heights.first() else {
            return plan;
        };
        // One table is of the point of all, others of the points of one height.
        let own = |height| {
            let of_height = all().filter(|m| log_height(m) == height);
            of_height
                .map(|m| m.num_points.saturating_sub(1))
                .max()
                .unwrap_or(0) as u64
        };
        let is_opened = all().any(|m| m.num_points > 0);
        let rows: u64 = heights.iter().map(|&height| own(height) << height).sum();
        let inverses = element * (rows + (u64::from(is_opened) << tallest));

        let multiprocessors = self.device.info().num_multiprocessors as usize;
        let values: u64 = all()
            .map(|m| (m.width * m.num_points) as u64 * element)
            .sum();
        let partial = all().map(|m| {
            open::partial_sums(m.width, m.log_rows, multiprocessors) as u64
                * m.num_points.min(open::POINTS) as u64
                * element
        });
        let partial = partial.max().unwrap_or(0);
        let held = [
            ("inverses", inverses),
            ("values", values),
            ("partial sums", partial),
        ];
        plan.step("values", &held);

        let inputs: u64 = heights.iter().map(|&height| element << height).sum();
        let widest = all().map(|m| m.width).max().unwrap_or(0) as u64;
        let powers = widest * 4 * E::DIMENSION.next_power_of_two() as u64;
        let terms = 80 * all().count() as u64;
        let held = [
            ("inverses", inverses),
            ("inputs of FRI", inputs),
            ("powers and terms", powers + terms),
        ];
        plan.step("quotients", &held);

        let lens: Vec<_> = heights.iter().map(|&height| height as usize).collect();
        let log_final = self.fri.log_final_poly_len + self.fri.log_blowup;
        let (mut layers, mut trees) = (0, 0);
        let mut log_len = tallest;
        for log_arity in fold_schedule(&lens, log_final, self.fri.max_log_arity) {
            log_len -= log_arity as u32;
            trees += tree_bytes(1 << log_len);
            layers += element << log_len;
        }
        // The largest rows, or paths, of a commitment or a layer.
        let num_queries = self.fri.num_queries;
        let openings = commitments.iter().map(|matrices| {
            let width = matrices.iter().map(|m| m.width).sum();
            open_bytes(num_queries, 1 << tallest, width)
        });
        let row = E::DIMENSION << self.fri.max_log_arity;
        let opening = openings
            .max()
            .unwrap_or(0)
            .max(open_bytes(num_queries, 1 << tallest, row));
        let held = [
            ("inputs of FRI", inputs),
            ("layers", layers),
            ("trees", trees),
            ("queries", opening),
        ];
        plan.step("fri", &held);
        plan
    }

    fn extended_bytes(&self, matrix: &MatrixPlan) -> u64 {
        (4 * matrix.width as u64) << (matrix.log_rows + self.fri.log_blowup as u32)
    }

    fn tree_bytes(&self, matrices: &[MatrixPlan]) -> u64 {
        let tallest = matrices.iter().map(|m| m.log_rows).max();
        tallest.map_or(0, |log_rows| {
            tree_bytes(1 << (log_rows + self.fri.log_blowup as u32))
        })
    }
}
