//! Proofs made with parameters other than the ones they claim are refused.

mod common;
mod proofs;

use proofs::{CHEAP, Run, guest, input, opening, same_variant, tables, third_party};
use rewit::stark::proof::Argument;
use rewit::stark::{Grinding, Params, Prover, SegmentProof, Statement, VerifyError};

/// A proof made with weak parameters and sold as one with strong ones: relabelled, and made in the
/// transcript that the strong ones start.
#[test]
fn weak_proofs_sold_as_strong_are_refused() {
    let run = Run::new(guest(), input(), 8);
    let tables = tables(&run.witnesses[0], &Statement::new(0, &run.witnesses[0]));
    let ground = Grinding {
        lookup: 12,
        out_of_domain: 12,
        batch: 12,
        commit: 12,
        query: 12,
    };
    let ground = |change: fn(&mut Grinding, Grinding)| {
        let mut params = CHEAP;
        change(&mut params.grinding, ground);
        params
    };
    let grinding = || VerifyError::Grinding(String::new());
    let cases = [
        (
            Params {
                num_queries: 4,
                ..CHEAP
            },
            opening(),
        ),
        (
            Params {
                log_arity: 2,
                ..CHEAP
            },
            opening(),
        ),
        (
            Params {
                log_final_len: 2,
                ..CHEAP
            },
            opening(),
        ),
        (
            Params {
                log_blowup: 2,
                ..CHEAP
            },
            opening(),
        ),
        (
            Params {
                cap_height: 1,
                ..CHEAP
            },
            opening(),
        ),
        (ground(|g, all| g.lookup = all.lookup), grinding()),
        (
            ground(|g, all| g.out_of_domain = all.out_of_domain),
            grinding(),
        ),
        (ground(|g, all| g.batch = all.batch), grinding()),
        (ground(|g, all| g.commit = all.commit), grinding()),
        (ground(|g, all| g.query = all.query), grinding()),
    ];
    for (strong, expected) in cases {
        let prover = Prover::new(&run.program, strong).unwrap();
        let program = prover.key().digest(&strong);
        let statement = Statement::new(0, &run.witnesses[0]);
        let seed = statement.seed(&strong, prover.key());
        let weak = third_party::prove(&run.program, &CHEAP, seed, &tables, &statement.public);
        let forged = SegmentProof {
            params: strong,
            key: prover.key().clone(),
            statement,
            argument: Argument::Quartic(Box::new(weak)),
        };
        let error = forged.verify(&strong, &program).unwrap_err();
        assert!(same_variant(&error, &expected), "{strong:?}: {error:?}");
        // Relabelled only.
        let mut weak = Prover::new(&run.program, CHEAP)
            .unwrap()
            .prove(0, run.witnesses[0].clone())
            .unwrap();
        weak.params = strong;
        let error = weak.verify(&strong, &program).unwrap_err();
        let key = strong.log_blowup != CHEAP.log_blowup || strong.cap_height != CHEAP.cap_height;
        assert_eq!(
            matches!(error, VerifyError::Program { .. }),
            key,
            "{strong:?}: {error:?}"
        );
    }
    // The other challenge field, in either direction.
    let quintic = Params {
        extension: 5,
        ..CHEAP
    };
    for (made, sold) in [(CHEAP, quintic), (quintic, CHEAP)] {
        let prover = Prover::new(&run.program, made).unwrap();
        let program = prover.key().digest(&sold);
        let mut proof = prover.prove(0, run.witnesses[0].clone()).unwrap();
        proof.params = sold;
        let error = proof.verify(&sold, &program).unwrap_err();
        assert!(
            matches!(error, VerifyError::Extension { found, expected }
                if found == made.extension && expected == sold.extension),
            "{error:?}"
        );
    }
}
