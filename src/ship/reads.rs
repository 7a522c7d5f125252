//! `reads`: the minimal trace. A checkpoint stores what changed since the one before.

use super::body::{BodyReader, BodyWriter};
use super::frame::{equal, in_range, u32_len};
use super::header::state_words;
use super::{At, MAX_LOG_CYCLES, ShipError};
use crate::segment::{Checkpoint, Reads, Segment};
use crate::vm::MachineState;

/// Most values in a [`Reads`] per cycle: a unit moved into memory has two.
pub(super) const MAX_WORDS_PER_CYCLE: u64 = 2;

/// Bytes before the first stored checkpoint: base-2 log of the chunk, number of values.
const PREFIX_BYTES: u64 = 8;
/// Words of a [`MachineState`].
const STATE_WORDS: usize = MachineState::BYTES / 4;
/// Index of `x0` among them; `pc` is before it.
const X0: usize = 1;
/// Index of `brk`, the first of those that seldom change.
const RARE: usize = 33;
/// Bit of the mask that stands where `x0` would: a mask of the rare words follows.
const RARE_BIT: u32 = 1;

/// The words of a checkpoint on the wire: `pc`, values in the chunk before, mask, what it says.
fn write_checkpoint(before: &Checkpoint, this: &Checkpoint, put: &mut impl FnMut(u32)) {
    let (old, new) = (state_words(&before.state), state_words(&this.state));
    put(new[0]);
    put(this.first_word - before.first_word);
    let changed = |i: &usize| old[*i] != new[*i];
    let rare = (RARE..STATE_WORDS)
        .filter(changed)
        .fold(0, |mask, i| mask | 1 << (i - RARE));
    let mut mask = (X0 + 1..RARE)
        .filter(changed)
        .fold(0, |mask, i| mask | 1 << (i - X0));
    if rare != 0 {
        mask |= RARE_BIT;
    }
    put(mask);
    if rare != 0 {
        put(rare);
    }
    (X0 + 1..STATE_WORDS)
        .filter(changed)
        .for_each(|i| put(new[i]));
}

/// Reads what [`write_checkpoint`] wrote.
fn read_checkpoint(
    before: &Checkpoint,
    max_words: u64,
    index: u64,
    body: &mut BodyReader<'_>,
) -> Result<Checkpoint, ShipError> {
    let first = body.at();
    let old = state_words(&before.state);
    let mut new = old;
    new[0] = body.u32("pc of a checkpoint")?;
    let at = body.at();
    let count = body.u32("values of a chunk")?;
    check_values(index, at, u64::from(count), max_words)?;
    // No overflow on 32 bits: a segment has at most 2^22 cycles of two values.
    let first_word = before.first_word + count;
    let at = body.at();
    let mask = body.u32("mask of a checkpoint")?;
    let rare = if mask & RARE_BIT != 0 {
        let rare = body.u32("second mask of a checkpoint")?;
        if rare == 0 || rare >> (STATE_WORDS - RARE) != 0 {
            return Err(ShipError::NotCanonicalCheckpoint { at });
        }
        rare
    } else {
        0
    };
    let fields = u64::from(mask & !RARE_BIT) | u64::from(rare) << (RARE - X0);
    for i in X0 + 1..STATE_WORDS {
        if fields >> (i - X0) & 1 != 0 {
            let at = body.at();
            new[i] = body.u32("field of a checkpoint")?;
            if new[i] == old[i] {
                return Err(ShipError::NotCanonicalCheckpoint { at });
            }
        }
    }
    let state: MachineState = bytemuck::cast(new);
    if !state.is_canonical() {
        return Err(ShipError::NotCanonicalState { at: first });
    }
    Ok(Checkpoint { state, first_word })
}

/// Checks `reads` and returns their bytes on the wire.
pub(super) fn check(segment: &Segment, reads: &Reads) -> Result<u64, ShipError> {
    let at = At::Value;
    let Reads {
        log_chunk,
        checkpoints,
        words,
    } = reads;
    let chunks = num_chunks(segment, *log_chunk, at)?;
    equal(
        "number of checkpoints",
        at,
        checkpoints.len() as u64,
        chunks,
    )?;
    let num_words = check_num_words(segment, u32_len("number of values", words.len())?, at)?;
    let first = first_checkpoint(segment);
    if checkpoints[0].state != first.state {
        // A state that the wire has no place for: it is the header's.
        return Err(ShipError::NotCanonicalState { at });
    }
    equal(
        "first value of the first chunk",
        at,
        u64::from(checkpoints[0].first_word),
        0,
    )?;
    let max = max_words_per_chunk(*log_chunk);
    let mut wire_words = 0;
    for (i, pair) in checkpoints.windows(2).enumerate() {
        let (before, this) = (&pair[0], &pair[1]);
        let index = i as u64 + 1;
        if !this.state.is_canonical() {
            return Err(ShipError::NotCanonicalState { at });
        }
        let Some(count) = this.first_word.checked_sub(before.first_word) else {
            return Err(ShipError::CheckpointsNotAscending {
                index,
                at,
                what: "first value",
                value: u64::from(this.first_word),
                min: u64::from(before.first_word),
                max: u64::from(num_words),
            });
        };
        check_values(index, at, u64::from(count), max)?;
        check_input_pos(segment, before, this, index, at)?;
        write_checkpoint(before, this, &mut |_| wire_words += 1);
    }
    let last = checkpoints[checkpoints.len() - 1].first_word;
    check_last(chunks, last, num_words, max, at)?;
    Ok(PREFIX_BYTES + 4 * (wire_words + u64::from(num_words)))
}

