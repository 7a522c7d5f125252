//! What the note does not count, and a cluster needs.

use super::lines::{GROTH16_BYTES, NOTE};
use super::recomputed::{Evidence, encoding_name, image, least};
use super::types::{Figure, Item, Unit};
use super::{Ledger, LedgerInputs, ledger, seconds_on_link};
use crate::model::{Costs, GIGABIT, Quantity, SCALAR_BYTES};
use crate::ship::{Compression, Encoding};

/// Links that egress is computed for, in gigabits a second.
const LINKS: [f64; 3] = [1.0, 10.0, 100.0];
/// A latency to compute with, in seconds: about that between machines of one region.
const LATENCY_SECONDS: f64 = 1e-3;
/// A share of lost tasks to compute with.
const LOST: f64 = 0.01;
/// Seconds of a join of two STARKs, measured on two cores: least and most.
pub(super) const JOIN_SECONDS: [f64; 2] = [1.1, 1.9];
/// Bytes of a joined proof: least and most.
pub(super) const JOINED_BYTES: [f64; 2] = [451e3, 496e3];
/// Where the numbers of joins come from.
const RECURSION: &str = "published: p3-recursion, 2 to 1, two cores";

/// All of them.
pub(super) fn needed(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Vec<Item> {
    vec![
        executor(evidence, asked),
        egress(evidence, asked),
        latency(evidence, asked),
        compression(evidence),
        deduplication(evidence),
        metadata(evidence),
        lift(asked),
        retries(asked),
        memory(evidence),
        security(evidence, asked),
        inputs(evidence, asked),
        joins(asked),
        merges(evidence, asked),
        decider(),
    ]
}

fn item(id: &str, what: &str, figures: Vec<Figure>, remark: &str) -> Item {
    Item {
        id: id.to_owned(),
        what: what.to_owned(),
        answer: None,
        figures,
        remark: remark.to_owned(),
        measure: None,
    }
}

/// A figure of every run.
fn of_costs<'a>(
    evidence: &'a Evidence<'_>,
    figures: impl Fn(String, &'a Costs) -> Vec<Figure>,
) -> Vec<Figure> {
    let costs = evidence.costs.iter();
    costs
        .flat_map(|costs| figures(evidence.label(costs), costs))
        .collect()
}

fn executor(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let seconds = |name: String, hz: &Quantity| {
        let source = format!("cycles / rate: {}", hz.source);
        Figure::modelled(name, asked.cycles / hz.value, Unit::Seconds, source)
    };
    let published = |name: &str, megahertz: f64, source: &str| {
        let hz = Quantity::declared(megahertz * 1e6, source);
        seconds(name.into(), &hz)
    };
    let mut figures = vec![
        published(
            "at 43 MHz",
            43.0,
            "declared, RISC Zero rv32im 4.0.5 on one thread of a Zen 5, its slowest guest",
        ),
        published(
            "at 86 MHz",
            86.0,
            "declared, RISC Zero rv32im 4.0.5 on one thread of a Zen 5, its fastest guest",
        ),
    ];
    figures.extend(of_costs(evidence, |label, costs| {
        vec![
            seconds(format!("{label}, nothing recorded"), &costs.execute_hz),
            seconds(
                format!("{label}, recording values read"),
                &costs.record_reads_hz,
            ),
            seconds(
                format!("{label}, recording values and pages"),
                &costs.record_all_hz,
            ),
        ]
    }));
    item(
        "executor",
        "execution, which is serial",
        figures,
        "no worker gets its segment before the executor has reached it",
    )
}

fn egress(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let on_links = |name: &str, bytes: f64| -> Vec<Figure> {
        let one = |gbps: f64| {
            let seconds = seconds_on_link(bytes, gbps * GIGABIT);
            let name = format!("{name} at {gbps} Gb/s");
            Figure::modelled(
                name,
                seconds,
                Unit::Seconds,
                "8 × segments × bytes / bandwidth",
            )
        };
        LINKS.map(one).to_vec()
    };
    let mut figures = on_links("as written", ledger(asked).executor_egress_bytes);
    figures.extend(of_costs(evidence, |label, costs| {
        let segments = (asked.cycles / costs.segment_cycles() as f64).ceil();
        let chosen = image(costs).into_iter().chain(least(costs));
        chosen
            .flat_map(|cost| {
                let name = format!("{label}: {}", encoding_name(cost));
                on_links(&name, segments * cost.bytes.value)
            })
            .collect()
    }));
    item(
        "egress",
        "the executor's egress",
        figures,
        "one machine sends every segment: its link, not the sum of all, sets the pace",
    )
}

fn latency(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let steps = ledger(asked).latencies;
    let formula = "2 for the segment and its proof, 2 a level of the tree";
    let mut figures = vec![
        Figure::modelled("transfers", steps, Unit::Count, formula),
        Figure::modelled(
            "at 1 ms one way",
            steps * LATENCY_SECONDS,
            Unit::Seconds,
            "transfers × 1 ms, declared",
        ),
    ];
    if let Some(latency) = evidence.latency_seconds {
        figures.push(Figure::quantity("one way", latency, Unit::Seconds));
        figures.push(Figure::modelled(
            "at that latency",
            steps * latency.value,
            Unit::Seconds,
            format!("transfers × {}", latency.source),
        ));
    }
    item(
        "latency",
        "latency of transfers that follow one another",
        figures,
        "",
    )
}

fn compression(evidence: &Evidence<'_>) -> Item {
    let figures = of_costs(evidence, |label, costs| {
        let mut figures = Vec::new();
        for encoding in [Encoding::Image, Encoding::Pages1k, Encoding::Reads] {
            let of = |compression| costs.encoding(encoding, compression);
            let Some(raw) = of(Compression::Raw) else {
                continue;
            };
            for compression in [Compression::Lz4, Compression::Zstd] {
                let Some(cost) = of(compression) else {
                    continue;
                };
                if raw.bytes.value > 0.0 {
                    figures.push(Figure::modelled(
                        format!("{label}: {}", encoding_name(cost)),
                        cost.bytes.value / raw.bytes.value,
                        Unit::Share,
                        "bytes, of raw ones; both measured",
                    ));
                }
            }
        }
        figures
    });
    item("compression", "compression", figures, "")
}

fn deduplication(evidence: &Evidence<'_>) -> Item {
    let figures = of_costs(evidence, |label, costs| {
        let raw = |encoding| costs.encoding(encoding, Compression::Raw);
        let Some(image) = raw(Encoding::Image).filter(|image| image.bytes.value > 0.0) else {
            return Vec::new();
        };
        let encodings = [
            (
                Encoding::Delta,
                "pages that differ from the program as loaded",
            ),
            (
                Encoding::DeltaPrevious,
                "pages that differ from the boundary before",
            ),
            (Encoding::Pages1k, "pages that the segment touches"),
            (Encoding::Reads, "values that the segment reads"),
        ];
        let shares = encodings.into_iter().filter_map(|(encoding, what)| {
            Some(Figure::modelled(
                format!("{label}: {what}"),
                raw(encoding)?.bytes.value / image.bytes.value,
                Unit::Share,
                format!("{}, of the image's bytes; both measured", encoding.name()),
            ))
        });
        shares.collect()
    });
    item("deduplication", "deduplication of memory", figures, "")
}

fn metadata(evidence: &Evidence<'_>) -> Item {
    let figures = of_costs(evidence, |label, costs| {
        let proof = costs.proof.iter();
        proof
            .flat_map(|proof| {
                let statement = &proof.statement_bytes;
                let share = statement.value / proof.bytes.value.max(1.0);
                [
                    Figure::quantity(&*label, statement, Unit::Bytes),
                    Figure::modelled(
                        format!("{label}, of the proof"),
                        share,
                        Unit::Share,
                        "statement / proof, both measured",
                    ),
                ]
            })
            .collect()
    });
    item(
        "metadata",
        "receipt metadata",
        figures,
        "here the statement: public values, touched words before and after, system calls",
    )
}

fn lift(asked: &LedgerInputs) -> Item {
    let segments = ledger(asked).segments;
    item(
        "lift",
        "lifting a segment's proof to the circuit that is joined",
        vec![Figure::modelled(
            "more proofs",
            segments,
            Unit::Count,
            "one a segment; no transfer where the segment's prover makes it",
        )],
        "their time is not counted: this tool has no recursive verifier",
    )
}

fn retries(asked: &LedgerInputs) -> Item {
    let ledger = ledger(asked);
    item(
        "retries",
        "retries of lost tasks",
        vec![Figure::modelled(
            "segments sent again at 1 % lost",
            ledger.assigned_bytes * (1.0 / (1.0 - LOST) - 1.0),
            Unit::Bytes,
            "assigned × (1 / (1 − p) − 1), p declared",
        )],
        "`rewit model --loss` simulates them",
    )
}

fn memory(evidence: &Evidence<'_>) -> Item {
    let mut figures = vec![Figure::declared(
        "RISC Zero's prover, 2^18 rows, most",
        2.9 * f64::from(1 << 30),
        Unit::Bytes,
        "published: RISC Zero on a processor, 2.3–2.9 GiB",
    )];
    figures.extend(of_costs(evidence, |label, costs| {
        let mut figures = vec![Figure::quantity(
            format!("{label}, witness"),
            &costs.witness_bytes,
            Unit::Bytes,
        )];
        if let Some(proof) = &costs.proof
            && let Some(peak) = proof.peak_memory_bytes
        {
            let peak = Quantity::measured(peak as f64, Vec::new(), "peak while proving");
            let name = format!("{label}, peak while proving");
            figures.push(Figure::quantity(name, &peak, Unit::Bytes));
        }
        figures
    }));
    item("memory", "memory of a prover", figures, "")
}

fn security(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let bits = |name: &str, bits, source: &str| Figure::declared(name, bits, Unit::Bits, source);
    let soundcalc = "published: soundcalc, a proof of 250 kB";
    let mut figures = Vec::new();
    if asked.stark_bytes == NOTE.stark_bytes {
        figures = vec![
            bits("conjectured, 250 kB", 97.0, soundcalc),
            bits("proven by unique decoding, 250 kB", 33.0, soundcalc),
            bits("proven by the Johnson bound, 250 kB", 48.0, soundcalc),
        ];
    }
    figures.extend(of_costs(evidence, |label, costs| {
        let Some(proof) = &costs.proof else {
            return Vec::new();
        };
        let johnson = proof.johnson_bits.map(|bits| {
            let name = format!("{label}, proven by the Johnson bound");
            Figure::modelled(
                name,
                bits,
                Unit::Bits,
                "computed from the proof's parameters",
            )
        });
        let bytes = Figure::quantity(format!("{label}, proof"), &proof.bytes, Unit::Bytes);
        johnson.into_iter().chain([bytes]).collect()
    }));
    item(
        "security",
        "security level of the proofs",
        figures,
        "the note names none; bytes without bits cannot be compared",
    )
}

fn inputs(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let figures = of_costs(evidence, |label, costs| {
        let to_all = |what: &str, bytes: &Quantity| {
            let source = format!("machines × {}", bytes.source);
            let name = format!("{label}, {what}");
            Figure::modelled(name, asked.machines * bytes.value, Unit::Bytes, source)
        };
        vec![
            to_all("program", &costs.program_bytes),
            to_all("input", &costs.input_bytes),
        ]
    });
    item(
        "inputs",
        "program and input to every worker",
        figures,
        "negligible, says the note; a block's input has megabytes, and goes to every machine that executes from the start",
    )
}

fn joins(asked: &LedgerInputs) -> Item {
    let of = |stark_bytes| {
        ledger(&LedgerInputs {
            stark_bytes,
            ..*asked
        })
    };
    let levels = ledger(asked).levels;
    let [least, most] = JOIN_SECONDS;
    let [small, large] = JOINED_BYTES;
    let seconds = |name: &str, seconds: f64| {
        Figure::modelled(
            name,
            levels * seconds,
            Unit::Seconds,
            format!("levels × join, {RECURSION}"),
        )
    };
    let tree = |name: &str, bytes| {
        Figure::modelled(
            name,
            of(bytes).tree_bytes,
            Unit::Bytes,
            format!("(sent + returned) × proof, {RECURSION}"),
        )
    };
    item(
        "joins",
        "the verifier circuit of the tree",
        vec![
            Figure::declared("a join, least", least, Unit::Seconds, RECURSION),
            Figure::declared("a join, most", most, Unit::Seconds, RECURSION),
            seconds("the tree's levels, least", least),
            seconds("the tree's levels, most", most),
            Figure::declared("a joined proof, least", small, Unit::Bytes, RECURSION),
            Figure::declared("a joined proof, most", large, Unit::Bytes, RECURSION),
            tree("the tree with such proofs, least", small),
            tree("the tree with such proofs, most", large),
        ],
        "on one worker a join; a level waits for the one below",
    )
}

fn merges(evidence: &Evidence<'_>, asked: &LedgerInputs) -> Item {
    let Ledger {
        levels, segments, ..
    } = ledger(asked);
    let mut figures = vec![Figure::modelled(
        "common challenges",
        2.0 * SCALAR_BYTES as f64 * segments,
        Unit::Bytes,
        "32 B from each segment's machine and as many back",
    )];
    figures.extend(of_costs(evidence, |label, costs| {
        let Some(fold) = &costs.fold else {
            return Vec::new();
        };
        let name = format!("{label}, chunks of 2^{} rows", fold.log_rows);
        vec![
            Figure::quantity(
                format!("{name}, one merge"),
                &fold.merge_seconds,
                Unit::Seconds,
            ),
            Figure::modelled(
                format!("{name}, the tree's levels"),
                levels * fold.merge_seconds.value,
                Unit::Seconds,
                "levels × merge",
            ),
            Figure::quantity(
                format!("{name}, accumulators"),
                &fold.accumulator_bytes,
                Unit::Bytes,
            ),
        ]
    }));
    item(
        "merges",
        "merging two accumulators",
        figures,
        "all tables of two segments into one set; both must have been folded under common challenges",
    )
}

fn decider() -> Item {
    let spartan = "published: nova-snark 0.76, a step of 1,038,590 constraints";
    let seconds = |name: &str, value| Figure::declared(name, value, Unit::Seconds, spartan);
    item(
        "decider",
        "decider, or wrapping",
        vec![
            seconds("Spartan, least", 3.9),
            seconds("Spartan, most", 4.7),
            Figure::declared("Spartan's proof", 12_648.0, Unit::Bytes, spartan),
            Figure::modelled(
                "Groth16's proof",
                GROTH16_BYTES,
                Unit::Bytes,
                "two points of 64 B and one of 128 B on BN254, uncompressed",
            ),
        ],
        "the time to wrap a STARK is not counted: this tool does not do it",
    )
}
