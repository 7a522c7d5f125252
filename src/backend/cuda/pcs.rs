//! Plonky3's polynomial commitment scheme with the committed polynomials on the device.
//!
//! Commitments, values and proofs are those of `TwoAdicFriPcs` to the byte, except for witnesses of
//! grinding, of which any is accepted; so its verifier checks them unchanged, and any AIR can be proven
//! with [`CudaPcs`] in place of it.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use p3_challenger::{CanObserve, FieldChallenger, GrindingChallenger};
use p3_commit::{
    CommitmentOpening, ExtensionMmcs, OpenedValues, OpeningRequest, Pcs, PeriodicLdeTable,
    PolynomialSpace, UnivariateStarkPcs,
};
use p3_dft::TwoAdicSubgroupDft;
use p3_field::coset::TwoAdicMultiplicativeCoset;
use p3_field::{ExtensionField, Field, PrimeCharacteristicRing, TwoAdicField};
use p3_fri::{
    FriParameters, FriProof, FriProverError, PcsProverTranscript, PcsShape, TwoAdicFriPcs,
};
use p3_matrix::Matrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_merkle_tree::MerkleCap;

use super::Device;
use super::device::lock;
use super::elements::{Tables, words};
use super::fri;
use super::lde;
use super::merkle::{MatrixRef, MerkleTree};
use super::open::{Columns, Opener, Request, rows};
use super::table::DeviceMatrix;
use crate::backend::types::{Dft, Val, ValMmcs};
use crate::witness::monty::into_elements;
use crate::{Error, Result};

/// The scheme on the CPU, whose proofs these are.
pub type CpuPcs<E> = TwoAdicFriPcs<Val, Dft, ValMmcs, ExtensionMmcs<Val, E, ValMmcs>>;

/// A commitment: digests of the cap.
type Cap = MerkleCap<Val, [u8; 32]>;
type Domain = TwoAdicMultiplicativeCoset<Val>;

/// The scheme on a device; `E` is the field of challenges, of degree 4 or 5.
pub struct CudaPcs<E> {
    device: Device,
    tables: Arc<Tables>,
    roots: Arc<lde::Roots>,
    cpu: CpuPcs<E>,
    fri: FriParameters<ExtensionMmcs<Val, E, ValMmcs>>,
    cap_height: usize,
    fri_cap_height: usize,
    /// An error where Plonky3's trait returns none; the next call that can returns it. It belongs to one
    /// proof: a clone starts without.
    failure: Mutex<Option<Error>>,
}

/// Committed matrices, extended, and their tree, all on the device.
#[derive(Debug)]
pub struct CudaProverData {
    /// Low-degree extensions, rows bit-reversed.
    matrices: Vec<DeviceMatrix>,
    tree: MerkleTree,
}

impl<E: Clone> Clone for CudaPcs<E> {
    fn clone(&self) -> Self {
        Self {
            device: self.device.clone(),
            tables: self.tables.clone(),
            roots: self.roots.clone(),
            cpu: self.cpu.clone(),
            fri: self.fri.clone(),
            cap_height: self.cap_height,
            fri_cap_height: self.fri_cap_height,
            failure: Mutex::default(),
        }
    }
}

impl<E> fmt::Debug for CudaPcs<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaPcs")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl DeviceMatrix {
    fn log_height(&self) -> u32 {
        self.height().ilog2()
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        Columns {
            words: self.words(),
            width: self.width(),
            log_height: self.log_height(),
        }
    }

    pub(super) fn leaves(&self) -> MatrixRef<'_> {
        MatrixRef::by_column(self.words(), self.width(), self.height())
    }
}

impl CudaProverData {
    /// The low-degree extensions, in the order of the commitment.
    pub fn matrices(&self) -> &[DeviceMatrix] {
        &self.matrices
    }

    pub(super) fn tree(&self) -> &MerkleTree {
        &self.tree
    }

    /// The matrices as the tree takes them.
    pub(super) fn leaves(&self) -> Vec<MatrixRef<'_>> {
        self.matrices.iter().map(DeviceMatrix::leaves).collect()
    }
}