/// Writes reads that were checked.
pub(super) fn write(reads: &Reads, body: &mut BodyWriter<'_>) {
    body.u32(reads.log_chunk);
    body.u32(reads.words.len() as u32);
    let mut words = Vec::new();
    for pair in reads.checkpoints.windows(2) {
        write_checkpoint(&pair[0], &pair[1], &mut |word| words.push(word));
        if words.len() >= 1 << 20 {
            body.words(&words);
            words.clear();
        }
    }
    body.words(&words);
    body.words(&reads.words);
}

/// Reads the rest of the body as the reads of `segment`.
pub(super) fn read(segment: &Segment, body: &mut BodyReader<'_>) -> Result<Reads, ShipError> {
    let at = body.at();
    let log_chunk = body.u32("base-2 log of a chunk's cycles")?;
    let chunks = num_chunks(segment, log_chunk, at)?;
    let at = body.at();
    let num_words = check_num_words(segment, body.u32("number of values")?, at)?;
    let max = max_words_per_chunk(log_chunk);
    let mut last = first_checkpoint(segment);
    let mut checkpoints = vec![last];
    for index in 1..chunks {
        let at = body.at();
        let this = read_checkpoint(&last, max, index, body)?;
        check_input_pos(segment, &last, &this, index, at)?;
        checkpoints.push(this);
        last = this;
    }
    check_last(chunks, last.first_word, num_words, max, at)?;
    body.expect_remaining("values", 4 * u64::from(num_words))?;
    let words = body.vec("values", u64::from(num_words))?;
    Ok(Reads {
        log_chunk,
        checkpoints,
        words,
    })
}

/// The checkpoint that the header implies.
fn first_checkpoint(segment: &Segment) -> Checkpoint {
    Checkpoint {
        state: segment.start,
        first_word: 0,
    }
}

fn num_chunks(segment: &Segment, log_chunk: u32, at: At) -> Result<u64, ShipError> {
    let max = u64::from(MAX_LOG_CYCLES);
    in_range(
        "base-2 log of a chunk's cycles",
        at,
        u64::from(log_chunk),
        0..=max,
    )?;
    Ok(u64::from(segment.num_cycles).div_ceil(1 << log_chunk))
}

fn check_num_words(segment: &Segment, num_words: u32, at: At) -> Result<u32, ShipError> {
    let max = MAX_WORDS_PER_CYCLE * u64::from(segment.num_cycles);
    in_range("number of values", at, u64::from(num_words), 0..=max)?;
    Ok(num_words)
}

fn max_words_per_chunk(log_chunk: u32) -> u64 {
    MAX_WORDS_PER_CYCLE << log_chunk
}

/// Checks the number of values in the chunk before checkpoint `index`.
fn check_values(index: u64, at: At, value: u64, max: u64) -> Result<(), ShipError> {
    if value <= max {
        return Ok(());
    }
    let what = "number of values since the one before";
    Err(ShipError::CheckpointsNotAscending {
        index,
        at,
        what,
        value,
        min: 0,
        max,
    })
}

/// Checks that the last chunk has a number of values it can have.
fn check_last(chunks: u64, first: u32, num_words: u32, max: u64, at: At) -> Result<(), ShipError> {
    let (first, num_words) = (u64::from(first), u64::from(num_words));
    if (first..=first + max).contains(&num_words) {
        return Ok(());
    }
    Err(ShipError::CheckpointsNotAscending {
        index: chunks,
        at,
        what: "number of values",
        value: num_words,
        min: first,
        max: first + max,
    })
}

/// Checks that a checkpoint consumed no less input than the one before, and no more than there is.
fn check_input_pos(
    segment: &Segment,
    before: &Checkpoint,
    this: &Checkpoint,
    index: u64,
    at: At,
) -> Result<(), ShipError> {
    let value = u64::from(this.state.input_pos);
    let (min, max) = (
        u64::from(before.state.input_pos),
        u64::from(segment.end.input_pos),
    );
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let what = "input position";
    Err(ShipError::CheckpointsNotAscending {
        index,
        at,
        what,
        value,
        min,
        max,
    })
}
