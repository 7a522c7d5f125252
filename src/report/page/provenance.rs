//! Files, machines and guests.

use maud::{Markup, html};

use super::parts::{self, Cell, code, text};
use super::{Data, Section, one_line};
use crate::measure::{Guest, Hardware, Kind, Link};
use crate::report::{Source, format_bytes, format_count, format_threads};

/// The tables.
pub(super) fn section(data: &Data<'_>) -> Section {
    let mut section = Section::default();
    section.push(files(data));
    let mut machines: Vec<&Hardware> = Vec::new();
    for hardware in data
        .sources
        .iter()
        .filter_map(|source| source.file.hardware())
    {
        if !machines.contains(&hardware) {
            machines.push(hardware);
        }
    }
    section.push(parts::table(
        "Machines",
        &["machine", "what", "value"],
        machines
            .iter()
            .enumerate()
            .flat_map(|(i, hardware)| machine(i + 1, hardware)),
    ));
    section.push(links(data));
    section.push(guests(data));
    let notes: Vec<String> = data
        .runs
        .iter()
        .flat_map(|run| &run.notes)
        .take(50)
        .map(|note| one_line(note, 400))
        .collect();
    if !notes.is_empty() {
        section.push(html! { ul .notes { @for note in notes { li { (note) } } } });
    }
    section
}

fn files(data: &Data<'_>) -> Markup {
    let row = |source: &Source| {
        let tool = source.file.tool();
        let mut build = vec![tool.profile.as_str()];
        build.extend(tool.features.iter().map(String::as_str));
        let build = build.join(", ");
        let state = match (source.file.complete(), tool.git_dirty) {
            (true, false) => "complete",
            (true, true) => "complete; built from modified sources",
            (false, false) => "cut short",
            (false, true) => "cut short; built from modified sources",
        };
        vec![
            text(&source.name),
            text(source.file.kind()),
            text(source.file.created()),
            text(&tool.version),
            code(&tool.git_commit),
            text(&build),
            text(state),
            code(&source.blake3),
        ]
    };
    let head = [
        "file", "kind", "started", "version", "commit", "build", "state", "BLAKE3",
    ];
    parts::table("Files", &head, data.sources.iter().map(row))
}

fn machine(index: usize, hardware: &Hardware) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut add =
        |what: &str, value: Cell| rows.push(vec![text(&index.to_string()), text(what), value]);
    add("processor", text(&hardware.cpu));
    let cores = hardware
        .physical_cores
        .map_or("unknown".to_owned(), |cores| cores.to_string());
    add(
        "cores, threads",
        text(&format!("{cores}, {}", hardware.logical_cores)),
    );
    let simd = &hardware.simd;
    add(
        "vector instructions",
        text(&format!("{}, {} there", simd.compiled, simd.available)),
    );
    for cache in &hardware.caches {
        let shared = cache.shared_by.map_or(String::new(), |n| {
            format!(", shared by {}", format_threads(n))
        });
        add(
            &format!("cache L{} {}", cache.level, cache.kind.name()),
            text(&format!("{}{shared}", format_bytes(cache.bytes as f64))),
        );
    }
    if let Some(nodes) = hardware.numa_nodes {
        add("NUMA nodes", text(&nodes.to_string()));
    }
    if let Some(governor) = &hardware.governor {
        add("clock governor", text(governor));
    }
    add("memory", text(&format_bytes(hardware.ram_bytes as f64)));
    if let Some(found) = &hardware.memory_bandwidth {
        let words = format!("{}/s", super::plot::bytes(found.summary.median));
        let what = format!("memory copied, {}", format_threads(found.threads));
        add(
            &what,
            parts::number(found.kind, &words, found.summary.median),
        );
    }
    add(
        "system",
        text(&format!(
            "{}, kernel {}, {}",
            hardware.os, hardware.kernel, hardware.arch
        )),
    );
    if let Some(gpu) = &hardware.gpu {
        add("GPU", text(&gpu.name));
        add(
            "GPU, properties",
            text(&format!(
                "compute capability {}, {} multiprocessors, {} of memory, CUDA {}",
                gpu.compute_capability,
                gpu.num_multiprocessors,
                format_bytes(gpu.memory_bytes as f64),
                gpu.cuda_version
            )),
        );
        if let Some(state) = &gpu.nvml {
            if let Some(version) = &state.driver_version {
                add("GPU, driver", text(version));
            }
            if let Some(watts) = state.power_limit_watts {
                add("GPU, power limit", text(&format!("{watts:.0} W")));
            }
            if let Some(ecc) = state.ecc {
                add("GPU, ECC", text(if ecc { "on" } else { "off" }));
            }
            if let Some(pcie) = state.max_pcie.or(state.pcie) {
                add(
                    "GPU, PCIe",
                    text(&format!("generation {} × {}", pcie.generation, pcie.width)),
                );
            }
        }
        if let Some(missing) = &gpu.nvml_missing {
            add("GPU, management library", text(missing));
        }
        if let Some(load) = &gpu.load {
            if let Some(clock) = load.sm_clock_mhz {
                add(
                    "GPU clock under load",
                    parts::number(Kind::Measured, &format!("{clock:.0} MHz"), clock),
                );
            }
            if let Some(watts) = load.power_watts {
                add(
                    "GPU power under load",
                    parts::number(Kind::Measured, &format!("{watts:.0} W"), watts),
                );
            }
            if !load.throttle_reasons.is_empty() {
                add(
                    "GPU, reasons for lower clocks",
                    text(&load.throttle_reasons.join(", ")),
                );
            }
        }
        for copy in &gpu.copies {
            let words = format!("{}/s", super::plot::bytes(copy.summary.median));
            let what = format!("GPU copies, {}", copy.direction.name());
            add(&what, parts::number(copy.kind, &words, copy.summary.median));
        }
    }
    rows
}