impl<E: ExtensionField<Val>> CudaPcs<E> {
    /// The scheme that `TwoAdicFriPcs::new(dft, mmcs, fri)` is, with `fri.mmcs` extended to `E`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the degree of `E` is neither 4 nor 5, or FRI would have no blowup, queries
    /// or folding; errors of the device.
    pub fn new(device: &Device, mmcs: ValMmcs, fri: FriParameters<ValMmcs>) -> Result<Self> {
        if !matches!(E::DIMENSION, 4 | 5) {
            return Err(Error::Usage(format!(
                "challenges of degree {} on the device: expected 4 or 5; give --extension 4 or 5",
                E::DIMENSION
            )));
        }
        let FriParameters {
            log_blowup,
            log_final_poly_len,
            max_log_arity,
            num_queries,
            batch_proof_of_work_bits,
            commit_proof_of_work_bits,
            query_proof_of_work_bits,
            mmcs: fri_mmcs,
        } = fri;
        if log_blowup == 0 || max_log_arity == 0 || num_queries == 0 || log_final_poly_len > 26 {
            return Err(Error::Usage(format!(
                "FRI with log blowup {log_blowup}, log arity {max_log_arity}, {num_queries} queries and \
                 log final length {log_final_poly_len}: expected at least 1 of the first three and at \
                 most 26 of the last"
            )));
        }
        let (cap_height, fri_cap_height) = (mmcs.cap_height(), fri_mmcs.cap_height());
        let fri = FriParameters {
            log_blowup,
            log_final_poly_len,
            max_log_arity,
            num_queries,
            batch_proof_of_work_bits,
            commit_proof_of_work_bits,
            query_proof_of_work_bits,
            mmcs: ExtensionMmcs::new(fri_mmcs),
        };
        Ok(Self {
            device: device.clone(),
            tables: Arc::new(Tables::new(device)?),
            roots: Arc::new(lde::Roots::new(device)?),
            cpu: CpuPcs::new(Dft::default(), mmcs, fri.clone()),
            fri,
            cap_height,
            fri_cap_height,
            failure: Mutex::default(),
        })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Brings a matrix to the device, column by column.
    ///
    /// Cost: twice its bytes for a moment.
    ///
    /// # Errors
    /// [`Error::Usage`] if the height is no power of two; errors of the device.
    pub fn upload(&self, matrix: &RowMajorMatrix<Val>) -> Result<DeviceMatrix> {
        let (height, width) = (matrix.height(), matrix.width());
        if !height.is_power_of_two() {
            return Err(Error::Usage(format!(
                "a matrix of {height} rows to commit to: expected a power of two"
            )));
        }
        DeviceMatrix::upload_rows(&self.device, words(&matrix.values), width)
    }

    /// Extends evaluations over `domain` to the coset that is committed to.
    ///
    /// # Errors
    /// [`Error::Usage`] if the extension is longer than the field allows; errors of the device.
    /// # Panics
    /// If the domain is not of the matrix's size.
    pub fn extend(&self, domain: Domain, matrix: &DeviceMatrix) -> Result<DeviceMatrix> {
        assert_eq!(domain.size(), matrix.height(), "a value for each point");
        let log_blowup = self.fri.log_blowup as u32;
        let size = lde::Size::new(matrix.width(), matrix.height(), log_blowup)?;
        let shift = Val::GENERATOR / domain.shift();
        let words = lde::extend(&self.device, &self.roots, matrix.words(), size, shift)?;
        Ok(DeviceMatrix::new(
            matrix.width(),
            matrix.height() << log_blowup,
            words,
        ))
    }

    /// Commits to matrices that are on the device; as [`Pcs::commit`] otherwise.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or one is too long when extended; errors of the device.
    /// # Panics
    /// If a domain is not of its matrix's size.
    pub fn commit_device(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, DeviceMatrix)>,
    ) -> Result<(Cap, CudaProverData)> {
        let extended = evaluations
            .into_iter()
            .map(|(domain, matrix)| self.extend(domain, &matrix));
        self.commit_extended(extended.collect::<Result<_>>()?)
    }

    /// Commits to low-degree extensions.
    ///
    /// # Errors
    /// As for [`commit_device`](Self::commit_device).
    pub fn commit_extended(&self, matrices: Vec<DeviceMatrix>) -> Result<(Cap, CudaProverData)> {
        let leaves: Vec<_> = matrices.iter().map(DeviceMatrix::leaves).collect();
        let tree = MerkleTree::commit(&self.device, &leaves)?;
        let cap = MerkleCap::new(tree.cap(self.cap_height)?);
        Ok((cap, CudaProverData { matrices, tree }))
    }

    /// The error that a call without a result left.
    fn check(&self) -> Result<()> {
        lock(&self.failure).take().map_or(Ok(()), Err)
    }

