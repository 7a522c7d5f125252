//! nova-snark on a step that commits to as many scalars as one of ours.

use std::time::Instant;

use halo2curves::ff::PrimeField;
use nova_snark::frontend::num::AllocatedNum;
use nova_snark::frontend::{ConstraintSystem, SynthesisError};
use nova_snark::nova::{PublicParams, RecursiveSNARK};
use nova_snark::provider::{Bn256EngineIPA, GrumpkinEngine};
use nova_snark::traits::Engine;
use nova_snark::traits::circuit::StepCircuit;
use nova_snark::traits::snark::default_ck_hint;

use crate::measure::{Kind, Peer, PeerStep, Samples};
use crate::{Error, Result};

type Primary = Bn256EngineIPA;
type Secondary = GrumpkinEngine;
type Scalar = <Primary as Engine>::Scalar;
type Snark = RecursiveSNARK<Primary, Secondary, Step>;
type Parameters = PublicParams<Primary, Secondary, Step>;

/// A step of so many constraints, each with a variable of its own.
#[derive(Clone, Copy, Debug)]
struct Step {
    size: PeerStep,
    /// Number of the step, so that no two have the same small variables.
    index: u64,
}

impl StepCircuit<Scalar> for Step {
    fn arity(&self) -> usize {
        1
    }

    /// Bits and 16-bit limbs as a trace has them, then a chain of squares, whose values are full-size.
    fn synthesize<CS: ConstraintSystem<Scalar>>(
        &self,
        cs: &mut CS,
        z: &[AllocatedNum<Scalar>],
    ) -> Result<Vec<AllocatedNum<Scalar>>, SynthesisError> {
        // SplitMix64: any fixed sequence will do.
        let mut state = self.index << 40;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        };
        let mut last: Option<AllocatedNum<Scalar>> = None;
        for i in 0..self.size.small {
            let random = next();
            match last.take() {
                None => {
                    let bit = AllocatedNum::alloc(cs.namespace(|| format!("bit {i}")), || {
                        Ok(Scalar::from(random & 1))
                    })?;
                    cs.enforce(
                        || format!("bit {i} is one"),
                        |lc| lc + bit.get_variable(),
                        |lc| lc + bit.get_variable(),
                        |lc| lc + bit.get_variable(),
                    );
                    last = Some(bit);
                }
                // A limb that the bit selects.
                Some(bit) => {
                    let factor = Scalar::from(i % 0xffff + 1);
                    let limb = AllocatedNum::alloc(cs.namespace(|| format!("limb {i}")), || {
                        bit.get_value()
                            .map(|bit| bit * factor)
                            .ok_or(SynthesisError::AssignmentMissing)
                    })?;
                    cs.enforce(
                        || format!("limb {i} is selected"),
                        |lc| lc + bit.get_variable(),
                        |lc| lc + (factor, CS::one()),
                        |lc| lc + limb.get_variable(),
                    );
                }
            }
        }
        let mut value = z[0].clone();
        for i in 0..self.size.full {
            value = value.square(cs.namespace(|| format!("square {i}")))?;
        }
        Ok(vec![value])
    }
}

/// Proves `steps` steps, at least two, with nova-snark, BN254 and Grumpkin with Pedersen commitments, and verifies the proof from its bytes.
///
/// The first step, which folds nothing, is not among the times.
///
/// # Errors
/// [`Error::Differs`] if the proof is rejected, or accepted for another number of steps.
/// [`Error::Usage`] for fewer than two steps.
pub fn measure(log_rows: u32, size: PeerStep, steps: usize) -> Result<Peer> {
    let refused =
        |error: nova_snark::errors::NovaError| Error::Differs(format!("nova-snark: {error}"));
    let step = |index| Step { size, index };
    let start = Instant::now();
    let parameters =
        Parameters::setup(&step(0), &*default_ck_hint(), &*default_ck_hint()).map_err(refused)?;
    let setup_seconds = start.elapsed().as_secs_f64();
    let (primary, secondary) = parameters.num_constraints();
    let (primary_variables, _) = parameters.num_variables();
    let input = [Scalar::from(3)];
    let mut snark = Snark::new(&parameters, &step(0), &input).map_err(refused)?;
    let mut prove_seconds = Vec::new();
    for index in 0..steps {
        let start = Instant::now();
        snark
            .prove_step(&parameters, &step(index as u64))
            .map_err(refused)?;
        if index > 0 {
            prove_seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let broken = |error: postcard::Error| Error::Differs(format!("nova-snark's proof: {error}"));
    let bytes = postcard::to_stdvec(&snark).map_err(broken)?;
    let start = Instant::now();
    let decoded: Snark = postcard::from_bytes(&bytes).map_err(broken)?;
    let output = decoded
        .verify(&parameters, steps, &input)
        .map_err(refused)?;
    let verify_seconds = start.elapsed().as_secs_f64();
    // Squaring is a permutation of exponents: the output is the input to the power 2^(full·steps).
    let squarings = (size.full * steps as u64) as usize;
    let expected = (0..squarings).fold(input[0], |value, _| value.square());
    if output != [expected] || decoded.verify(&parameters, steps + 1, &input).is_ok() {
        return Err(Error::Differs("nova-snark accepts what it must not".into()));
    }
    let prove = Samples::new(prove_seconds).ok_or_else(|| {
        Error::Usage("nova-snark's first step folds nothing; give two or more".into())
    })?;
    let own = size.small + size.full;
    Ok(Peer {
        name: "nova-snark 0.76".into(),
        kind: Kind::Measured,
        curve: format!("BN254/Grumpkin, scalars of {} bits", Scalar::NUM_BITS),
        log_rows,
        step: size,
        primary_constraints: primary as u64,
        primary_variables: primary_variables as u64,
        secondary_constraints: secondary as u64,
        verifier_constraints: (primary as u64).saturating_sub(own),
        setup_seconds,
        prove,
        verify_seconds,
        bytes: bytes.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_as_many_constraints_as_asked() {
        let size = PeerStep {
            small: 70,
            full: 30,
        };
        let peer = measure(4, size, 2).unwrap();
        // Published: 9,986 for the circuit around an empty step.
        assert!(
            (9_000..11_000).contains(&peer.verifier_constraints),
            "{peer:?}"
        );
        assert_eq!(peer.primary_constraints, peer.verifier_constraints + 100);
        assert_eq!(peer.prove.samples.len(), 1);
        let more = measure(4, PeerStep { small: 170, ..size }, 2).unwrap();
        assert_eq!(more.verifier_constraints, peer.verifier_constraints);
        assert!(more.bytes > peer.bytes);
    }
}
