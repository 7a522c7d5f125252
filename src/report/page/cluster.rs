//! A cluster simulated with the files' costs: a thousand machines that prove 10^9 cycles.

use maud::html;

use super::parts::{self, bytes, count, number, seconds, text};
use super::plot::{Figure, MapData, TimelineSpan, format_bits, seconds as seconds_in_words, short};
use super::{Data, Section, one_line};
use crate::Result;
use crate::measure::Kind;
use crate::model::cluster::{
    Aggregation, Axis, Cluster, Group, Outcome, Placement, Sweep, Varied, simulate_cluster, sweep,
    with_encoding,
};
use crate::model::{Costs, Quantity};
use crate::report::format_count;

/// Workers of the timeline.
const MACHINES: u64 = 1000;
/// Cycles proven.
const CYCLES: u64 = 1_000_000_000;
/// Replicates of the error bar.
const REPLICATES: u32 = 50;
/// Most segments of which so many simulations are made as the error bar and the map take.
const MANY_SEGMENTS: u64 = 4096;
/// Most segments that are simulated at all.
const MAX_SEGMENTS: u64 = 1 << 16;

/// A timeline, what binds, and a map of the fastest encoding.
///
/// - `costs`: those of the largest segments first.
pub(super) fn section(data: &Data<'_>, costs: &[Costs]) -> Section {
    let mut section = Section::default();
    // The first have the largest segments: the fewest proofs to join.
    let Some(costs) = costs.iter().find(|costs| costs.proof.is_some()) else {
        section.push(parts::missing(
            "No file has the costs of a segment and its proof; `rewit run --out FILE` measures them, and `rewit model` \
             simulates any cluster with them.",
        ));
        return section;
    };
    let segments = CYCLES.div_ceil(costs.segment_cycles());
    if segments > MAX_SEGMENTS {
        section.push(parts::missing(&format!(
            "{} segments of 2^{} cycles are more than a page simulates; `rewit model` does.",
            format_count(segments),
            costs.log_cycles
        )));
        return section;
    }
    match simulate(data, costs) {
        Ok((outcome, map)) => show(&mut section, data, costs, &outcome, map.as_ref()),
        Err(error) => section.push(parts::missing(&one_line(&error.to_string(), 300))),
    }
    section
}

fn cluster(data: &Data<'_>, costs: &Costs) -> Cluster {
    let few = CYCLES.div_ceil(costs.segment_cycles()) <= MANY_SEGMENTS;
    let link = data.link();
    Cluster {
        cycles: CYCLES,
        executor: costs.clone(),
        executor_link: link.clone(),
        executor_price: None,
        groups: vec![Group {
            name: "workers".into(),
            count: MACHINES,
            costs: costs.clone(),
            link,
            speed: 1.0,
            price: None,
        }],
        encoding: String::new(),
        compression: String::new(),
        aggregation: Aggregation::published_fri(),
        placement: Placement::Coordinator,
        stragglers: None,
        loss: None,
        wrap: None,
        switch: None,
        egress_price: None,
        prefetch: 1,
        seed: 1,
        replicates: if few { REPLICATES } else { 0 },
    }
}

/// The cluster in its fastest encoding, and which is fastest for other machines and links.
fn simulate(data: &Data<'_>, costs: &Costs) -> Result<(Outcome, Option<Sweep>)> {
    let base = cluster(data, costs);
    let at = |axis, values: Vec<f64>| Varied { axis, values };
    let here = at(Axis::Machines, vec![MACHINES as f64]);
    let single = sweep(std::slice::from_ref(&base), vec![here], None)?;
    let best = single.points.first().map(|point| point.best().clone());
    let Some(best) = best else {
        return Err(crate::Error::Usage("no encoding can be simulated".into()));
    };
    let outcome = simulate_cluster(&with_encoding(&base, &best.encoding, &best.compression))?;
    if base.num_segments() > MANY_SEGMENTS {
        return Ok((outcome, None));
    }
    let bandwidths = (0..=8)
        .map(|i| 10f64.powf(8.0 + 0.5 * f64::from(i)))
        .collect();
    let machines = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0].to_vec();
    let axes = vec![
        at(Axis::Bandwidth, bandwidths),
        at(Axis::Machines, machines),
    ];
    let map = sweep(std::slice::from_ref(&base), axes, None)?;
    Ok((outcome, Some(map)))
}