    fn commit_host(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, RowMajorMatrix<Val>)>,
    ) -> Result<(Cap, CudaProverData)> {
        self.check()?;
        let extended = evaluations.into_iter().map(|(domain, matrix)| {
            let uploaded = self.upload(&matrix)?;
            drop(matrix);
            self.extend(domain, &uploaded)
        });
        self.commit_extended(extended.collect::<Result<_>>()?)
    }

    /// A low-degree extension on the host, rows bit-reversed.
    fn download(&self, matrix: &DeviceMatrix) -> Result<RowMajorMatrix<Val>> {
        Ok(matrix.download(&self.device, Vec::new())?.into_field())
    }

    /// The values over `domain` of committed polynomials, in natural order.
    fn evaluations(&self, matrix: &DeviceMatrix, domain: Domain) -> Result<RowMajorMatrix<Val>> {
        let download = |log_rows| {
            let by_row = rows(&self.device, matrix.columns(), log_rows)?;
            let values = into_elements(self.device.download(&by_row)?);
            Ok::<_, Error>(RowMajorMatrix::new(values, matrix.width()))
        };
        let log_size = domain.log_size() as u32;
        if domain.shift() == Val::GENERATOR && log_size <= matrix.log_height() {
            return download(log_size);
        }
        // Beyond the committed coset, as when constraints are of a higher degree than the blowup: on
        // the CPU.
        let low = download(matrix.log_height() - self.fri.log_blowup as u32)?;
        let dft = Dft::default();
        let mut coefficients = dft.coset_idft_batch(low, Val::GENERATOR);
        let num_cells = domain.size() * matrix.width();
        coefficients.values.resize(num_cells, Val::ZERO);
        let values = dft.coset_dft_batch(coefficients, domain.shift());
        Ok(values.to_row_major_matrix())
    }

    fn open_all<C>(
        &self,
        requests: &[OpeningRequest<'_, CudaProverData, E>],
        challenger: &mut C,
    ) -> Result<(OpenedValues<E>, fri::Proof<E>)>
    where
        C: FieldChallenger<Val> + GrindingChallenger<Witness = Val> + CanObserve<Cap>,
    {
        self.check()?;
        let flat: Vec<_> = requests
            .iter()
            .flat_map(|request| {
                let matrices = &request.prover_data.matrices;
                assert_eq!(matrices.len(), request.points.len(), "points per matrix");
                matrices.iter().zip(&request.points)
            })
            .map(|(matrix, points)| Request {
                matrix: matrix.columns(),
                points: points.clone(),
            })
            .collect();
        self.check_heights(&flat)?;
        let log_blowup = self.fri.log_blowup as u32;
        let opener = Opener::new(&self.device, &self.tables, log_blowup, flat)?;
        let values = opener.values()?;
        let mut rest = values.iter().cloned();
        let opened: OpenedValues<E> = requests
            .iter()
            .map(|request| rest.by_ref().take(request.points.len()).collect())
            .collect();

        let shape = PcsShape::from_opened_values(&self.fri, &opened);
        let mut transcript = PcsProverTranscript::<C, Val, E>::new(challenger, shape);
        transcript.claimed_openings(&opened);
        let (alpha, batch_witness) = transcript.batch_phase();
        let inputs = opener
            .quotients(alpha, &values)
            .inspect_err(|_| transcript.abort())?;
        drop(opener);
        let committed: Vec<_> = requests.iter().map(|r| r.prover_data).collect();
        let prover = fri::Prover {
            device: &self.device,
            tables: &self.tables,
            params: &self.fri,
            cap_height: self.fri_cap_height,
            input_cap_height: self.cap_height,
        };
        let proof = transcript
            .delegate(|challenger| prover.prove(inputs, &committed, challenger))
            .inspect_err(|_| transcript.abort())?;
        transcript.finish();
        let proof = FriProof {
            batch_pow_witness: batch_witness.unwrap_or(Val::ZERO),
            ..proof
        };
        Ok((opened, proof))
    }

    /// Refuses what FRI cannot fold to its final polynomial, before the transcript is touched.
    fn check_heights(&self, requests: &[Request<'_, E>]) -> Result<()> {
        let log_final_height = self.fri.log_final_poly_len + self.fri.log_blowup;
        let heights: HashSet<_> = requests
            .iter()
            .map(|r| r.matrix.log_height as usize)
            .collect();
        match heights.iter().min() {
            None => Err(Error::Usage("an opening of no matrix".into())),
            Some(&least) if self.fri.log_final_poly_len > 0 && least <= log_final_height => {
                let error = FriProverError::InputHeightTooSmall {
                    log_input_height: least,
                    log_final_height,
                };
                Err(Error::Usage(format!(
                    "{error}; give a lower --log-final-len"
                )))
            }
            Some(_) => Ok(()),
        }
    }
}

impl<E, C> Pcs<E, C> for CudaPcs<E>
where
    E: ExtensionField<Val>,
    C: FieldChallenger<Val> + GrindingChallenger<Witness = Val> + CanObserve<Cap>,
{
    type Domain = Domain;
    type Commitment = Cap;
    type ProverData = CudaProverData;
    type Proof = fri::Proof<E>;
    type Error = <CpuPcs<E> as Pcs<E, C>>::Error;
    type ProverError = Error;

    fn natural_domain_for_degree(&self, degree: usize) -> Domain {
        <CpuPcs<E> as Pcs<E, C>>::natural_domain_for_degree(&self.cpu, degree)
    }

    fn commit(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, RowMajorMatrix<Val>)>,
    ) -> Result<(Cap, CudaProverData)> {
        self.commit_host(evaluations)
    }

    fn open(
        &self,
        requests: Vec<OpeningRequest<'_, CudaProverData, E>>,
        challenger: &mut C,
    ) -> Result<(OpenedValues<E>, fri::Proof<E>)> {
        self.open_all(&requests, challenger)
    }

    fn verify(
        &self,
        claims: Vec<CommitmentOpening<E, Cap, Domain>>,
        proof: &fri::Proof<E>,
        challenger: &mut C,
    ) -> Result<(), Self::Error> {
        self.cpu.verify(claims, proof, challenger)
    }
}

