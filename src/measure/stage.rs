//! Stages, their samples, and what is said of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ship::{Compression, Encoding};

/// Where a number comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Measured in this run.
    Measured,
    /// Computed from measured or declared numbers.
    Modelled,
    /// Given by the user or taken from a source.
    Declared,
}

/// What a sample counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Wall-clock time.
    Seconds,
    /// Bytes on the wire.
    Bytes,
}

/// A boundary within which something is measured; `docs/method.md` says what is inside.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The whole guest, nothing recorded.
    Execute,
    /// The whole guest, recording what each segment reads.
    ExecuteRecordReads,
    /// The whole guest, recording what each segment reads and the pages it touches.
    ExecuteRecordAll,
    /// A shipment to bytes.
    Encode,
    /// Bytes to a shipment.
    Decode,
    /// A shipment to a witness.
    Regenerate,
    /// Length of a shipment.
    Size,
    /// A witness to a proof.
    Prove,
    /// The bytes of a proof to a verdict.
    Verify,
    /// Length of a proof.
    ProofSize,
    /// A chunk of rows folded into an accumulator, in parts.
    Fold,
}

impl Stage {
    /// Its name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Execute => "execute",
            Self::ExecuteRecordReads => "execute-record-reads",
            Self::ExecuteRecordAll => "execute-record-all",
            Self::Encode => "encode",
            Self::Decode => "decode",
            Self::Regenerate => "regenerate",
            Self::Size => "size",
            Self::Prove => "prove",
            Self::Verify => "verify",
            Self::ProofSize => "proof-size",
            Self::Fold => "fold",
        }
    }

    /// The unit of its samples.
    pub fn unit(self) -> Unit {
        match self {
            Self::Size | Self::ProofSize => Unit::Bytes,
            _ => Unit::Seconds,
        }
    }
}

/// What was measured and with which parameters: two rows with the same key can be compared.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The boundary.
    pub stage: Stage,
    /// A part of the stage, such as `replay` or `fill`; the whole stage without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Name of the encoding, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Name of the compression, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// The backend, where there is a choice: `cpu` or `cuda`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

impl Key {
    /// A stage of the whole run.
    pub fn of_run(stage: Stage) -> Self {
        Self {
            stage,
            part: None,
            encoding: None,
            compression: None,
            backend: None,
        }
    }

    /// A stage of a shipment in its compressed form.
    pub fn of_bytes(stage: Stage, encoding: Encoding, compression: Compression) -> Self {
        Self {
            encoding: Some(encoding.name().to_owned()),
            compression: Some(compression.name().to_owned()),
            ..Self::of_run(stage)
        }
    }

    /// A stage of a proof, or a part of it.
    pub fn proof(stage: Stage, part: Option<&str>) -> Self {
        Self {
            part: part.map(str::to_owned),
            ..Self::of_run(stage)
        }
    }

    /// Proving on a backend, or a part of it.
    pub fn prove(backend: &str, part: Option<&str>) -> Self {
        Self {
            backend: Some(backend.to_owned()),
            ..Self::proof(Stage::Prove, part)
        }
    }

    /// A part of folding a chunk on a backend: `commit`, `cross-term` or `rest`.
    pub fn fold(backend: &str, part: &str) -> Self {
        Self {
            backend: Some(backend.to_owned()),
            ..Self::proof(Stage::Fold, Some(part))
        }
    }

    /// Regeneration from an encoding on a backend, or a part of it.
    pub fn regenerate(encoding: Encoding, backend: &str, part: Option<&str>) -> Self {
        Self {
            part: part.map(str::to_owned),
            encoding: Some(encoding.name().to_owned()),
            backend: Some(backend.to_owned()),
            ..Self::of_run(Stage::Regenerate)
        }
    }
}

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Number of the segment it is of; none for the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// The value, in the row's unit.
    pub value: f64,
}

/// An interval that holds the median of the distribution the samples come from.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lower end, a sample.
    pub low: f64,
    /// Upper end, a sample.
    pub high: f64,
    /// Probability that such an interval holds the median, at least 0.95 where there are six
    /// samples or more.
    pub confidence: f64,
}

/// What the samples say together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Middle sample, or the mean of the two middle ones.
    pub median: f64,
    /// Least sample.
    pub min: f64,
    /// Greatest sample.
    pub max: f64,
    /// Mean of all samples.
    pub mean: f64,
    /// Interval of the median; none for a single sample.
    pub interval: Option<Interval>,
}

