//! Which parameters are measured: one varied at a time, and the smallest that are secure enough.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KIB, LIMITS_KIB, Measured, Row, Subject, measure};
use crate::Result;
use crate::stark::search::{Limits, smallest};
use crate::stark::{Grinding, Params, size};

/// What to measure of a subject.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProofSizeOptions")]
pub struct Options {
    /// Provable bits to search for.
    pub targets: Vec<u32>,
    /// Largest base-2 logarithm of the inverse rate that is proved with; beyond it sizes are
    /// modelled only.
    pub max_log_blowup: u8,
    /// Most proof-of-work bits at each place.
    pub max_grinding: u8,
    /// Whether to vary parameters one at a time, too.
    pub sweep: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            targets: vec![100, 128],
            max_log_blowup: 3,
            max_grinding: 20,
            sweep: true,
        }
    }
}

/// What it takes to get a proof below a size at a level.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// What is proved.
    pub subject: String,
    /// Provable bits.
    pub target_bits: u32,
    /// Largest size in KiB.
    pub limit_kib: u32,
    /// Whether there are such parameters at all, up to a blowup of 2^5.
    pub reached: bool,
    /// Those with the smallest blowup if there are any, otherwise those of the smallest proof at
    /// this level, if there is one.
    pub params: Option<Params>,
    /// Their size by the model.
    pub modelled_bytes: Option<f64>,
}

/// Everything about one subject.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Suite {
    /// Sizes.
    pub rows: Vec<Row>,
    /// What the limits take.
    pub requirements: Vec<Requirement>,
}

/// The parameters that others are compared with: those of Plonky3's benchmarks, with fewer layers.
const BASE: Params = Params {
    log_blowup: 1,
    num_queries: 100,
    log_arity: 3,
    log_final_len: 5,
    cap_height: 0,
    extension: 4,
    grinding: Grinding {
        lookup: 0,
        out_of_domain: 0,
        batch: 0,
        commit: 0,
        query: 16,
    },
};

/// Measures `subject`.
///
/// - `done`: called after every row.
///
/// # Errors
/// From [`measure`].
pub fn suite(
    subject: &dyn Subject,
    options: &Options,
    done: &mut dyn FnMut(&Row),
) -> Result<Suite> {
    let mut suite = Suite::default();
    let mut known: HashMap<Params, Measured> = HashMap::new();
    let mut add = |suite: &mut Suite, purpose: &str, params: &Params| -> Result<()> {
        let mut row = Row::fri(subject, purpose, params);
        if params.log_blowup <= options.max_log_blowup {
            let measured = match known.get(params) {
                Some(measured) => *measured,
                None => measure(subject, params)?,
            };
            known.insert(*params, measured);
            row = row.with(measured);
        } else {
            row.note = format!(
                "not proved: blowup 2^{} is above 2^{}",
                params.log_blowup, options.max_log_blowup
            );
        }
        done(&row);
        suite.rows.push(row);
        Ok(())
    };
    if options.sweep {
        for (purpose, params) in sweep(subject, options) {
            add(&mut suite, &purpose, &params)?;
        }
    }
    for &target in &options.targets {
        for extension in [4, 5] {
            let limits = limits(options, extension, options.max_log_blowup);
            let found = smallest(&subject.shape(), target.into(), &limits);
            if let Some(params) = found {
                let purpose = format!("smallest, {target} bits, degree {extension}");
                add(&mut suite, &purpose, &params)?;
            }
        }
    }
    for &target in &options.targets {
        for limit in LIMITS_KIB {
            let requirement = requirement(subject, options, target, limit);
            if let (true, Some(params)) = (requirement.reached, requirement.params) {
                let purpose = format!("{target} bits within {limit} KiB");
                add(&mut suite, &purpose, &params)?;
            }
            suite.requirements.push(requirement);
        }
    }
    Ok(suite)
}

pub(super) fn limits(options: &Options, extension: u8, max_log_blowup: u8) -> Limits {
    Limits {
        extension,
        max_log_blowup,
        max_grinding: options.max_grinding,
        ..Limits::default()
    }
}

/// The base parameters, then each parameter varied alone, as far as the subject allows.
fn sweep(subject: &dyn Subject, options: &Options) -> Vec<(String, Params)> {
    let shape = subject.shape();
    let max_log_final = shape.min_log_height().saturating_sub(1).min(8) as u8;
    let base = Params {
        log_final_len: BASE.log_final_len.min(max_log_final),
        ..BASE
    };
    let mut sweep = vec![("base".to_owned(), base)];
    let mut vary = |name: &str, values: &[u16], set: fn(&mut Params, u16)| {
        for value in values {
            let mut params = base;
            set(&mut params, *value);
            let allowed = params.log_blowup <= options.max_log_blowup
                && params.log_final_len <= max_log_final;
            if allowed && params != base {
                sweep.push((format!("{name} {value}"), params));
            }
        }
    };
    vary("log blowup", &[1, 2, 3, 4], |params, value| {
        params.log_blowup = value as u8;
    });
    vary("queries", &[25, 50, 100, 200], |params, value| {
        params.num_queries = value;
    });
    vary("log arity", &[1, 2, 3, 4, 5], |params, value| {
        params.log_arity = value as u8;
    });
    vary("log final", &[0, 3, 5, 7], |params, value| {
        params.log_final_len = value as u8;
    });
    vary("cap", &[0, 2, 4, 6], |params, value| {
        params.cap_height = value as u8;
    });
    vary("query grinding", &[0, 8, 16, 20], |params, value| {
        params.grinding.query = value as u8;
    });
    vary("extension", &[4, 5], |params, value| {
        params.extension = value as u8;
    });
    sweep
}

/// The smallest blowup that gets a proof with `target` bits below `limit` KiB, over either degree.
fn requirement(subject: &dyn Subject, options: &Options, target: u32, limit: u32) -> Requirement {
    let shape = subject.shape();
    let mut best: Option<(f64, Params)> = None;
    let mut reached = false;
    for max_log_blowup in 1..=5 {
        for extension in [4, 5] {
            let limits = limits(options, extension, max_log_blowup);
            let Some(params) = smallest(&shape, target.into(), &limits) else {
                continue;
            };
            let bytes = size::batch(&shape, &params).total();
            if best.is_none_or(|(least, _)| bytes < least) {
                best = Some((bytes, params));
            }
        }
        reached = best.is_some_and(|(bytes, _)| bytes <= f64::from(limit) * KIB);
        if reached {
            break;
        }
    }
    Requirement {
        subject: subject.name(),
        target_bits: target,
        limit_kib: limit,
        reached,
        params: best.map(|(_, params)| params),
        modelled_bytes: best.map(|(bytes, _)| bytes),
    }
}