impl<E, C> UnivariateStarkPcs<E, C> for CudaPcs<E>
where
    E: ExtensionField<Val>,
    C: FieldChallenger<Val> + GrindingChallenger<Witness = Val> + CanObserve<Cap>,
{
    /// In natural order, on the host.
    type EvaluationsOnDomain<'a> = RowMajorMatrix<Val>;

    const ZK: bool = false;

    fn log_max_trace_height(&self) -> usize {
        Val::TWO_ADICITY
    }

    fn log_min_trace_height(&self) -> usize {
        0
    }

    fn commit_quotient(
        &self,
        domain: Domain,
        evaluations: RowMajorMatrix<Val>,
        num_chunks: usize,
    ) -> Result<(Cap, CudaProverData)> {
        let chunks = domain.split_evals(num_chunks, evaluations);
        self.commit_host(domain.split_domains(num_chunks).into_iter().zip(chunks))
    }

    /// The extensions come back to the host, since Plonky3 has no other way to hand them to
    /// [`commit_ldes`](UnivariateStarkPcs::commit_ldes): 4 bytes a cell in either direction.
    fn get_quotient_ldes(
        &self,
        evaluations: impl IntoIterator<Item = (Domain, RowMajorMatrix<Val>)>,
        _num_chunks: usize,
    ) -> Result<Vec<RowMajorMatrix<Val>>> {
        self.check()?;
        let extended = evaluations.into_iter().map(|(domain, matrix)| {
            let uploaded = self.upload(&matrix)?;
            drop(matrix);
            self.download(&self.extend(domain, &uploaded)?)
        });
        extended.collect()
    }

    fn commit_ldes(&self, ldes: Vec<RowMajorMatrix<Val>>) -> Result<(Cap, CudaProverData)> {
        self.check()?;
        let uploaded = ldes.into_iter().map(|lde| {
            if lde.height() < self.fri.blowup() {
                return Err(Error::Usage(format!(
                    "an extension of {} rows is shorter than the blowup, {}",
                    lde.height(),
                    self.fri.blowup()
                )));
            }
            self.upload(&lde)
        });
        self.commit_extended(uploaded.collect::<Result<_>>()?)
    }

    /// Brings the rows to the host, 4 bytes a cell: constraints are evaluated there.
    ///
    /// If the device fails the values are zeros, and the next call that returns a result returns its
    /// error, so that no proof is made of them.
    fn get_evaluations_on_domain(
        &self,
        data: &CudaProverData,
        index: usize,
        domain: Domain,
    ) -> RowMajorMatrix<Val> {
        let matrix = &data.matrices[index];
        self.evaluations(matrix, domain).unwrap_or_else(|error| {
            lock(&self.failure).get_or_insert(error);
            RowMajorMatrix::new(
                Val::zero_vec(domain.size() * matrix.width()),
                matrix.width(),
            )
        })
    }

    fn build_periodic_lde_table(
        &self,
        periodic_cols: &[Vec<Val>],
        trace_domain: Domain,
        quotient_domain: Domain,
    ) -> PeriodicLdeTable<Val> {
        <CpuPcs<E> as UnivariateStarkPcs<E, C>>::build_periodic_lde_table(
            &self.cpu,
            periodic_cols,
            trace_domain,
            quotient_domain,
        )
    }
}

mod plan;
pub use plan::{CommitmentPlan, MatrixPlan};

#[cfg(test)]
mod tests;
