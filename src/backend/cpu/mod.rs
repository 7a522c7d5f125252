//! Stages on the CPU: this crate's loops on rayon's threads, and Plonky3.

mod folding;
mod fri;
mod lde;
mod merkle;
pub(super) mod msm;
mod products;
mod regenerate;

pub use folding::CpuVector;
pub use merkle::Tree as CpuTree;
pub use products::CpuMatrices;

use super::types::Challenge;
use super::{Backend, Opening, Regenerated, check_layer};
use crate::Result;
use crate::segment::Pages;
use crate::ship::Shipment;
use crate::vm::Program;
use crate::witness::{Matrix, Witness};

/// The CPU, with as many threads as the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    type Table = Matrix;
    type Tree = CpuTree;
    type Layer = Vec<Challenge<4>>;

    const COPIES: bool = false;

    fn name(&self) -> &'static str {
        "cpu"
    }

    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Option<Witness>,
    ) -> Result<Regenerated> {
        regenerate::regenerate(program, shipment, base, reuse.unwrap_or_default())
    }

    fn reuse(&self, witness: Witness) -> Option<Witness> {
        Some(witness)
    }

    fn to_host(&self, witness: Witness) -> Result<Witness> {
        Ok(witness)
    }

    fn upload(&self, table: Matrix) -> Result<Matrix> {
        Ok(table)
    }

    fn download(&self, table: &Matrix) -> Result<Matrix> {
        Ok(table.clone())
    }

    fn lde(&self, table: &Matrix, log_blowup: u32) -> Result<Matrix> {
        lde::lde(table, log_blowup)
    }

    fn commit(&self, tables: Vec<Matrix>, cap_height: u8) -> Result<(Vec<[u8; 32]>, CpuTree)> {
        merkle::commit(tables, cap_height)
    }

    fn open(&self, tree: &CpuTree, indices: &[usize]) -> Result<Opening> {
        merkle::open(tree, indices)
    }

    fn evaluate(
        &self,
        lde: &Matrix,
        log_blowup: u32,
        point: Challenge<4>,
    ) -> Result<Vec<Challenge<4>>> {
        lde::evaluate(lde, log_blowup, point)
    }

    fn upload_layer(&self, values: Vec<Challenge<4>>) -> Result<Vec<Challenge<4>>> {
        check_layer(values.len())?;
        Ok(values)
    }

    fn download_layer(&self, layer: &Vec<Challenge<4>>) -> Result<Vec<Challenge<4>>> {
        Ok(layer.clone())
    }

    fn fri_fold(
        &self,
        layer: &Vec<Challenge<4>>,
        log_arity: u32,
        beta: Challenge<4>,
    ) -> Result<Vec<Challenge<4>>> {
        fri::fold(layer, log_arity, beta)
    }
}
