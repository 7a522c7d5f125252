//! Measuring the encodings of one segment.

use std::time::Duration;

use super::run::{State, another, time};
use super::{Captured, Job, Key, Stage};
use crate::backend::{Backend, Folding, Regenerated};
use crate::ship::{Compression, Encoding, ShipError, decode, encode};
use crate::stark::Proving;
use crate::witness::Witness;
use crate::{Error, Result};

impl<B: Proving + Folding> State<'_, '_, B> {
    /// Measures one encoding of one segment in every compression, and regenerates from it.
    pub(super) fn encoding(
        &mut self,
        captured: &Captured,
        encoding: Encoding,
        reference: blake3::Hash,
    ) -> Result<()> {
        let Job {
            program,
            input,
            compressions,
            ..
        } = self.job;
        let spare = std::mem::take(&mut self.spare);
        let (shipment, spare) = if encoding == Encoding::Witness {
            (
                captured.shipment(program, input, encoding, false, spare)?,
                Witness::default(),
            )
        } else {
            (
                captured.shipment(program, input, encoding, false, Witness::default())?,
                spare,
            )
        };
        self.spare = spare;
        if B::COPIES {
            // Warm-up: a device loads its kernels, and takes memory, when they are first needed.
            let base = Some(captured.base());
            let warm = shipment.clone();
            drop(self.backend.regenerate(self.job.program, warm, base, None));
        }
        let index = shipment.segment.index;
        let in_segment = |error: Error| name(error, index, encoding);
        let mut regenerated = false;
        for &compression in compressions {
            // Hundreds of megabytes take seconds to compress: once is enough.
            let once = encoding == Encoding::Witness && compression != Compression::Raw;
            if once && self.measurement.segments.len() > 1 && regenerated {
                continue;
            }
            let key = |stage| Key::of_bytes(stage, encoding, compression);
            let most = self.job.parameters.samples;
            let mut bytes = Vec::new();
            if !once {
                // Warm-up: the first use of memory waits for the machine to provide it.
                drop(encode(&shipment, compression));
            }
            let (mut taken, mut spent) = (0, Duration::ZERO);
            while another(taken, spent, most) {
                drop(std::mem::take(&mut bytes));
                let (encoded, took) = time(|| encode(&shipment, compression));
                match encoded {
                    Ok(encoded) => bytes = encoded,
                    Err(error @ ShipError::ExpandsTooFar { .. }) => {
                        let note = format!(
                            "segment {index}: {encoding} not sent as {compression}: {error}"
                        );
                        self.measurement.notes.push(note);
                        break;
                    }
                    Err(error) => return Err(in_segment(error.into())),
                }
                self.add(key(Stage::Encode), Some(index), took);
                (taken, spent) = (taken + 1, spent + took);
            }
            if bytes.is_empty() {
                continue;
            }
            self.measurement
                .rows
                .add(key(Stage::Size), Some(index), bytes.len() as f64);

            if !once {
                drop(decode(&bytes));
            }
            let (mut taken, mut spent) = (0, Duration::ZERO);
            while another(taken, spent, most) {
                let (decoded, mut took) = time(|| decode(&bytes));
                self.add(key(Stage::Decode), Some(index), took);
                let decoded = decoded.map_err(|error| in_segment(error.into()))?;
                if regenerated {
                    if decoded != shipment {
                        let what = format!("{compression} does not decode to what was encoded");
                        return Err(in_segment(Error::Differs(what)));
                    }
                } else {
                    took += self
                        .regenerate(decoded, captured, reference)
                        .map_err(in_segment)?;
                }
                (taken, spent) = (taken + 1, spent + took);
            }
            regenerated = true;
        }
        Ok(())
    }

    /// Regenerates a witness and compares it with the reference; returns the time taken.
    pub(super) fn regenerate(
        &mut self,
        shipment: crate::ship::Shipment,
        captured: &Captured,
        reference: blake3::Hash,
    ) -> Result<Duration> {
        let (encoding, index) = (shipment.encoding(), shipment.segment.index);
        let backend = self.backend;
        let spare = backend.reuse(std::mem::take(&mut self.spare));
        let (done, took) =
            time(|| backend.regenerate(self.job.program, shipment, Some(captured.base()), spare));
        let Regenerated { witness, mut parts } = done?;
        let (witness, download) = time(|| backend.to_host(witness));
        let witness = witness?;
        if B::COPIES {
            parts.push(("download", download));
        }
        if witness.digest() != reference {
            return Err(Error::Differs(format!(
                "{} regenerates another witness than the recorded values",
                Backend::name(backend)
            )));
        }
        self.spare = witness;
        self.add(
            Key::regenerate(encoding, Backend::name(backend), None),
            Some(index),
            took,
        );
        for (part, took) in parts {
            let key = Key::regenerate(encoding, Backend::name(backend), Some(part));
            self.add(key, Some(index), took);
        }
        Ok(took)
    }
}

/// Says in an error which segment and encoding it is of.
pub(super) fn name(error: Error, index: u32, encoding: Encoding) -> Error {
    let place = |what: &str| format!("segment {index}, encoding {encoding}: {what}");
    match error {
        Error::Differs(what) => Error::Differs(place(&what)),
        Error::Replay(what) => Error::Differs(place(&what)),
        Error::Ship(error) => Error::Differs(place(&error.to_string())),
        other => other,
    }
}

/// The encodings in an order that depends on the segment, so that none always comes after the same.
pub(super) fn shuffled(encodings: &[Encoding], segment: u32) -> Vec<Encoding> {
    let mut order = encodings.to_vec();
    let mut state = u64::from(segment);
    for i in (1..order.len()).rev() {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        order.swap(i, ((z ^ z >> 31) % (i as u64 + 1)) as usize);
    }
    order
}