/// Links that files have, measured or declared; or what measures one.
fn links(data: &Data<'_>) -> Markup {
    let links: Vec<_> = data
        .sources
        .iter()
        .filter_map(|source| Some((source, source.file.link()?)))
        .collect();
    if links.is_empty() {
        return parts::missing(
            "No file has a link: `rewit link probe ADDR --out FILE` measures one. Bandwidths of this page are those that \
             its models are asked for.",
        );
    }
    let row = |(source, link): &(&Source, &Link)| {
        vec![
            text(&source.name),
            text(&link.description),
            parts::bandwidth(link.kind, link.bits_per_second),
            parts::seconds(link.kind, link.latency_seconds),
        ]
    };
    let head = ["file", "link", "bandwidth", "latency, one way"];
    let summary = parts::table("Links", &head, links.iter().map(row));
    let points = links
        .iter()
        .flat_map(|(_, link)| link.points.iter().map(move |point| (link.kind, point)));
    let points = points.map(|(kind, point)| {
        vec![
            text(point.direction.name()),
            parts::bytes(kind, point.message_bytes as f64),
            text(&point.streams.to_string()),
            parts::seconds(kind, point.summary.median),
            parts::bandwidth(kind, point.bits_per_second()),
            text(&point.samples.len().to_string()),
        ]
    });
    let head = [
        "direction",
        "message",
        "streams",
        "median time",
        "bandwidth",
        "samples",
    ];
    let points = parts::table("Messages by size", &head, points);
    html! { (summary) (parts::folded("Messages by size", &points)) }
}

fn guests(data: &Data<'_>) -> Markup {
    let mut guests: Vec<&Guest> = Vec::new();
    let all = data.runs.iter().map(|run| &run.guest);
    let folded = data.foldings.iter().map(|file| &file.measured.guest);
    let proved = data.sizes.iter().filter_map(|file| file.guest.as_ref());
    for guest in all.chain(folded).chain(proved) {
        let same = |other: &&Guest| {
            other.elf_blake3 == guest.elf_blake3 && other.input_blake3 == guest.input_blake3
        };
        match guests.iter_mut().find(|other| same(other)) {
            // The same guest, run to its end this time.
            Some(other) if other.cycles == 0 => *other = guest,
            Some(_) => {}
            None => guests.push(guest),
        }
    }
    let row = |guest: &&Guest| {
        let cycles = match guest.cycles {
            0 => parts::none(),
            cycles => parts::number(Kind::Measured, &format_count(cycles), cycles as f64),
        };
        vec![
            text(&guest.name),
            cycles,
            code(&guest.elf_blake3),
            code(&guest.input_blake3),
        ]
    };
    let head = [
        "guest",
        "cycles",
        "BLAKE3 of the ELF file",
        "BLAKE3 of the input",
    ];
    parts::table("Guests", &head, guests.iter().map(row))
}