impl Summary {
    /// Summarizes samples; `None` if there are none.
    ///
    /// The interval is the narrowest pair of order statistics, symmetric in rank, that holds the
    /// median with probability 0.95 or more whatever the distribution: the k-th sample from below
    /// and from above do with 1 − 2·P(Bin(n, ½) < k). Below six samples no pair does; it is then
    /// the range of the samples, and `confidence` is lower.
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&min, &max) = (sorted.first()?, sorted.last()?);
        let n = sorted.len();
        let median = f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]);
        let mean = (sorted.iter().sum::<f64>() / n as f64).clamp(min, max);
        Some(Self {
            median,
            min,
            max,
            mean,
            interval: interval(&sorted),
        })
    }
}

/// See [`Summary::of`].
fn interval(sorted: &[f64]) -> Option<Interval> {
    let n = sorted.len();
    if n < 2 {
        return None;
    }
    // `tail` is P(Bin(n, 1/2) < k); terms by recurrence in logarithms, so that none underflows.
    let half_to_n = -(n as f64) * std::f64::consts::LN_2;
    let (mut log_binomial, mut tail) = (0.0, half_to_n.exp());
    let mut best = (1, 1.0 - 2.0 * tail);
    for k in 2..=n / 2 {
        log_binomial += ((n - k + 2) as f64 / (k - 1) as f64).ln();
        tail += (log_binomial + half_to_n).exp();
        let confidence = 1.0 - 2.0 * tail;
        if confidence < 0.95 {
            break;
        }
        best = (k, confidence);
    }
    let (k, confidence) = best;
    Some(Interval {
        low: sorted[k - 1],
        high: sorted[n - k],
        confidence,
    })
}

/// All samples of one stage with one set of parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// What was measured.
    #[serde(flatten)]
    pub key: Key,
    /// Where the samples come from.
    pub kind: Kind,
    /// Unit of the samples.
    pub unit: Unit,
    /// All samples, in the order they were taken.
    pub samples: Vec<Sample>,
    /// What they say together.
    pub summary: Summary,
}

/// Rows in the order in which their first samples were taken.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rows(Vec<(Key, Vec<Sample>)>);

impl Rows {
    /// Adds a measured sample to the row with this key.
    ///
    /// # Panics
    /// If `value` is negative or not finite.
    pub fn add(&mut self, key: Key, segment: Option<u32>, value: f64) {
        assert!(
            value.is_finite() && value >= 0.0,
            "a measurement is not negative"
        );
        let sample = Sample { segment, value };
        match self.0.iter_mut().find(|(other, _)| *other == key) {
            Some((_, samples)) => samples.push(sample),
            None => self.0.push((key, vec![sample])),
        }
    }

    /// The rows, summarized; cost: sorting all samples.
    pub fn to_vec(&self) -> Vec<Row> {
        let row = |(key, samples): &(Key, Vec<Sample>)| Row {
            key: key.clone(),
            kind: Kind::Measured,
            unit: key.stage.unit(),
            samples: samples.clone(),
            summary: summary_of(samples).expect("a row has a sample"),
        };
        self.0.iter().map(row).collect()
    }
}

impl Row {
    /// The summary of its samples as they are, `None` without samples.
    pub fn recompute(&self) -> Option<Summary> {
        summary_of(&self.samples)
    }
}

fn summary_of(samples: &[Sample]) -> Option<Summary> {
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).collect();
    Summary::of(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[2.0]).unwrap();
        assert_eq!(
            (one.median, one.min, one.max, one.interval),
            (2.0, 2.0, 2.0, None)
        );
        let four = Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(
            (four.median, four.min, four.max, four.mean),
            (2.5, 1.0, 4.0, 2.5)
        );
        let all_four = Interval {
            low: 1.0,
            high: 4.0,
            confidence: 0.875,
        };
        assert_eq!(four.interval, Some(all_four));
    }

    /// Ranks from the usual table of the sign test.
    #[test]
    fn intervals_of_the_median() {
        for (n, k, confidence) in [
            (2, 1, 0.5),
            (3, 1, 0.75),
            (5, 1, 0.9375),
            (6, 1, 0.968_75),
            (8, 1, 0.992_19),
            (9, 2, 0.960_94),
            (20, 6, 0.958_61),
            (100, 40, 0.964_8),
        ] {
            let samples: Vec<f64> = (1..=n).map(f64::from).collect();
            let found = Summary::of(&samples).unwrap().interval.unwrap();
            assert_eq!(
                (found.low, found.high),
                (f64::from(k), f64::from(n + 1 - k)),
                "{n}"
            );
            assert!(
                (found.confidence - confidence).abs() < 1e-4,
                "{n}: {found:?}"
            );
        }
        let many = vec![1.0; 5000];
        assert!(Summary::of(&many).unwrap().interval.unwrap().confidence >= 0.95);
    }
}
