//! `rewit inspect`: the header of a shipment.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use rewit::ship::{self, HEADER_BYTES, Header};
use rewit::{Error, Result};

use super::print;

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// The shipment.
    file: PathBuf,
}

/// Prints what the header of a shipment says; reads no more than that.
pub(crate) fn inspect(args: &InspectArgs) -> Result<()> {
    let failed = |source| Error::Io {
        path: args.file.clone(),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(&args.file).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let header = ship::inspect(&bytes)?;
    let Header {
        version,
        encoding,
        compression,
        program,
        segment,
        input_bytes,
        input_ends,
        elf_bytes,
        raw_bytes,
        stored_bytes,
        digest,
    } = header;
    let hex = |digest: [u8; 32]| blake3::Hash::from(digest).to_string();
    let ends = if input_ends { ", where it ends" } else { "" };
    let elf = elf_bytes.map_or("not in it".to_owned(), |bytes| {
        format!("{bytes} bytes in it")
    });
    let complete = if found == header.total_bytes() {
        "complete".to_owned()
    } else {
        format!(
            "the file has {found} bytes, expected {}",
            header.total_bytes()
        )
    };
    let text = format!(
        "format        version {version}\n\
         encoding      {encoding} {compression}\n\
         program       {}\n\
         segment       {} of 2^{} cycles at most\n\
         cycles        {} from {}\n\
         start, end    pc {:#010x}, pc {:#010x}\n\
         input         {input_bytes} bytes consumed{ends}\n\
         elf file      {elf}\n\
         body          {raw_bytes} bytes, stored in {stored_bytes}: {complete}\n\
         digest        {} (not checked; `regenerate` does)\n",
        hex(program),
        segment.index,
        segment.log_cycles,
        segment.num_cycles,
        segment.start_cycle,
        segment.start.pc,
        segment.end.pc,
        hex(digest),
    );
    print(text.as_bytes())
}
