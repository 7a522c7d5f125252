//! What the ledger consists of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Ledger, LedgerInputs};
use crate::measure::Kind;
use crate::model::Quantity;

/// Unit of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Bits.
    Bits,
    /// Seconds.
    Seconds,
    /// Bits a second.
    BitsPerSecond,
    /// A number of things.
    Count,
    /// One by the other, from 0 to 1; shown as per cent.
    Share,
    /// One by the other.
    Ratio,
}

/// A number with its unit and provenance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it is of, where the line it stands in does not say; may be empty.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// Measured, modelled or declared.
    pub kind: Kind,
    /// A formula, a stage of a file, or a publication.
    pub source: String,
}

impl Figure {
    /// A number computed from others.
    pub fn modelled(
        name: impl Into<String>,
        value: f64,
        unit: Unit,
        source: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            kind: Kind::Modelled,
            source: source.into(),
        }
    }

    /// A number that was published or assumed.
    pub fn declared(
        name: impl Into<String>,
        value: f64,
        unit: Unit,
        source: impl Into<String>,
    ) -> Self {
        Self {
            kind: Kind::Declared,
            ..Self::modelled(name, value, unit, source)
        }
    }

    /// A number of a result file.
    pub fn quantity(name: impl Into<String>, quantity: &Quantity, unit: Unit) -> Self {
        Self {
            kind: quantity.kind,
            ..Self::modelled(name, quantity.value, unit, quantity.source.clone())
        }
    }
}

/// The part of the note that a line is from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Proving by recursion.
    Recursion,
    /// Proving by folding.
    Folding,
}

/// What checking a line found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It follows from what the note assumes.
    Right,
    /// Right but for rounding.
    Rounded,
    /// An assumption, to be replaced by what is measured.
    Assumption,
    /// The note leaves it open.
    Open,
    /// Another number follows from what the note assumes.
    Wrong,
    /// What is counted is not what is sent.
    WrongUnit,
    /// A number of bits, read as bytes.
    BitsAsBytes,
    /// The source says something else.
    Misread,
    /// 8 to 16 times as much.
    Low,
    /// The numbers say the opposite.
    False,
    /// No verifier circuit published is as small.
    NotReachable,
}

impl Verdict {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Rounded => "right, rounded",
            Self::Assumption => "an assumption",
            Self::Open => "left open",
            Self::Wrong => "wrong",
            Self::WrongUnit => "wrong unit",
            Self::BitsAsBytes => "bits read as bytes",
            Self::Misread => "misread",
            Self::Low => "8–16× low",
            Self::False => "false",
            Self::NotReachable => "not reachable with Nova",
        }
    }
}

/// A line of the note.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// A short name that does not change.
    pub id: String,
    /// Where in the note.
    pub part: Part,
    /// What it is about, in our words.
    pub what: String,
    /// The note's figure; none where it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<Figure>,
    /// What follows from the note's own assumptions by the note's own formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_written: Option<Figure>,
    /// The same formula with other inputs, where some were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_inputs: Option<Figure>,
    /// What is right.
    pub corrected: Vec<Figure>,
    /// What checking found.
    pub verdict: Verdict,
    /// Why.
    pub remark: String,
    /// From measured sizes, where a file has them.
    pub recomputed: Vec<Figure>,
}

/// The ledger of one choice of what is sent and joined.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What is sent and joined.
    pub name: String,
    /// Where the size of what is sent comes from; the rest is arithmetic.
    pub shipment: Kind,
    /// Where the size of what is joined comes from.
    pub joined: Kind,
    /// Its inputs.
    pub inputs: LedgerInputs,
    /// What follows: modelled.
    pub ledger: Ledger,
}

/// A cost that the note does not count, or a question it asks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// A short name that does not change.
    pub id: String,
    /// The cost, or the question.
    pub what: String,
    /// The answer in a few words, where the figures give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The figures; without any it is not counted.
    pub figures: Vec<Figure>,
    /// How the figures are meant.
    pub remark: String,
    /// The command that measures more of it, where nothing of it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
}

/// The note, checked.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// Inputs of the ledger as written.
    pub written: LedgerInputs,
    /// Inputs asked for instead, where any were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<LedgerInputs>,
    /// Line by line.
    pub lines: Vec<Line>,
    /// Totals by transfer, link and machine.
    pub scenarios: Vec<Scenario>,
    /// Not in the note, and needed.
    pub needed: Vec<Item>,
    /// Bandwidths below which regenerating a witness is faster than shipping it.
    pub break_even: Vec<Figure>,
    /// The note's questions.
    pub questions: Vec<Item>,
}
