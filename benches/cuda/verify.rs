//! Results compared with the CPU's before anything is timed.

use rewit::backend::{Backend, Cpu};
use rewit::{Error, Result};

use super::measure::Rng;
use super::stages::{
    LOG_CHUNK, random_challenge, random_indices, random_layer, random_table, shipment,
};

/// Base-2 logarithms of rows, and columns: one launch and several per column, and widths on either
/// side of a hash's chunk of 256 words.
pub(crate) const SIZES: [(u32, usize); 3] = [(6, 17), (9, 174), (12, 3)];

/// Compares every stage.
pub(crate) fn all<B: Backend>(backend: &B, log_rows: u32, width: usize) -> Result<()> {
    let rng = &mut Rng::new(u64::from(log_rows));
    let host = random_table(log_rows, width, 5);
    let check = |same: bool, stage: &'static str| match same {
        true => Ok(()),
        false => Err(Error::Differs(format!(
            "{stage} of 2^{log_rows} rows of {width} columns differs between {} and cpu",
            backend.name()
        ))),
    };

    let table = backend.upload(host.clone())?;
    check(backend.download(&table)? == host, "upload and download")?;
    for log_blowup in [1, 2] {
        let (ours, theirs) = (
            backend.lde(&table, log_blowup)?,
            Cpu.lde(&host, log_blowup)?,
        );
        check(backend.download(&ours)? == theirs, "lde")?;
        let point = random_challenge(rng);
        check(
            backend.evaluate(&ours, log_blowup, point)?
                == Cpu.evaluate(&theirs, log_blowup, point)?,
            "evaluate",
        )?;
        let (cap, ours) = backend.commit(vec![ours], 1)?;
        let (expected, theirs) = Cpu.commit(vec![theirs], 1)?;
        check(cap == expected, "commit")?;
        let indices = random_indices(log_rows + log_blowup, rng);
        check(
            backend.open(&ours, &indices)? == Cpu.open(&theirs, &indices)?,
            "open",
        )?;
    }
    let layer = random_layer(log_rows, rng);
    for log_arity in [1, 3] {
        let beta = random_challenge(rng);
        let ours = backend.upload_layer(layer.clone())?;
        let ours = backend.download_layer(&backend.fri_fold(&ours, log_arity, beta)?)?;
        let theirs = Cpu.upload_layer(layer.clone())?;
        let theirs = Cpu.download_layer(&Cpu.fri_fold(&theirs, log_arity, beta)?)?;
        check(ours == theirs, "fold")?;
    }
    let sent = shipment("sort", "sort-small.txt", log_rows, LOG_CHUNK)?;
    let ours = backend.regenerate(&sent.program, sent.shipment.clone(), None, None)?;
    let theirs = Cpu.regenerate(&sent.program, sent.shipment, None, None)?;
    let same = backend.to_host(ours.witness)? == theirs.witness;
    check(same, "regenerate")
}
