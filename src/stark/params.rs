//! Parameters of a proof: FRI, grinding, and the field that challenges are drawn from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::witness::layout::MIN_ROWS;
use crate::{Error, Result};

/// Proof-of-work bits at each place where a prover could otherwise retry a challenge for free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grinding {
    /// Before the two challenges of the lookup argument.
    pub lookup: u8,
    /// Before the out-of-domain point.
    pub out_of_domain: u8,
    /// Before the challenge that batches all openings into one polynomial.
    pub batch: u8,
    /// Before each folding challenge of FRI.
    pub commit: u8,
    /// Before the query positions.
    pub query: u8,
}

impl Grinding {
    /// None anywhere.
    pub const NONE: Self = Self {
        lookup: 0,
        out_of_domain: 0,
        batch: 0,
        commit: 0,
        query: 0,
    };
}

/// Parameters of a proof, all of which the verifier must be told: a proof that carries others than
/// were asked for is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Base-2 logarithm of the inverse rate; at least 1, since quotients have two chunks.
    pub log_blowup: u8,
    /// Number of query positions.
    pub num_queries: u16,
    /// Base-2 logarithm of the largest folding arity.
    pub log_arity: u8,
    /// Base-2 logarithm of the number of coefficients of the final polynomial.
    pub log_final_len: u8,
    /// Base-2 logarithm of the number of digests in a commitment.
    pub cap_height: u8,
    /// Degree of the challenge field over BabyBear: 4 or 5.
    pub extension: u8,
    /// Proof-of-work bits.
    pub grinding: Grinding,
}

/// Largest base-2 logarithm of the final polynomial's length: every table is longer.
pub const MAX_LOG_FINAL_LEN: u8 = MIN_ROWS.ilog2() as u8 - 1;

/// Most bits that may be ground at one place. A nonce is a field element, of which there are fewer
/// than 2^31: with 26 bits none of them fits once in 10^12 tries, with 30 once in seven.
pub const MAX_GRINDING: u8 = 26;

impl Params {
    /// Size in bytes of [`to_bytes`](Self::to_bytes).
    pub const BYTES: usize = 12;

    /// All parameters in order, numbers little-endian.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let Self {
            log_blowup,
            num_queries,
            log_arity,
            log_final_len,
            cap_height,
            extension,
            grinding:
                Grinding {
                    lookup,
                    out_of_domain,
                    batch,
                    commit,
                    query,
                },
        } = *self;
        let [q0, q1] = num_queries.to_le_bytes();
        [
            log_blowup,
            q0,
            q1,
            log_arity,
            log_final_len,
            cap_height,
            extension,
            lookup,
            out_of_domain,
            batch,
            commit,
            query,
        ]
    }

    /// The inverse of [`to_bytes`](Self::to_bytes); values are not checked.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [
            log_blowup,
            q0,
            q1,
            log_arity,
            log_final_len,
            cap_height,
            extension,
            lookup,
            out_of_domain,
            batch,
            commit,
            query,
        ] = bytes;
        Self {
            log_blowup,
            num_queries: u16::from_le_bytes([q0, q1]),
            log_arity,
            log_final_len,
            cap_height,
            extension,
            grinding: Grinding {
                lookup,
                out_of_domain,
                batch,
                commit,
                query,
            },
        }
    }

    /// Checks that a proof with these parameters can be made.
    ///
    /// # Errors
    /// [`Error::Usage`], naming the parameter and its range.
    pub fn check(&self) -> Result<()> {
        let Self {
            log_blowup,
            num_queries,
            log_arity,
            log_final_len,
            cap_height,
            extension,
            grinding,
        } = *self;
        let Grinding {
            lookup,
            out_of_domain,
            batch,
            commit,
            query,
        } = grinding;
        let ranges = [
            ("log blowup", log_blowup.into(), 1, 5),
            ("number of queries", num_queries, 1, 1000),
            ("log arity", log_arity.into(), 1, 5),
            (
                "log final length",
                log_final_len.into(),
                0,
                MAX_LOG_FINAL_LEN.into(),
            ),
            ("cap height", cap_height.into(), 0, 10),
            ("extension degree", extension.into(), 4, 5),
            ("lookup grinding", lookup.into(), 0, MAX_GRINDING.into()),
            (
                "out-of-domain grinding",
                out_of_domain.into(),
                0,
                MAX_GRINDING.into(),
            ),
            ("batch grinding", batch.into(), 0, MAX_GRINDING.into()),
            ("commit grinding", commit.into(), 0, MAX_GRINDING.into()),
            ("query grinding", query.into(), 0, MAX_GRINDING.into()),
        ];
        for (name, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                return Err(Error::Usage(format!(
                    "{name} {value} of a proof is not between {least} and {most}"
                )));
            }
        }
        Ok(())
    }
}
