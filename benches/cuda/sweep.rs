//! Sweeps: what the length of a chunk costs in shipped bytes and buys in time, and what executing
//! many snapshots at once does.

use std::ops::RangeInclusive;

use rewit::backend::Backend;
use rewit::backend::cuda::Cuda;
use rewit::backend::cuda::regenerate::{
    DeviceProgram, DeviceReads, Job, regenerate_from_reads, regenerate_many,
};
use rewit::measure::Capture;
use rewit::segment::{Recording, Runner};
use rewit::ship::{Compression, Encoding, Shipment, encode};
use rewit::vm::Program;
use rewit::witness::layout::WIDTH;
use rewit::witness::{Witness, fill_from_reads};
use rewit::{Error, Result};

use super::file::{Boundary, File, Key};
use super::measure::{Budget, Rng, timed};
use super::stages::{read, send};

/// Base-2 logarithms of the chunk lengths swept.
const LOG_CHUNKS: RangeInclusive<u32> = 4..=11;
/// Samples of each, besides the one that warms up.
const ROUNDS: usize = 5;
/// Segments executed at once.
const NUM_SEGMENTS: [usize; 3] = [1, 16, 64];

/// Regenerates one segment from minimal traces of every chunk length, whose shipped bytes are the
/// row's `bytes`.
///
/// Without `file` nothing is timed and the witnesses are compared with the CPU's. When the budget is
/// spent, the lengths that are left are named in a note.
///
/// # Errors
/// [`Error::Differs`] if one is another; those of the stages.
pub(crate) fn chunks(
    cuda: &Cuda,
    guest: &str,
    input: &str,
    log_rows: u32,
    mut timing: Option<(&Budget, &mut File)>,
) -> Result<()> {
    let device = cuda.device();
    let mut lengths: Vec<u32> = LOG_CHUNKS.filter(|log| *log <= log_rows).collect();
    Rng::new(u64::from(log_rows)).shuffle(&mut lengths);
    for (at, &log_chunk) in lengths.iter().enumerate() {
        if let Some((budget, file)) = &mut timing
            && budget.is_over()
        {
            file.note(format!(
                "out of time: regenerate {guest} of 2^{log_rows} rows is not timed in chunks of 2^{:?}",
                &lengths[at..]
            ));
            return Ok(());
        }
        let sent = send(guest, input, log_rows, log_chunk)?;
        let shipment = sent.shipment(Encoding::Reads)?;
        let bytes = encode(&shipment, Compression::Raw)?.len() as u64;
        let program = DeviceProgram::new(device, &sent.program)?;
        let Recording { segment, reads, .. } = sent.captured.recording();
        let there = DeviceReads::new(device, segment, reads)?;
        let Some((budget, file)) = &mut timing else {
            let made = regenerate_from_reads(device, &program, segment, &there)?;
            let expected = fill_from_reads(&sent.program, segment, reads, vec![])?;
            if cuda.to_host(made.witness)? != expected {
                return Err(Error::Differs(format!(
                    "chunks of 2^{log_chunk} cycles give another witness"
                )));
            }
            continue;
        };
        for round in 0..=ROUNDS {
            if round > 2 && budget.is_over() {
                break;
            }
            for boundary in [Boundary::Resident, Boundary::EndToEnd] {
                let shipment = shipment.clone();
                let ((), time) = timed(device, || {
                    if boundary == Boundary::Resident {
                        regenerate_from_reads(device, &program, segment, &there)?;
                    } else {
                        cuda.regenerate(&sent.program, shipment, None, None)?;
                    }
                    Ok(())
                })?;
                if round > 0 {
                    let key = Key {
                        stage: format!("regenerate {guest}"),
                        part: Some(format!("chunks of 2^{log_chunk}, shipped bytes")),
                        boundary,
                        log_rows,
                        width: WIDTH,
                        bytes,
                    };
                    file.add(&key, time);
                }
            }
        }
    }
    Ok(())
}

/// Regenerates many segments of a run from the pages they touch, executed at once.
///
/// Without `file` nothing is timed and the witnesses are compared with the CPU's. When the budget is
/// spent, what is left is named in a note.
///
/// # Errors
/// As [`chunks`].
pub(crate) fn snapshots(
    cuda: &Cuda,
    guest: &str,
    input: &str,
    log_rows: u32,
    mut timing: Option<(&Budget, &mut File)>,
) -> Result<()> {
    if let Some((budget, file)) = &mut timing
        && budget.is_over()
    {
        file.note(format!(
            "out of time: {guest} is not regenerated from pages"
        ));
        return Ok(());
    }
    let device = cuda.device();
    let program = Program::from_elf(read(&format!("guests/prebuilt/{guest}.elf"))?)?;
    let input = read(&format!("guests/inputs/{input}"))?;
    let mut runner = Runner::new(&program, &input, log_rows, 4)?;
    let mut sent: Vec<(Shipment, Recording)> = Vec::new();
    let most = if timing.is_some() { 64 } else { 5 };
    let mut previous = None;
    while sent.len() < most {
        let before = Capture::before(&runner, previous.take());
        previous = Some(before.image().clone());
        let Some(recording) = runner.next_segment() else {
            break;
        };
        let captured = before.after(&runner, recording);
        let empty = Witness::default();
        let shipment = captured.shipment(&program, &input, Encoding::Pages1k, false, empty)?;
        sent.push((shipment, captured.recording().clone()));
    }
    let there = DeviceProgram::new(device, &program)?;
    let jobs: Vec<Job<'_>> = sent
        .iter()
        .map(|(shipment, _)| Job {
            shipment,
            base: None,
        })
        .collect();
    let Some((budget, file)) = &mut timing else {
        regenerate_many(device, &there, &jobs, |index, made| {
            let Recording { segment, reads, .. } = &sent[index].1;
            let expected = fill_from_reads(&program, segment, reads, vec![])?;
            match cuda.to_host(made.witness)? == expected {
                true => Ok(()),
                false => Err(Error::Differs(format!(
                    "segment {index} of many has another witness"
                ))),
            }
        })?;
        return Ok(());
    };
    for count in NUM_SEGMENTS.into_iter().filter(|n| *n <= jobs.len()) {
        if budget.is_over() {
            file.note(format!(
                "out of time: {count} segments of {guest} are not regenerated from pages"
            ));
            continue;
        }
        for round in 0..=ROUNDS {
            if round > 2 && budget.is_over() {
                break;
            }
            let (parts, time) = timed(device, || {
                regenerate_many(device, &there, &jobs[..count], |_, _| Ok(()))
            })?;
            if round == 0 {
                continue;
            }
            let mut key = Key {
                stage: format!("regenerate {guest}"),
                part: Some(format!("{count} segments from pages")),
                boundary: Boundary::EndToEnd,
                log_rows,
                width: WIDTH,
                bytes: (count * 4 * WIDTH) as u64 * (1 << log_rows),
            };
            file.add(&key, time);
            for (part, time) in parts {
                key.part = Some(format!("{count} segments from pages: {part}"));
                file.add_clocks(&key, Some(time.as_secs_f64()), None);
            }
        }
    }
    Ok(())
}
