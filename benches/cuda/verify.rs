//! Results compared with the CPU's before anything is timed.

use rewit::backend::{Backend, Cpu};
use rewit::ship::Encoding;
use rewit::{Error, Result};

use super::measure::Rng;
use super::stages::{
    LOG_CHUNK, random_challenge, random_indices, random_layer, random_table, send,
};

/// Base-2 logarithms of rows, and columns. With up to 2^14 rows a column is extended in one block's
/// shared memory, from 2^15 on in three passes, as at every size that is timed. A row is a leaf of
/// several chunks of BLAKE3 (256 words each), of one, and of less than a block.
pub(crate) const SIZES: [(u32, usize); 4] = [(6, 300), (9, 174), (12, 3), (15, 3)];
/// The same for a GPU only: as many rows as are timed.
pub(crate) const GPU_SIZES: [(u32, usize); 1] = [(20, 2)];

/// Compares the extension of a few columns of `2^log_rows` rows, whose kernels are of that size alone.
pub(crate) fn extension<B: Backend>(backend: &B, log_rows: u32) -> Result<()> {
    let host = random_table(log_rows, 3, 6);
    let table = backend.upload(host.clone())?;
    let ours = backend.download(&backend.lde(&table, 1)?)?;
    match ours == Cpu.lde(&host, 1)? {
        true => Ok(()),
        false => Err(Error::Differs(format!(
            "lde of 2^{log_rows} rows differs between {} and cpu",
            backend.name()
        ))),
    }
}

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
    let sent = send("sort", "sort-small.txt", log_rows, LOG_CHUNK)?;
    let mut expected = None;
    for encoding in [
        Encoding::Reads,
        Encoding::Records,
        Encoding::Witness,
        Encoding::Pages1k,
    ] {
        let shipment = sent.shipment(encoding)?;
        let expected = match &mut expected {
            Some(expected) => expected,
            none => {
                let theirs = Cpu.regenerate(&sent.program, shipment.clone(), None, None)?;
                none.insert(theirs.witness)
            }
        };
        let ours = backend.regenerate(&sent.program, shipment, None, None)?;
        check(backend.to_host(ours.witness)? == *expected, "regenerate")?;
    }
    Ok(())
}
