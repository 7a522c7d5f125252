//! Executes a block of signed transactions with revm and commits to the state before and after it.
//!
//! Per block: decode the pre-state and compute its root; per transaction: decode, recover the sender from the
//! signature, check nonce, balance and fees, execute; at the end compute the root of the state that is left.
//!
//! A transaction that a real block could not contain (wrong signature, nonce or balance) is *rejected*: it changes
//! nothing and the block goes on. One that runs and fails is *reverted*: its nonce moves and its gas is paid.
//!
//! Input: see [`Block`]. Journal: pre-state root, post-state root (32 bytes each), gas used (`u64` little-endian).
#![no_std]

extern crate alloc;

mod execute;
mod input;
mod precompiles;
mod recover;
mod state;

use alloc::format;
use alloc::vec::Vec;

use guest_rt::{BadInput, Output};

pub use execute::{Receipt, Summary, execute};
pub use input::{Account, Block, MAGIC, Slot, VERSION};
pub use precompiles::call;
pub use recover::recover;
pub use state::{State, load, root};

/// Executes the block in `input`.
///
/// # Errors
/// [`BadInput`] if `input` is not a well-formed [`Block`], or see [`execute`]. Transactions may be anything at all.
pub fn run(input: &[u8]) -> Result<Output, BadInput> {
    let block = Block::from_bytes(input)?;
    let mut state = load(&block.accounts);
    let pre_root = root(&state);
    let Summary {
        succeeded,
        reverted,
        rejected,
        gas_used,
    } = Summary::of(&execute(&block, &mut state)?);
    let post_root = root(&state);

    let mut journal = Vec::from(pre_root.0);
    journal.extend(post_root.0);
    journal.extend(gas_used.to_le_bytes());
    Ok(Output {
        text: format!(
            "pre-state root  {pre_root}\n\
             post-state root {post_root}\n\
             gas used        {gas_used}\n\
             transactions    {}: {succeeded} succeeded, {reverted} reverted, {rejected} rejected\n",
            block.transactions.len(),
        ),
        journal,
    })
}
