//! From raw transactions to receipts.

use alloc::vec::Vec;

use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::Decodable2718;
use alloy_primitives::U256;
use guest_rt::BadInput;
use revm::context::result::EVMError;
use revm::context::{BlockEnv, CfgEnv, Context, Evm, TxEnv};
use revm::handler::EthFrame;
use revm::handler::instructions::EthInstructions;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteCommitEvm, MainContext};

use crate::precompiles::Precompiles;
use crate::{Block, State, recover};

/// The rules in force.
const SPEC: SpecId = SpecId::PRAGUE;

/// What became of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It ran to its end.
    Succeeded {
        /// Gas paid for.
        gas: u64,
    },
    /// It ran and failed; only nonce and fees changed.
    Reverted {
        /// Gas paid for.
        gas: u64,
    },
    /// It cannot be part of the block; nothing changed.
    Rejected,
}

/// Totals over a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of [`Receipt::Succeeded`].
    pub succeeded: u32,
    /// Number of [`Receipt::Reverted`].
    pub reverted: u32,
    /// Number of [`Receipt::Rejected`].
    pub rejected: u32,
    /// Gas of all transactions together.
    pub gas_used: u64,
}

impl Summary {
    /// Adds up `receipts`.
    pub fn of(receipts: &[Receipt]) -> Self {
        let mut sum = Self::default();
        for receipt in receipts {
            match *receipt {
                Receipt::Succeeded { gas } => {
                    sum.succeeded += 1;
                    sum.gas_used += gas;
                }
                Receipt::Reverted { gas } => {
                    sum.reverted += 1;
                    sum.gas_used += gas;
                }
                Receipt::Rejected => sum.rejected += 1,
            }
        }
        sum
    }
}

/// Executes the transactions of `block` one after the other on `state`.
///
/// # Errors
/// [`BadInput`] if a transaction calls a precompiled contract that this guest lacks: what it does is then unknown.
pub fn execute(block: &Block, state: &mut State) -> Result<Vec<Receipt>, BadInput> {
    let mut cfg = CfgEnv::new_with_spec(SPEC);
    cfg.chain_id = block.chain_id;
    let context = Context::mainnet()
        .with_db(state)
        .with_cfg(cfg)
        .with_block(BlockEnv {
            number: U256::from(block.number),
            beneficiary: block.beneficiary,
            timestamp: U256::from(block.timestamp),
            gas_limit: block.gas_limit,
            basefee: block.base_fee,
            prevrandao: Some(block.prev_randao),
            ..BlockEnv::default()
        });
    let instructions = EthInstructions::new_mainnet_with_spec(SPEC);
    let mut evm = Evm::<_, (), _, _, EthFrame>::new(context, instructions, Precompiles::new());

    let mut gas_left = block.gas_limit;
    let mut receipts = Vec::with_capacity(block.transactions.len());
    for raw in &block.transactions {
        let outcome = match decode(raw).filter(|tx| tx.gas_limit <= gas_left) {
            None => None,
            Some(tx) => match evm.transact_commit(tx) {
                Ok(result) => Some(result),
                Err(EVMError::Transaction(_)) => None,
                // The database cannot fail and the header was made here: only a precompiled contract is left.
                Err(_) => return Err(BadInput("a precompiled contract that this guest lacks")),
            },
        };
        let receipt = match outcome {
            None => Receipt::Rejected,
            Some(result) => {
                let gas = result.tx_gas_used();
                gas_left -= gas;
                if result.is_success() {
                    Receipt::Succeeded { gas }
                } else {
                    Receipt::Reverted { gas }
                }
            }
        };
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// Decodes a raw transaction and recovers who signed it. `None` if it is malformed or of a kind that this guest does
/// not execute (blobs and delegations).
fn decode(raw: &[u8]) -> Option<TxEnv> {
    let tx = TxEnvelope::decode_2718_exact(raw).ok()?;
    if !matches!(
        tx,
        TxEnvelope::Legacy(_) | TxEnvelope::Eip2930(_) | TxEnvelope::Eip1559(_)
    ) {
        return None;
    }
    let caller = recover(tx.signature(), tx.signature_hash())?;
    Some(TxEnv {
        tx_type: tx.tx_type() as u8,
        caller,
        gas_limit: tx.gas_limit(),
        gas_price: tx.max_fee_per_gas(),
        kind: tx.kind(),
        value: tx.value(),
        data: tx.input().clone(),
        nonce: tx.nonce(),
        chain_id: tx.chain_id(),
        access_list: tx.access_list().cloned().unwrap_or_default(),
        gas_priority_fee: tx.max_priority_fee_per_gas(),
        ..TxEnv::default()
    })
}
