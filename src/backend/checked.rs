//! Two backends side by side: both do everything, and must agree.

mod folding;

use std::fmt::Debug;

use super::types::Challenge;
use super::{Backend, Opening, Regenerated};
use crate::segment::Pages;
use crate::ship::Shipment;
use crate::vm::Program;
use crate::witness::layout;
use crate::witness::{Matrix, Witness};
use crate::{Error, Result};

/// Runs every stage on both backends and compares what they made, cell by cell.
///
/// The second's results are compared with the first's, so the first should be the trusted one. Times
/// are those of the second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked<A, B> {
    first: A,
    second: B,
}

impl<A, B> Checked<A, B> {
    /// Checks `second` against `first`.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second }
    }

    /// The backend that is trusted.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The backend that is checked.
    pub fn second(&self) -> &B {
        &self.second
    }
}

impl<A: Backend, B: Backend> Checked<A, B> {
    fn differs(&self, what: &str) -> Error {
        Error::Differs(format!(
            "{} and {}: {what}",
            self.first.name(),
            self.second.name()
        ))
    }

    /// Compares two tables; `name` says which stage and table they are.
    fn compare(&self, name: &str, first: &A::Table, second: &B::Table) -> Result<()> {
        let (first, second) = (self.first.download(first)?, self.second.download(second)?);
        match first_difference(&first, &second, &|col| format!("column {col}")) {
            Some(what) => Err(self.differs(&format!("{name}, {what}"))),
            None => Ok(()),
        }
    }

    fn equal<T: PartialEq + Debug>(&self, name: &str, first: &[T], second: &[T]) -> Result<()> {
        if first.len() != second.len() {
            let (first, second) = (first.len(), second.len());
            return Err(self.differs(&format!("{name}, {first} and {second} items")));
        }
        match first.iter().zip(second).position(|(a, b)| a != b) {
            Some(at) => Err(self.differs(&format!(
                "{name}, item {at}: {:?} and {:?}",
                first[at], second[at]
            ))),
            None => Ok(()),
        }
    }
}

/// Says where two tables first differ, row by row; `None` if they do not.
fn first_difference(
    first: &Matrix,
    second: &Matrix,
    column: &dyn Fn(usize) -> String,
) -> Option<String> {
    if (first.width, first.words.len()) != (second.width, second.words.len()) {
        return Some(format!(
            "{} rows of {} and {} rows of {} columns",
            first.height(),
            first.width,
            second.height(),
            second.width
        ));
    }
    let at = first
        .words
        .iter()
        .zip(&second.words)
        .position(|(a, b)| a != b)?;
    Some(format!(
        "row {}, {}: {:#010x} and {:#010x} in Montgomery form",
        at / first.width,
        column(at % first.width),
        first.words[at],
        second.words[at]
    ))
}

/// Says where two witnesses first differ; `None` if they do not.
pub(crate) fn witness_difference(first: &Witness, second: &Witness) -> Option<String> {
    for ((name, a), (_, b)) in first.tables().into_iter().zip(second.tables()) {
        let column = |col: usize| match name {
            "cpu" => layout::column_name(col),
            "boundary" => layout::boundary::column_name(col),
            _ => format!("column {col}"),
        };
        if let Some(what) = first_difference(a, b, &column) {
            return Some(format!("{name} table, {what}"));
        }
    }
    let at = first
        .public
        .iter()
        .zip(&second.public)
        .position(|(a, b)| a != b)?;
    Some(format!(
        "public value {at}: {} and {}",
        first.public[at], second.public[at]
    ))
}

impl<A: Backend, B: Backend> Backend for Checked<A, B> {
    type Table = (A::Table, B::Table);
    type Tree = (A::Tree, B::Tree);
    type Layer = (A::Layer, B::Layer);

