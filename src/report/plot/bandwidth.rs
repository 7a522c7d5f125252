//! Time to the witness against bandwidth.

use super::axis::{Axis, Scale};
use super::sheet::Style;
use super::xy::{Callout, Chart, Datum, Series};
use super::{Figure, Plot, format_bits, one_line, seconds};
use crate::model::{Crossing, GIGABIT, Route};
use crate::report::conclusion::best;
use crate::report::verdict::in_place;
use crate::report::{ResultFile, Verdict, Witnesses};
use crate::ship::Encoding;

/// Base-10 logarithms of the bandwidths at the ends, in bits per second.
const ENDS: (i32, i32) = (8, 12);
/// Points a decade.
const POINTS: i32 = 12;

/// Time to the witness of a segment against bandwidth, by encoding; none if nothing was measured.
pub(in crate::report) fn time_to_witness(
    run: &ResultFile,
    id: &str,
    source: &str,
) -> Option<Figure> {
    let mut series = Vec::new();
    let mut callouts: Vec<Callout> = Vec::new();
    if let Some(route) = in_place(&run.segments) {
        let mut in_place = curve("witness, in place", &[route], 7);
        (in_place.style.dash, in_place.style.line) = (None, Some(2.6));
        series.push(in_place);
    }
    let mut strongest: Option<(f64, &str)> = None;
    let mut crossings = Vec::new();
    for (index, encoding) in Encoding::ALL.into_iter().enumerate() {
        let name = encoding.name();
        let of = || run.verdicts.iter().filter(|v| v.encoding == name);
        let routes: Vec<Route> = of().map(Verdict::route).collect();
        if routes.is_empty() {
            continue;
        }
        // The grey of the colours is that of the witness in place.
        let colour = if index >= 7 { index + 1 } else { index };
        series.push(curve(name, &routes, colour));
        if encoding == Encoding::Witness {
            continue;
        }
        let found = best(of(), Witnesses::RawInPlace).map(|(_, crossing)| crossing);
        if let Some(Crossing::Below { bits_per_second } | Crossing::Above { bits_per_second }) =
            found
        {
            let time = least(&routes, bits_per_second);
            crossings.push(Datum {
                x: bits_per_second,
                y: time,
                title: format!(
                    "{name}: break-even with the witness in place at {}",
                    format_bits(bits_per_second)
                ),
            });
            if strongest.is_none_or(|(most, _)| bits_per_second > most) {
                strongest = Some((bits_per_second, name));
            }
        }
    }
    if series.is_empty() {
        return None;
    }
    if let Some((bits_per_second, name)) = strongest {
        callouts.push(Callout {
            x: bits_per_second,
            name: format!("{} ({name})", format_bits(bits_per_second)),
        });
    }
    let at_10 = |series: &Series| {
        let middle = series.data.iter().find(|datum| datum.x >= 10.0 * GIGABIT);
        middle.map_or(f64::INFINITY, |datum| datum.y)
    };
    series.sort_by(|a, b| at_10(a).total_cmp(&at_10(b)));
    if !crossings.is_empty() {
        series.push(Series {
            name: "break-even".into(),
            style: Style {
                form: Some(super::scene::Form::Diamond),
                ink: super::scene::Ink::Text,
                ..Style::marks(3, false)
            },
            data: crossings,
        });
    }
    let y = Scale::log(
        series
            .iter()
            .flat_map(|s| s.data.iter().map(|datum| datum.y)),
    );
    let guest = one_line(&run.guest.name, 40);
    let log_cycles = run.parameters.log_cycles;
    let description = describe(&series, strongest);
    Some(Figure::new(
        id,
        format!(
            "Time to the witness of a segment of 2^{log_cycles} cycles of {guest}, by encoding"
        ),
        description,
        source,
        Plot::Chart(Chart {
            x: Axis {
                name: "bandwidth of the link".into(),
                scale: Scale::Log(f64::from(ENDS.0), f64::from(ENDS.1)),
                format: format_bits,
            },
            y: Axis {
                name: "time to the witness: send, decode, regenerate (modelled)".into(),
                scale: y,
                format: seconds,
            },
            series,
            levels: Vec::new(),
            callouts,
        }),
    ))
}

/// Seconds by the fastest of some routes.
fn least(routes: &[Route], bandwidth: f64) -> f64 {
    let times = routes.iter().map(|route| route.total_seconds(bandwidth));
    times.fold(f64::INFINITY, f64::min)
}

fn curve(name: &str, routes: &[Route], index: usize) -> Series {
    let steps = 0..=(ENDS.1 - ENDS.0) * POINTS;
    let data = steps.map(|step| {
        let x = 10f64.powf(f64::from(ENDS.0) + f64::from(step) / f64::from(POINTS));
        Datum {
            x,
            y: least(routes, x),
            title: String::new(),
        }
    });
    Series {
        name: name.to_owned(),
        style: Style::line(index),
        data: data.collect(),
    }
}

fn describe(series: &[Series], strongest: Option<(f64, &str)>) -> String {
    let ends = |series: &Series| {
        let (first, last) = (series.data.first()?, series.data.last()?);
        series.style.line?;
        Some(format!(
            "{} from {} to {}",
            series.name,
            seconds(first.y),
            seconds(last.y)
        ))
    };
    let curves: Vec<String> = series.iter().filter_map(ends).collect();
    let mut text = format!(
        "Between {} and {}: {}.",
        format_bits(10f64.powi(ENDS.0)),
        format_bits(10f64.powi(ENDS.1)),
        curves.join("; ")
    );
    if let Some((bandwidth, name)) = strongest {
        text.push_str(&format!(
            " Recomputing from {name} is faster than receiving the witness in place below {}.",
            format_bits(bandwidth)
        ));
    }
    text
}
