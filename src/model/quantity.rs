//! Numbers that say where they come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Kind;

/// A number with its provenance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// The number, in the unit that the field holding it names.
    pub value: f64,
    /// Measured, modelled or declared.
    pub kind: Kind,
    /// The samples that `value` is the median or the mean of, in the same unit; empty without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<f64>,
    /// Where it comes from, in words: a stage of a file, a formula, a flag, a publication.
    pub source: String,
}

impl Quantity {
    /// A number that was measured.
    pub fn measured(value: f64, samples: Vec<f64>, source: impl Into<String>) -> Self {
        Self {
            value,
            kind: Kind::Measured,
            samples,
            source: source.into(),
        }
    }

    /// A number given by the user or taken from a publication.
    pub fn declared(value: f64, source: impl Into<String>) -> Self {
        Self {
            value,
            kind: Kind::Declared,
            samples: Vec::new(),
            source: source.into(),
        }
    }

    /// A number computed from others.
    pub fn modelled(value: f64, source: impl Into<String>) -> Self {
        Self {
            value,
            kind: Kind::Modelled,
            samples: Vec::new(),
            source: source.into(),
        }
    }

    /// What `formula` makes of the number and of each of its samples: modelled.
    pub fn map(&self, source: impl Into<String>, formula: impl Fn(f64) -> f64) -> Self {
        Self {
            value: formula(self.value),
            kind: Kind::Modelled,
            samples: self.samples.iter().map(|&sample| formula(sample)).collect(),
            source: source.into(),
        }
    }
}