fn show(
    section: &mut Section,
    data: &Data<'_>,
    costs: &Costs,
    outcome: &Outcome,
    map: Option<&Sweep>,
) {
    let cluster = cluster(data, costs);
    let link = &cluster.executor_link.bits_per_second;
    let about = format!(
        "{} machines as measured ({}) prove {} cycles of {} in segments of 2^{} on links of ",
        format_count(outcome.workers),
        one_line(&costs.machine, 100),
        format_count(outcome.cycles),
        one_line(&costs.guest, 60),
        costs.log_cycles,
    );
    let makespan = &outcome.makespan_seconds;
    section.push(html! {
        p .headline { "Modelled: " data value=[parts::raw(makespan.value)] { (seconds_in_words(makespan.value)) } (parts::tag(makespan.kind))
            @if let Some(bar) = outcome.interval {
                " (" (seconds_in_words(bar.low)) " to " (seconds_in_words(bar.high)) ", 95 % of " (bar.replicates) " replicates)"
            }
            "; " (one_line(&outcome.bottleneck.sentence, 400)) "."
        }
        p { (about) data value=[parts::raw(link.value)] { (format_bits(link.value)) } (parts::tag(link.kind))
            ", shipped as " code { (one_line(&outcome.encoding, 40)) } " (" (one_line(&outcome.compression, 20)) "), the fastest here (others can be as fast, see the map); joins as published \
             for other code" (parts::tag(Kind::Declared)) ". " code { "rewit model" } " simulates any other." }
    });
    let spans: Vec<TimelineSpan> = outcome
        .spans
        .iter()
        .map(|span| TimelineSpan {
            lane: span.lane.clone(),
            label: format!("{}, {}", span.resource.describe(), span.label),
            start: span.start,
            end: span.end,
            critical: span.critical,
        })
        .collect();
    let title = format!(
        "A cluster at work: {} machines, {} cycles of {}",
        format_count(outcome.workers),
        format_count(outcome.cycles),
        one_line(&costs.guest, 40)
    );
    section.plot(
        Figure::timeline(&title, &data.source(|file| !file.runs().is_empty()), &spans),
        "Modelled by simulation from measured costs. The first lane is what the end waited for; of many workers some are shown, \
         evenly spaced.",
        "The simulation kept no timeline.",
    );
    section.push(shares(outcome));
    section.push(transfers(outcome));
    let title =
        "Which encoding to choose for a whole cluster (pale: others take as long to within 1 %)"
            .to_owned();
    section.plot(
        map.and_then(map_of).and_then(|data_of_map| Figure::map("cluster-map", &title, &data.source(|file| !file.runs().is_empty()), data_of_map)),
        "Modelled: of the encodings whose makespan is within 1 % of the least, each in its best compression, that which \
         ships fewest bytes; pale where there is more than one. The program is sent to each worker uncompressed, but with \
         `input` inside a compressed shipment.",
        "Segments this small make too many simulations for a map in a page; `rewit model --map` draws it.",
    );
    let inputs = outcome.inputs.iter().map(|input| {
        let quantity = &input.quantity;
        vec![
            text(&input.name),
            text(&input.machine),
            input_value(&input.name, quantity),
            text(&input.num_samples.to_string()),
            text(&quantity.source),
        ]
    });
    let head = ["input", "machine", "value", "samples", "source"];
    section.push(parts::folded(
        "What was computed from",
        &parts::table("Inputs", &head, inputs),
    ));
    if !outcome.notes.is_empty() {
        section.push(html! { ul .notes { @for note in outcome.notes.iter().take(20) { li { (one_line(note, 400)) } } } });
    }
}

/// An input in its unit, which its name ends with.
fn input_value(name: &str, quantity: &Quantity) -> parts::Cell {
    let (kind, value) = (quantity.kind, quantity.value);
    if name.ends_with("bits per second") {
        parts::bandwidth(kind, value)
    } else if name.ends_with("cycles per second") {
        number(kind, &format!("{:.1} MHz", value / 1e6), value)
    } else if name.ends_with("bytes") {
        bytes(kind, value)
    } else {
        seconds(kind, value)
    }
}

fn shares(outcome: &Outcome) -> maud::Markup {
    let rows = outcome.shares.iter().map(|share| {
        let percent = number(
            Kind::Modelled,
            &format!("{:.1} %", 100.0 * share.share),
            share.share,
        );
        let without = share
            .makespan_without
            .map(|without| seconds(Kind::Modelled, without));
        vec![
            text(share.resource.describe()),
            seconds(Kind::Modelled, share.seconds),
            percent,
            parts::maybe(without),
        ]
    });
    let head = [
        "resource",
        "on the critical path",
        "share",
        "makespan without it",
    ];
    parts::table("What binds", &head, rows)
}

fn transfers(outcome: &Outcome) -> maud::Markup {
    let rows = outcome.transfers.iter().map(|transfer| {
        vec![
            text(transfer.what.describe()),
            count(Kind::Modelled, transfer.count),
            bytes(Kind::Modelled, transfer.bytes),
        ]
    });
    let links = outcome.links.iter().map(|link| {
        vec![
            text(&link.link),
            parts::none(),
            bytes(Kind::Modelled, link.bytes),
        ]
    });
    let head = ["transfer or link", "number", "bytes"];
    parts::table("Bytes moved", &head, rows.chain(links))
}

/// A sweep over two axes as a map.
fn map_of(sweep: &Sweep) -> Option<MapData> {
    let [across, up] = sweep.axes.as_slice() else {
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    let mut best = vec![vec![None; across.values.len()]; up.values.len()];
    let mut close = vec![vec![false; across.values.len()]; up.values.len()];
    for (i, point) in sweep.points.iter().enumerate() {
        let name = &point.choice().encoding;
        let index = names
            .iter()
            .position(|other| other == name)
            .unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
        let row = i / across.values.len();
        if let Some(cell) = close
            .get_mut(row)
            .and_then(|row| row.get_mut(i % across.values.len()))
        {
            *cell = point.is_close();
        }
        if let Some(cell) = best
            .get_mut(row)
            .and_then(|row| row.get_mut(i % across.values.len()))
        {
            *cell = Some(index);
        }
    }
    Some(MapData {
        x_name: "bandwidth of every link".into(),
        xs: across
            .values
            .iter()
            .map(|value| short(&format_bits(*value)))
            .collect(),
        y_name: "machines".into(),
        ys: up
            .values
            .iter()
            .map(|value| format_count(*value as u64))
            .collect(),
        names,
        best,
        close,
    })
}
