//! A prover and a verifier by somebody else: Plonky3 and the constraints, and nothing of ours that
//! sets up one or the other.

use p3_air::symbolic::SymbolicExpressionExt;
use p3_baby_bear::BabyBear;
use p3_batch_stark::{BatchProof, CommonData, ProverData, StarkInstance, prove_batch};
use p3_blake3::Blake3;
use p3_challenger::{HashChallenger, SerializingChallenger32};
use p3_commit::ExtensionMmcs;
use p3_dft::Radix2DitParallel;
use p3_field::extension::BinomialExtensionField;
use p3_field::{Algebra, ExtensionField, PrimeCharacteristicRing};
use p3_fri::{FriParameters, TwoAdicFriPcs};
use p3_matrix::dense::RowMajorMatrix;
use p3_merkle_tree::MerkleTreeMmcs;
use p3_symmetric::{CompressionFunctionFromHasher, SerializingHasher};
use p3_uni_stark::StarkConfig;
use rewit::stark::air::{ProgramAir, TableAir};
use rewit::stark::{Params, ProgramKey, Statement};
use rewit::vm::Program;

pub type Val = BabyBear;
pub type Quartic = BinomialExtensionField<Val, 4>;
pub type Quintic = BinomialExtensionField<Val, 5>;
type Hash = SerializingHasher<Blake3>;
type Compress = CompressionFunctionFromHasher<Blake3, 2, 32>;
type Mmcs = MerkleTreeMmcs<Val, u8, Hash, Compress, 2, 32>;
type Challenger = SerializingChallenger32<Val, HashChallenger<u8, Blake3, 32>>;
type Dft = Radix2DitParallel<Val>;
type Pcs<E> = TwoAdicFriPcs<Val, Dft, Mmcs, ExtensionMmcs<Val, E, Mmcs>>;
pub type Config<E> = StarkConfig<Pcs<E>, E, Challenger>;
pub type Proof<E> = BatchProof<Config<E>>;

/// The seed of the transcript, as documented: all that is agreed upon before the proof.
pub fn seed(params: &Params, key: &ProgramKey, statement: &Statement) -> [u8; 32] {
    let mut key_bytes = b"rewit program key 1\n".to_vec();
    key_bytes.extend([params.log_blowup, params.cap_height, key.log_rows]);
    key_bytes.extend(key.commitment.concat());
    let g = params.grinding;
    let mut bytes = b"rewit segment proof 1\n".to_vec();
    bytes.push(params.log_blowup);
    bytes.extend(params.num_queries.to_le_bytes());
    bytes.extend([params.log_arity, params.log_final_len, params.cap_height]);
    bytes.extend([params.extension, g.lookup, g.out_of_domain, g.batch]);
    bytes.extend([g.commit, g.query]);
    bytes.extend(blake3::hash(&key_bytes).as_bytes());
    let mut numbers = vec![statement.index];
    numbers.extend(statement.public);
    bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend((statement.boundary.len() as u64).to_le_bytes());
    for cell in &statement.boundary {
        let numbers = [cell.address, cell.first, cell.last];
        bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    }
    bytes.extend((statement.log.len() as u64).to_le_bytes());
    for e in &statement.log {
        let numbers = [e.clk, e.kind, e.a, e.b, e.result, e.left];
        bytes.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
    }
    *blake3::hash(&bytes).as_bytes()
}

pub fn config<E: Clone>(params: &Params, seed: [u8; 32]) -> Config<E> {
    let mmcs = || {
        let (hash, compress) = (Hash::new(Blake3), Compress::new(Blake3));
        Mmcs::new(hash, compress, params.cap_height.into())
    };
    let fri = FriParameters {
        log_blowup: params.log_blowup.into(),
        log_final_poly_len: params.log_final_len.into(),
        max_log_arity: params.log_arity.into(),
        num_queries: params.num_queries.into(),
        batch_proof_of_work_bits: params.grinding.batch.into(),
        commit_proof_of_work_bits: params.grinding.commit.into(),
        query_proof_of_work_bits: params.grinding.query.into(),
        mmcs: ExtensionMmcs::new(mmcs()),
    };
    let pcs = Pcs::new(Dft::default(), mmcs(), fri);
    StarkConfig::new(pcs, Challenger::from_hasher(seed.to_vec(), Blake3))
        .with_lookup_proof_of_work_bits(params.grinding.lookup.into())
        .with_ood_proof_of_work_bits(params.grinding.out_of_domain.into())
}

/// The tables, fixed columns included: whoever has the program has all of them.
pub fn airs(program: &Program) -> [TableAir; 5] {
    TableAir::for_prover(ProgramAir::new(program))
}

/// What Plonky3 computes beforehand for tables of these heights.
pub fn setup<E>(
    config: &Config<E>,
    airs: &[TableAir],
    log_heights: &[usize],
) -> ProverData<Config<E>>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    ProverData::from_airs_and_degrees(config, airs, log_heights).unwrap()
}

/// What a verifier with the program knows beforehand.
pub fn common<E>(
    config: &Config<E>,
    airs: &[TableAir],
    log_heights: &[usize],
) -> CommonData<Config<E>>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    setup(config, airs, log_heights).common
}

pub fn public_values(values: &[u32]) -> Vec<Vec<Val>> {
    let mut public = vec![Vec::new(); TableAir::COUNT];
    public[0] = values.iter().map(|value| Val::from_u32(*value)).collect();
    public
}

/// Proves any tables, with any public values, in a transcript with any seed.
pub fn prove<E>(
    program: &Program,
    params: &Params,
    seed: [u8; 32],
    tables: &[RowMajorMatrix<Val>; 5],
    public: &[u32],
) -> Proof<E>
where
    E: ExtensionField<Val>,
    SymbolicExpressionExt<Val, E>: Algebra<E>,
{
    use p3_matrix::Matrix;
    let config = config(params, seed);
    let airs = airs(program);
    let log_heights = tables
        .each_ref()
        .map(|table| table.height().ilog2() as usize);
    let data = setup(&config, &airs, &log_heights);
    let traces = tables.each_ref();
    let instances = StarkInstance::new_multiple(&airs, &traces, &public_values(public));
    prove_batch(&config, &instances, &data).unwrap()
}
