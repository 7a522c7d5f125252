//! The backend: every stage's wrapper behind the trait.

use std::sync::{Arc, Mutex};

use p3_field::Field;

use super::device::{Device, Options, lock};
use super::elements::{Tables, extension_words, extensions};
use super::fri;
use super::lde::{Roots, Size, extend};
use super::merkle::{MatrixRef, MerkleTree, open_rows};
use super::open::{Codeword, Columns, Opener, Request};
use super::plan::Plan;
use super::regenerate::{self, DeviceProgram};
use super::table::DeviceMatrix;
use crate::Result;
use crate::backend::types::{Challenge, Val};
use crate::backend::{
    Backend, Opening, Regenerated, check_commit, check_evaluate, check_fold, check_layer,
    check_lde, check_open,
};
use crate::segment::{LOG_PAGE_BYTES, Pages};
use crate::ship::{Payload, Shipment};
use crate::vm::Program;
use crate::witness::layout::MAX_LOG_ROWS;
use crate::witness::{Matrix, Witness};

/// A GPU, or the CPU stand-in for one, with what stages share.
#[derive(Debug)]
pub struct Cuda {
    /// Made when first used.
    roots: Mutex<Option<Arc<Roots>>>,
    tables: Tables,
    /// The program regenerated last, which the next segment is usually of.
    program: Mutex<Option<Arc<DeviceProgram>>>,
    device: Device,
}

/// A Merkle tree with its tables, on the device.
#[derive(Debug)]
pub struct CudaTree {
    matrices: Vec<DeviceMatrix>,
    tree: MerkleTree,
    cap_height: usize,
}

/// Evaluations that FRI folds, on the device.
#[derive(Debug)]
pub struct CudaLayer(Codeword);

impl Cuda {
    /// Opens a device, and makes the small tables that stages share.
    ///
    /// # Errors
    /// As for [`Device::open`].
    pub fn open(options: &Options) -> Result<Self> {
        let device = Device::open(options)?;
        Ok(Self {
            roots: Mutex::new(None),
            tables: Tables::new(&device)?,
            program: Mutex::new(None),
            device,
        })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The roots of unity that extensions read.
    fn roots(&self) -> Result<Arc<Roots>> {
        let mut roots = lock(&self.roots);
        if let Some(roots) = &*roots {
            return Ok(roots.clone());
        }
        let made = Arc::new(Roots::new(&self.device)?);
        *roots = Some(made.clone());
        Ok(made)
    }

    /// Refuses a regeneration that does not fit, before anything is brought to the device.
    fn check_memory(
        &self,
        program: &Program,
        shipment: &Shipment,
        base: Option<&Pages>,
    ) -> Result<()> {
        let plan = regenerate::plan(shipment.encoding(), &size(program, shipment, base));
        let is_there = |last: &Arc<DeviceProgram>| last.program().digest() == program.digest();
        let bytes = match lock(&self.program).as_ref().is_some_and(is_there) {
            true => 0,
            false => DeviceProgram::num_bytes(program),
        };
        let mut whole = Plan::default();
        whole.append(&plan, &[("program", bytes)]);
        whole.check(&self.device)
    }

    /// The program on the device, uploaded if it is not the last one.
    fn program(&self, program: &Program) -> Result<Arc<DeviceProgram>> {
        let mut last = lock(&self.program);
        match &*last {
            Some(there) if there.program().digest() == program.digest() => Ok(there.clone()),
            _ => {
                *last = None;
                let there = Arc::new(DeviceProgram::new(&self.device, program)?);
                *last = Some(there.clone());
                Ok(there)
            }
        }
    }
}

impl Backend for Cuda {
    type Table = DeviceMatrix;
    type Tree = CudaTree;
    type Layer = CudaLayer;

