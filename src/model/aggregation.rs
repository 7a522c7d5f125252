//! What an aggregation tree moves: the note's ledger with other sizes, and which sizes folding can reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Kind;

/// Bytes of a scalar or of a compressed point on the wire.
pub const SCALAR_BYTES: u64 = 32;

/// A binary tree that joins two objects into one until one is left.
///
/// A level with an odd number of objects carries one over to the next, unjoined and unsent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Objects at the start.
    pub leaves: u64,
    /// Joins on each level, from the leaves up.
    pub joins: Vec<u64>,
    /// Numbers of objects, from the leaves up, of which one was carried over.
    pub odd: Vec<u64>,
}

impl Tree {
    /// The tree over so many leaves; no level if there is at most one.
    pub fn new(leaves: u64) -> Self {
        let (mut joins, mut odd) = (Vec::new(), Vec::new());
        let mut objects = leaves;
        while objects > 1 {
            if objects % 2 == 1 {
                odd.push(objects);
            }
            joins.push(objects / 2);
            objects = objects.div_ceil(2);
        }
        Self { leaves, joins, odd }
    }

    /// Joins on all levels.
    pub fn num_joins(&self) -> u64 {
        self.joins.iter().sum()
    }

    /// Transfers if both objects of a join are sent to a machine that has neither: two a join.
    pub fn num_sent(&self) -> u64 {
        2 * self.num_joins()
    }

    /// Transfers if the joined object is returned to whoever assigns the work: one a join.
    pub fn num_returned(&self) -> u64 {
        self.num_joins()
    }

    /// Bytes moved if every object has `bytes` bytes, as the note counts: two sent and one returned a join.
    pub fn bytes(&self, bytes: f64) -> f64 {
        (self.num_sent() + self.num_returned()) as f64 * bytes
    }

    /// Bytes moved if one of the two machines that hold an object joins them: one transfer a join.
    pub fn bytes_in_place(&self, bytes: f64) -> f64 {
        self.num_joins() as f64 * bytes
    }
}

/// A circuit that verifies a fold inside the next step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifierCircuit {
    /// What it is a circuit of.
    pub name: String,
    /// `declared` if published elsewhere, `measured` if counted in this run.
    pub kind: Kind,
    /// Constraints on the curve that the step is on: what a step pays.
    pub primary: u64,
    /// Constraints on the other curve of the cycle, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secondary: Option<u64>,
    /// Where the number comes from.
    pub source: String,
}

/// Verifier circuits whose sizes were published or counted from published code.
pub fn published_circuits() -> Vec<VerifierCircuit> {
    const CIRCUITS: [(&str, u64, Option<u64>, &str); 8] = [
        (
            "NeutronNova",
            7_327,
            None,
            "experimental code of nova-snark, curve checks as hints",
        ),
        (
            "Nova, BN254/Grumpkin",
            9_986,
            Some(10_538),
            "nova-snark 0.76",
        ),
        ("SuperNova, BN254/Grumpkin", 10_004, Some(10_573), "arecibo"),
        ("Nova with CycleFold, arecibo", 33_856, None, "arecibo"),
        (
            "Nova with CycleFold, sonobe, least",
            86_756,
            Some(1_354),
            "sonobe",
        ),
        (
            "Nova with CycleFold, sonobe, most",
            138_240,
            Some(1_354),
            "sonobe",
        ),
        ("Nexus, incremental", 120_000, None, "Nexus zkVM, about"),
        ("Nexus, tree", 340_000, None, "Nexus zkVM, about"),
    ];
    CIRCUITS
        .into_iter()
        .map(|(name, primary, secondary, source)| VerifierCircuit {
            name: name.to_owned(),
            kind: Kind::Declared,
            primary,
            secondary,
            source: source.to_owned(),
        })
        .collect()
}

/// Bytes of a folded witness of nothing but a circuit of [`published_circuits`], where they were published.
///
/// NeutronNova's has no error vector, so it has half of what a relaxed R1CS takes.
pub fn published_folded_bytes(circuit: &str) -> Option<u64> {
    match circuit {
        "NeutronNova" => Some(268_368),
        "Nova, BN254/Grumpkin" => Some(638_928),
        _ => None,
    }
}

/// What a relaxed instance commits to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSize {
    /// Scalars of the witness.
    pub witness: u64,
    /// Scalars of the error vector: quadratic constraints.
    pub error: u64,
}

impl StepSize {
    /// A verifier circuit's own share, with a variable for each constraint, which is what nova-snark's circuits have within 2 %.
    pub fn of_circuit(constraints: u64) -> Self {
        Self {
            witness: constraints,
            error: constraints,
        }
    }

    /// Scalars of both.
    pub fn scalars(&self) -> u64 {
        self.witness + self.error
    }

    /// Bytes of both once folded, when no scalar is small any more.
    pub fn folded_bytes(&self) -> u64 {
        SCALAR_BYTES * self.scalars()
    }

    /// The share of a step's scalars, hence of its bytes and of its commitments, that a verifier circuit takes: from 0 to 1.
    pub fn verifier_share(&self, constraints: u64) -> f64 {
        let verifier = Self::of_circuit(constraints).scalars() as f64;
        verifier / (verifier + self.scalars() as f64)
    }
}

/// Least bytes of a folded step in which a verifier circuit takes at most `share`, above 0 and at most 1.
pub fn bytes_at_share(constraints: u64, share: f64) -> f64 {
    StepSize::of_circuit(constraints).folded_bytes() as f64 / share
}

