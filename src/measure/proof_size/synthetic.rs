//! A table made to be proved: any height, any width, constraints of degree 3.

use std::time::Instant;

use p3_air::symbolic::SymbolicExpressionExt;
use p3_air::{Air, AirBuilder, BaseAir, WindowAccess};
use p3_batch_stark::{ProverData, StarkInstance, prove_batch, verify_batch};
use p3_field::{Algebra, ExtensionField, PrimeCharacteristicRing};
use p3_matrix::dense::RowMajorMatrix;

use super::{Proved, Subject, Verifier};
use crate::stark::config::{Challenge, Config, Proof, Val, config};
use crate::stark::{Params, Shape, Table};
use crate::{Error, Result};

/// Columns that depend on each other: the next row's i-th is this row's i-th times the square of
/// its neighbour, plus i + 1. The first row holds 1, 2, 3, ….
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MixAir {
    width: usize,
}

impl<F> BaseAir<F> for MixAir {
    fn width(&self) -> usize {
        self.width
    }
}

impl<AB: AirBuilder> Air<AB> for MixAir {
    fn eval(&self, builder: &mut AB) {
        let main = builder.main();
        let (local, next) = (main.current_slice(), main.next_slice());
        for i in 0..self.width {
            let first = AB::Expr::from_usize(i + 1);
            let cell: AB::Expr = local[i].into();
            let neighbour: AB::Expr = local[(i + 1) % self.width].into();
            let following: AB::Expr = next[i].into();
            builder
                .when_first_row()
                .assert_zero(cell.clone() - first.clone());
            builder
                .when_transition()
                .assert_zero(following - cell * neighbour.square() - first);
        }
    }
}

/// A trace of [`MixAir`].
pub struct Synthetic {
    air: MixAir,
    log_height: u32,
    trace: RowMajorMatrix<Val>,
}

impl Synthetic {
    /// Fills a trace of `2^log_height` rows.
    ///
    /// Cost: two multiplications per cell, one thread.
    ///
    /// # Panics
    /// If `width` is 0.
    pub fn new(log_height: u32, width: usize) -> Self {
        assert!(width > 0, "a table has columns");
        let mut values = Vec::with_capacity(width << log_height);
        let mut row: Vec<Val> = (1..=width).map(Val::from_usize).collect();
        for _ in 0..1usize << log_height {
            values.extend_from_slice(&row);
            let first = row[0];
            for i in 0..width {
                let neighbour = row.get(i + 1).copied().unwrap_or(first);
                row[i] = row[i] * neighbour.square() + Val::from_usize(i + 1);
            }
        }
        Self {
            air: MixAir { width },
            log_height,
            trace: RowMajorMatrix::new(values, width),
        }
    }

    /// The trace, for commitments alone.
    pub fn into_trace(self) -> RowMajorMatrix<Val> {
        self.trace
    }

    fn prove_over<E>(&self, params: &Params) -> Result<Proved<'_>>
    where
        E: ExtensionField<Val>,
        SymbolicExpressionExt<Val, E>: Algebra<E>,
    {
        let config: Config<E> = config(params, &[0; 32]);
        let airs = [self.air];
        let heights = [self.log_height as usize];
        let data = ProverData::from_airs_and_degrees(&config, &airs, &heights).map_err(refused)?;
        let traces = [&self.trace];
        let public_values = [Vec::new()];
        let instances = StarkInstance::new_multiple(&airs, &traces, &public_values);
        let start = Instant::now();
        let proof = prove_batch(&config, &instances, &data).map_err(refused)?;
        let bytes = postcard::to_allocvec(&proof).map_err(refused)?;
        let seconds = start.elapsed().as_secs_f64();
        let verify: Verifier = Box::new(move |bytes| {
            let proof: Proof<E> = postcard::from_bytes(bytes).map_err(|e| e.to_string())?;
            if proof.degree_bits != heights {
                return Err("another height".to_owned());
            }
            verify_batch(&config, &airs, &proof, &[Vec::new()], &data.common)
                .map_err(|error| format!("{error:?}"))
        });
        Ok(Proved {
            bytes,
            seconds,
            verify,
        })
    }
}

impl Subject for Synthetic {
    fn name(&self) -> String {
        format!("2^{} × {}", self.log_height, self.air.width)
    }

    fn shape(&self) -> Shape {
        Shape::of_table(Table::of_air(&self.air, self.log_height))
    }

    fn prove(&self, params: &Params) -> Result<Proved<'_>> {
        params.check()?;
        match params.extension {
            4 => self.prove_over::<Challenge<4>>(params),
            _ => self.prove_over::<Challenge<5>>(params),
        }
    }
}

fn refused(error: impl std::fmt::Debug) -> Error {
    Error::Resource(format!("the prover refuses: {error:?}"))
}
