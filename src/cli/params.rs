//! Parameters of proofs on the command line.

use clap::Args;
use rewit::stark::search::{Limits, smallest};
use rewit::stark::{Grinding, Params, Shape, size};
use rewit::{Error, Result};

/// Parameters of a proof. Those not given are chosen so that proofs are smallest at the security asked
/// for, if none is given.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Proof parameters")]
pub(crate) struct ParamArgs {
    /// Provable bits of security to choose parameters for.
    #[arg(long, value_name = "BITS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=128))]
    security: u32,
    /// Largest base-2 logarithm of the blowup to choose; each step doubles time and memory [default:
    /// 2 for `rewit prove`, 1 for `rewit run`].
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u8).range(1..=5))]
    max_log_blowup: Option<u8>,
    /// Base-2 logarithm of the blowup.
    #[arg(long, value_name = "B")]
    log_blowup: Option<u8>,
    /// Number of queries.
    #[arg(long, value_name = "N")]
    queries: Option<u16>,
    /// Base-2 logarithm of the folding arity.
    #[arg(long, value_name = "A")]
    log_arity: Option<u8>,
    /// Base-2 logarithm of the final polynomial's length.
    #[arg(long, value_name = "F")]
    log_final_len: Option<u8>,
    /// Base-2 logarithm of the digests in a commitment.
    #[arg(long, value_name = "C")]
    cap_height: Option<u8>,
    /// Degree of the challenge field, 4 or 5.
    #[arg(long, value_name = "D")]
    extension: Option<u8>,
    /// Bits of proof of work before: lookup challenges, out-of-domain point, batching, each folding,
    /// queries.
    #[arg(long, value_name = "L,O,B,C,Q", value_delimiter = ',', num_args = 1)]
    grinding: Option<Vec<u8>>,
}

impl ParamArgs {
    /// Provable bits of security to choose parameters for.
    pub(crate) fn asked(&self) -> f64 {
        self.security.into()
    }

    /// The parameters for proofs of `shape`.
    ///
    /// - `max_log_blowup`: the default of the flag.
    pub(crate) fn choose(&self, shape: &Shape, max_log_blowup: u8) -> Result<Params> {
        let limits = Limits {
            max_log_blowup: self
                .log_blowup
                .or(self.max_log_blowup)
                .unwrap_or(max_log_blowup),
            ..Limits::default()
        };
        let bits = f64::from(self.security);
        let size = |params: &Params| size::batch(shape, params).total();
        let extensions = self
            .extension
            .map_or(vec![4, 5], |extension| vec![extension]);
        let found = extensions
            .into_iter()
            .filter_map(|extension| {
                smallest(
                    shape,
                    bits,
                    &Limits {
                        extension,
                        ..limits
                    },
                )
            })
            .min_by(|a, b| size(a).total_cmp(&size(b)));
        let chosen = found.ok_or_else(|| {
            Error::Usage(format!(
                "no parameters give {bits} provable bits within --max-log-blowup {}; raise it, or \
                 lower --security",
                limits.max_log_blowup
            ))
        })?;
        let grinding = match self.grinding.as_deref() {
            None => chosen.grinding,
            Some(&[lookup, out_of_domain, batch, commit, query]) => Grinding {
                lookup,
                out_of_domain,
                batch,
                commit,
                query,
            },
            Some(other) => {
                return Err(Error::Usage(format!(
                    "--grinding has {} numbers; give five, separated by commas",
                    other.len()
                )));
            }
        };
        let params = Params {
            log_blowup: self.log_blowup.unwrap_or(chosen.log_blowup),
            num_queries: self.queries.unwrap_or(chosen.num_queries),
            log_arity: self.log_arity.unwrap_or(chosen.log_arity),
            log_final_len: self.log_final_len.unwrap_or(chosen.log_final_len),
            cap_height: self.cap_height.unwrap_or(chosen.cap_height),
            extension: self.extension.unwrap_or(chosen.extension),
            grinding,
        };
        params.check()?;
        Ok(params)
    }
}