    fn name(&self) -> &'static str {
        "check"
    }

    fn regenerate(
        &self,
        program: &Program,
        shipment: Shipment,
        base: Option<&Pages>,
        reuse: Option<Witness<Self::Table>>,
    ) -> Result<Regenerated<Self::Table>> {
        let (reuse_first, reuse_second) = match reuse {
            Some(witness) => {
                let (first, second) = split(witness);
                (Some(first), Some(second))
            }
            None => (None, None),
        };
        let second = self
            .second
            .regenerate(program, shipment.clone(), base, reuse_second);
        let first = self.first.regenerate(program, shipment, base, reuse_first);
        let (first, second) = match (first, second) {
            (Ok(first), Ok(second)) => (first, second),
            // Both refuse: agreed.
            (Err(error), Err(Error::Replay(_))) => return Err(error),
            (Ok(_), Err(Error::Replay(why))) => {
                return Err(self.differs(&format!("only the second refuses: {why}")));
            }
            (_, Err(error)) => return Err(error),
            (Err(error), Ok(_)) => {
                return Err(self.differs(&format!("only the first refuses: {error}")));
            }
        };
        let ours = first
            .witness
            .as_ref()
            .try_map(|table| self.first.download(table))?;
        let theirs = second
            .witness
            .as_ref()
            .try_map(|table| self.second.download(table))?;
        if let Some(what) = witness_difference(&ours, &theirs) {
            return Err(self.differs(&what));
        }
        let (a, b) = (first.witness, second.witness);
        Ok(Regenerated {
            witness: Witness {
                cpu: (a.cpu, b.cpu),
                boundary: (a.boundary, b.boundary),
                program: (a.program, b.program),
                range: (a.range, b.range),
                public: a.public,
            },
            parts: second.parts,
        })
    }

    fn upload(&self, table: Matrix) -> Result<Self::Table> {
        let both = (
            self.first.upload(table.clone())?,
            self.second.upload(table)?,
        );
        self.compare("upload", &both.0, &both.1)?;
        Ok(both)
    }

    fn download(&self, table: &Self::Table) -> Result<Matrix> {
        self.compare("download", &table.0, &table.1)?;
        self.second.download(&table.1)
    }

    fn lde(&self, table: &Self::Table, log_blowup: u32) -> Result<Self::Table> {
        let both = (
            self.first.lde(&table.0, log_blowup)?,
            self.second.lde(&table.1, log_blowup)?,
        );
        self.compare("lde", &both.0, &both.1)?;
        Ok(both)
    }

    fn commit(
        &self,
        tables: Vec<Self::Table>,
        cap_height: u8,
    ) -> Result<(Vec<[u8; 32]>, Self::Tree)> {
        let (first, second) = tables.into_iter().unzip();
        let first = self.first.commit(first, cap_height)?;
        let second = self.second.commit(second, cap_height)?;
        self.equal("commit, cap", &first.0, &second.0)?;
        Ok((first.0, (first.1, second.1)))
    }

    fn open(&self, tree: &Self::Tree, indices: &[usize]) -> Result<Opening> {
        let first = self.first.open(&tree.0, indices)?;
        let second = self.second.open(&tree.1, indices)?;
        self.equal("open, rows", &first.rows, &second.rows)?;
        self.equal("open, digests", &first.siblings, &second.siblings)?;
        Ok(second)
    }

    fn evaluate(
        &self,
        lde: &Self::Table,
        log_blowup: u32,
        point: Challenge<4>,
    ) -> Result<Vec<Challenge<4>>> {
        let first = self.first.evaluate(&lde.0, log_blowup, point)?;
        let second = self.second.evaluate(&lde.1, log_blowup, point)?;
        self.equal("evaluate", &first, &second)?;
        Ok(second)
    }

    fn upload_layer(&self, values: Vec<Challenge<4>>) -> Result<Self::Layer> {
        Ok((
            self.first.upload_layer(values.clone())?,
            self.second.upload_layer(values)?,
        ))
    }

    fn download_layer(&self, layer: &Self::Layer) -> Result<Vec<Challenge<4>>> {
        let first = self.first.download_layer(&layer.0)?;
        let second = self.second.download_layer(&layer.1)?;
        self.equal("download of a layer", &first, &second)?;
        Ok(second)
    }

    fn fri_fold(
        &self,
        layer: &Self::Layer,
        log_arity: u32,
        beta: Challenge<4>,
    ) -> Result<Self::Layer> {
        let first = self.first.fri_fold(&layer.0, log_arity, beta)?;
        let second = self.second.fri_fold(&layer.1, log_arity, beta)?;
        let both = (first, second);
        self.download_layer(&both)?;
        Ok(both)
    }
}

/// A witness of pairs as a pair of witnesses.
fn split<T, U>(witness: Witness<(T, U)>) -> (Witness<T>, Witness<U>) {
    let Witness {
        cpu,
        boundary,
        program,
        range,
        public,
    } = witness;
    (
        Witness {
            cpu: cpu.0,
            boundary: boundary.0,
            program: program.0,
            range: range.0,
            public,
        },
        Witness {
            cpu: cpu.1,
            boundary: boundary.1,
            program: program.1,
            range: range.1,
            public,
        },
    )
}