/// Constraints that a folded object of `bytes` bytes has room for, at 64 bytes each: a scalar of W and one of E.
pub fn constraints_within(bytes: u64) -> u64 {
    bytes / (2 * SCALAR_BYTES)
}

/// Another way to hand a folded step on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// What is done.
    pub name: String,
    /// Modelled, or declared where the size was published.
    pub kind: Kind,
    /// Bytes on the wire.
    pub bytes: f64,
    /// How they are computed.
    pub formula: String,
    /// What it costs instead.
    pub cost: String,
}

/// What the alternatives are computed from.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Folded {
    /// Scalars of the accumulators of a segment.
    pub size: StepSize,
    /// Bytes of the accumulators' instances.
    pub instance_bytes: u64,
    /// Bytes of all chunks' instances and cross terms' commitments: what whoever verifies replays.
    pub history_bytes: u64,
    /// Bytes of the shipment that the witness was regenerated from.
    pub shipment_bytes: u64,
}

/// Ways to hand on what was folded, the plain one first.
pub fn alternatives(folded: &Folded) -> Vec<Alternative> {
    let Folded {
        size,
        instance_bytes,
        history_bytes,
        shipment_bytes,
    } = *folded;
    let row = |name: &str, kind, bytes: f64, formula: &str, cost: &str| Alternative {
        name: name.to_owned(),
        kind,
        bytes,
        formula: formula.to_owned(),
        cost: cost.to_owned(),
    };
    let nova = 9_986;
    vec![
        row(
            "the accumulators as they are",
            Kind::Modelled,
            (instance_bytes + size.folded_bytes()) as f64,
            "instance + 32 B a scalar of W and E",
            "nothing",
        ),
        row(
            "commitments and challenges, W and E regenerated",
            Kind::Modelled,
            (shipment_bytes + history_bytes) as f64,
            "minimal trace + every chunk's instance and commitment to T",
            "the receiver regenerates and folds again all but the commitments",
        ),
        row(
            "NeutronNova's folding, 32 B a constraint",
            Kind::Modelled,
            (instance_bytes + SCALAR_BYTES * size.witness) as f64,
            "instance + 32 B a scalar of W; no E",
            "a sum-check a fold; verifier circuit of 7,327 constraints (published)",
        ),
        row(
            "compressed by Spartan",
            Kind::Declared,
            12_648.0,
            "published: nova-snark 0.76, a step of 1,038,590 constraints",
            "3.9–4.7 s (published); it cannot be folded further",
        ),
        row(
            "a step in which Nova's verifier takes 10 %",
            Kind::Modelled,
            bytes_at_share(nova, 0.1),
            "9,986 constraints · 64 B / 0.1",
            "one fold for every 89,874 constraints of the step",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note's tree: 1000 leaves, 250 kB each.
    #[test]
    fn the_notes_ledger() {
        let tree = Tree::new(1000);
        assert_eq!((tree.num_sent(), tree.num_returned()), (1998, 999));
        assert_eq!(tree.joins, [500, 250, 125, 62, 31, 16, 8, 4, 2, 1]);
        assert_eq!(tree.odd, [125, 63]);
        assert_eq!(tree.bytes(250e3), 749.25e6);
        assert_eq!(tree.bytes_in_place(250e3), 249.75e6);
    }

    #[test]
    fn trees_of_any_size() {
        for (leaves, levels) in [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (5, 3),
            (1 << 40, 40),
        ] {
            let tree = Tree::new(leaves);
            assert_eq!(tree.joins.len(), levels, "{leaves}");
            assert_eq!(tree.num_joins(), u64::max(leaves, 1) - 1, "{leaves}");
        }
        for leaves in 2..300u64 {
            let tree = Tree::new(leaves);
            assert_eq!(tree.joins.len() as u32, (leaves - 1).ilog2() + 1);
            assert_eq!(tree.num_joins(), leaves - 1);
        }
    }

    /// Nova's own circuit alone: W and E of 638,928 bytes were measured for 9,986 constraints.
    #[test]
    fn a_verifier_circuit_has_64_bytes_a_constraint() {
        let size = StepSize::of_circuit(9_986);
        let published = 638_928.0;
        let modelled = size.folded_bytes() as f64;
        assert!((modelled / published - 1.0).abs() < 0.001, "{modelled}");
        assert_eq!(size.verifier_share(9_986), 0.5);
    }

    #[test]
    fn sizes_at_a_share() {
        let bytes = bytes_at_share(10_000, 0.1);
        assert_eq!(bytes, 6.4e6);
        // The rest of such a step has nine times the circuit's scalars.
        let step = StepSize {
            witness: 90_000,
            error: 90_000,
        };
        assert!((step.verifier_share(10_000) - 0.1).abs() < 1e-12);
        assert_eq!(constraints_within(250_000), 3_906);
        let least = published_circuits().iter().map(|c| c.primary).min();
        assert!(least > Some(constraints_within(250_000)));
    }

    #[test]
    fn alternatives_say_where_they_come_from() {
        let folded = Folded {
            size: StepSize {
                witness: 300,
                error: 200,
            },
            instance_bytes: 168,
            history_bytes: 2_000,
            shipment_bytes: 1_000,
        };
        let rows = alternatives(&folded);
        assert_eq!(rows[0].bytes, 168.0 + 500.0 * 32.0);
        assert_eq!(rows[1].bytes, 3_000.0);
        assert_eq!(rows[2].bytes, 168.0 + 300.0 * 32.0);
        for row in &rows {
            let published = row.formula.contains("published");
            assert_eq!(row.kind == Kind::Declared, published, "{}", row.name);
        }
    }
}