    fn name(&self) -> &'static str {
        "cuda"
    }

    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Option<Witness<DeviceMatrix>>,
    ) -> Result<Regenerated<DeviceMatrix>> {
        // Freed memory stays in the driver's pool, where the new witness finds it.
        drop(reuse);
        self.check_memory(program, &shipment, base)?;
        let program = self.program(program)?;
        let made = regenerate::regenerate(&self.device, &program, shipment, base)?;
        Ok(Regenerated {
            witness: made.witness,
            parts: made.parts,
        })
    }

    fn upload(&self, table: Matrix) -> Result<DeviceMatrix> {
        DeviceMatrix::upload(&self.device, &table)
    }

    fn download(&self, table: &DeviceMatrix) -> Result<Matrix> {
        table.download(&self.device, Vec::new())
    }

    fn lde(&self, table: &DeviceMatrix, log_blowup: u32) -> Result<DeviceMatrix> {
        check_lde(table.height(), log_blowup)?;
        let size = Size::new(table.width(), table.height(), log_blowup)?;
        let words = extend(
            &self.device,
            &*self.roots()?,
            table.words(),
            size,
            Val::GENERATOR,
        )?;
        let height = table.height() << log_blowup;
        Ok(DeviceMatrix::new(table.width(), height, words))
    }

    fn commit(
        &self,
        tables: Vec<DeviceMatrix>,
        cap_height: u8,
    ) -> Result<(Vec<[u8; 32]>, CudaTree)> {
        check_commit(tables.iter().map(DeviceMatrix::height), cap_height)?;
        let leaves: Vec<MatrixRef<'_>> = tables.iter().map(DeviceMatrix::leaves).collect();
        let tree = MerkleTree::commit(&self.device, &leaves)?;
        let cap_height = cap_height.into();
        let cap = tree.cap(cap_height)?;
        let tree = CudaTree {
            matrices: tables,
            tree,
            cap_height,
        };
        Ok((cap, tree))
    }

    fn open(&self, tree: &CudaTree, indices: &[usize]) -> Result<Opening> {
        let tallest = tree.matrices.iter().map(DeviceMatrix::height).max();
        check_open(tallest.unwrap_or(0), indices)?;
        let leaves: Vec<MatrixRef<'_>> = tree.matrices.iter().map(DeviceMatrix::leaves).collect();
        let width = tree.matrices.iter().map(DeviceMatrix::width).sum::<usize>();
        let cells = open_rows(&self.device, &leaves, indices)?;
        let rows = indices.iter().enumerate().map(|(i, _)| {
            let mut rest = &cells[i * width..][..width];
            let row = |matrix: &DeviceMatrix| {
                let (row, after) = rest.split_at(matrix.width());
                rest = after;
                row.to_vec()
            };
            tree.matrices.iter().map(row).collect()
        });
        Ok(Opening {
            rows: rows.collect(),
            siblings: tree
                .tree
                .open_paths(indices, tree.cap_height)?
                .sibling_hashes,
        })
    }

    fn evaluate(
        &self,
        lde: &DeviceMatrix,
        log_blowup: u32,
        point: Challenge<4>,
    ) -> Result<Vec<Challenge<4>>> {
        check_evaluate(lde.height(), log_blowup)?;
        let matrix: Columns<'_> = lde.columns();
        let request = Request {
            matrix,
            points: vec![point],
        };
        let opener = Opener::new(&self.device, &self.tables, log_blowup, vec![request])?;
        let values = opener.values()?.pop().and_then(|mut points| points.pop());
        Ok(values.expect("one request of one point"))
    }

    fn upload_layer(&self, values: Vec<Challenge<4>>) -> Result<CudaLayer> {
        check_layer(values.len())?;
        let words: Vec<[u32; 4]> = values.iter().copied().map(extension_words).collect();
        Ok(CudaLayer(Codeword {
            words: self.device.upload("a layer", words.as_flattened())?,
            log_len: values.len().ilog2(),
        }))
    }

    fn download_layer(&self, layer: &CudaLayer) -> Result<Vec<Challenge<4>>> {
        Ok(extensions(self.device.download(&layer.0.words)?))
    }

    fn fri_fold(&self, layer: &CudaLayer, log_arity: u32, beta: Challenge<4>) -> Result<CudaLayer> {
        check_fold(1 << layer.0.log_len, log_arity)?;
        let folded = fri::fold(&self.device, &self.tables, &layer.0, log_arity, beta, None)?;
        Ok(CudaLayer(folded))
    }
}

/// What the memory of a regeneration depends on.
fn size(program: &Program, shipment: &Shipment, base: Option<&Pages>) -> regenerate::Size {
    let log_cycles = shipment.segment.log_cycles;
    let most_words = 2usize << log_cycles.min(MAX_LOG_ROWS);
    let pages = |pages: &Pages| pages.bytes.len() as u64 >> LOG_PAGE_BYTES;
    let (mut log_chunk, mut num_words, mut num_pages) = (0, most_words, 0);
    match &shipment.payload {
        Payload::Reads(reads) => (log_chunk, num_words) = (reads.log_chunk, reads.words.len()),
        Payload::Image(own) | Payload::Pages(own) => num_pages = pages(own),
        Payload::Delta { pages: own, .. } => {
            num_pages = pages(own) + base.map_or(0, pages) + pages(&program.initial_pages());
        }
        Payload::Witness(_) | Payload::Records(_) | Payload::Input { .. } => {}
    }
    regenerate::Size {
        log_cycles: log_cycles.min(MAX_LOG_ROWS),
        num_ops: program.ops().len(),
        log_chunk,
        num_words,
        num_pages,
    }
}
