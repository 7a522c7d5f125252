//! Proof size against provable bits.

use super::axis::{Axis, Scale};
use super::sheet::Style;
use super::xy::{Chart, Datum, Level, Series};
use super::{Figure, Plot, bytes, one_line};
use crate::measure::proof_size::{KIB, Kind, LIMITS_KIB, Object, Row, Scheme};
use crate::report::{FoldingFile, ResultFile};

/// A series under construction: its name, whether its sizes were measured, and its places.
type Group = (String, bool, Vec<Datum>);

fn add(groups: &mut Vec<Group>, name: String, measured: bool, datum: Datum) {
    match groups
        .iter_mut()
        .find(|(other, kind, _)| *other == name && *kind == measured)
    {
        Some((_, _, data)) => data.push(datum),
        None => groups.push((name, measured, vec![datum])),
    }
}

/// Sizes of proofs against bits of security that are proven; none if there are none.
///
/// - `rows`: of the proof-size suite.
pub(in crate::report) fn proof_sizes(
    rows: &[Row],
    runs: &[&ResultFile],
    foldings: &[&FoldingFile],
    source: &str,
) -> Option<Figure> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows.iter().filter(|row| row.kind != Kind::Refused) {
        let (Some(bits), Some(size)) = (row.provable_bits, row.bytes()) else {
            continue;
        };
        let subject = one_line(&row.subject, 40);
        let name = match (row.of, row.scheme) {
            (Object::Proof, _) => subject.clone(),
            (Object::Opening, Scheme::Fri) => "FRI openings alone".to_owned(),
            (Object::Opening, Scheme::Whir) => "WHIR openings alone".to_owned(),
        };
        let title = format!(
            "{subject}, {}: {}, {bits:.1} provable bits",
            one_line(&row.purpose, 60),
            bytes(size)
        );
        let datum = Datum {
            x: bits,
            y: size / KIB,
            title,
        };
        add(&mut groups, name, row.kind == Kind::Measured, datum);
    }
    for run in runs {
        for proof in &run.proofs {
            let bits = proof
                .johnson_bits
                .unwrap_or(0.0)
                .max(proof.unique_decoding_bits);
            let size = (proof.argument_bytes + proof.statement_bytes) as f64;
            let guest = one_line(&run.guest.name, 24);
            let title = format!(
                "{guest}, segment {}: {}, {bits:.1} provable bits",
                proof.index,
                bytes(size)
            );
            let datum = Datum {
                x: bits,
                y: size / KIB,
                title,
            };
            let name = format!("run of {guest}, 2^{} cycles", run.parameters.log_cycles);
            add(&mut groups, name, true, datum);
        }
    }
    for stark in foldings.iter().flat_map(|file| &file.starks) {
        let bits = stark.provable_bits();
        let datum = Datum {
            x: bits,
            y: stark.bytes / KIB,
            title: format!(
                "STARK of 2^{} rows: {}, {bits:.1} provable bits",
                stark.log_rows,
                bytes(stark.bytes)
            ),
        };
        add(
            &mut groups,
            format!("as for 2^{} rows folded", stark.log_rows),
            false,
            datum,
        );
    }
    for (_, _, data) in &mut groups {
        data.retain(|datum| {
            datum.x.is_finite() && datum.x >= 0.0 && datum.y.is_finite() && datum.y > 0.0
        });
    }
    groups.retain(|(_, _, data)| !data.is_empty());
    let all = || groups.iter().flat_map(|(_, _, data)| data);
    all().next()?;
    let limits = LIMITS_KIB.map(f64::from);
    let y = Scale::log(all().map(|datum| datum.y).chain(limits));
    let x = Scale::from_zero(all().map(|datum| datum.x).chain([100.0]));
    let count = |kind| {
        groups
            .iter()
            .filter(|g| g.1 == kind)
            .map(|g| g.2.len())
            .sum::<usize>()
    };
    let least = all()
        .filter(|datum| datum.x >= 100.0)
        .map(|datum| datum.y)
        .fold(f64::INFINITY, f64::min);
    let mut description = format!(
        "{} measured and {} modelled sizes against provable bits, with lines at {} and {} KiB.",
        count(true),
        count(false),
        limits[0],
        limits[1]
    );
    if least.is_finite() {
        description.push_str(&format!(
            " The smallest with 100 provable bits has {}.",
            kib(least)
        ));
    }
    // The same subject has the same colour, measured or modelled.
    let mut subjects: Vec<String> = Vec::new();
    for (name, _, _) in &groups {
        if !subjects.contains(name) {
            subjects.push(name.clone());
        }
    }
    let index_of = |name: &String| subjects.iter().position(|other| other == name).unwrap_or(0);
    let series = groups
        .into_iter()
        .map(|(name, measured, data)| (index_of(&name), name, measured, data));
    let series = series.map(|(index, name, measured, data)| Series {
        name: if measured {
            name
        } else {
            format!("modelled: {name}")
        },
        style: Style {
            // Measured ones are discs, modelled ones outlines.
            form: Some(super::scene::Form::of(if measured {
                0
            } else {
                1 + index % 3
            })),
            ..Style::marks(index, measured)
        },
        data,
    });
    let series = series.collect();
    Some(Figure::new(
        "proof-size",
        "Proof size against provable bits".into(),
        description,
        source,
        Plot::Chart(Chart {
            x: Axis {
                name: "provable bits (computed)".into(),
                scale: x,
                format: |bits| format!("{bits:.0}"),
            },
            y: Axis {
                name: "proof size".into(),
                scale: y,
                format: kib,
            },
            series,
            levels: limits
                .map(|limit| Level {
                    value: limit,
                    name: format!("{limit} KiB"),
                })
                .to_vec(),
            callouts: Vec::new(),
        }),
    ))
}

fn kib(value: f64) -> String {
    if value >= 1e9 {
        format!("{value:.1e} KiB")
    } else if value >= 1.0 {
        format!("{value:.0} KiB")
    } else {
        format!("{value:.3} KiB")
    }
}
