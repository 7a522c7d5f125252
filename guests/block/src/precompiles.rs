//! The precompiled contracts that need little code: `ecrecover`, SHA-256 and identity.
//!
//! revm brings all of them, with two pairing-friendly curves, which makes 2 MB of code. A prover pays for code in every
//! segment. A block that calls one of the others is refused as a whole, because its outcome would be wrong.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use alloy_primitives::map::AddressSet;
use alloy_primitives::{Address, B256, Bytes, Signature, U256};
use revm::context_interface::{Cfg, ContextTr};
use revm::handler::PrecompileProvider;
use revm::interpreter::{CallInputs, Gas, InstructionResult, InterpreterResult};
use sha2::{Digest, Sha256};

use crate::recover::recover_any;

/// The last address that is a precompiled contract in Prague.
const LAST: u8 = 0x11;

/// Gas that a call costs, and what it returns.
pub type Answer = (u64, Vec<u8>);

/// Calls precompiled contract number `number`; `None` if this guest lacks it.
pub fn call(number: u8, input: &[u8]) -> Option<Answer> {
    let words = input.len().div_ceil(32) as u64;
    match number {
        1 => Some((3000, ecrecover(input).unwrap_or_default())),
        2 => Some((60 + 12 * words, Sha256::digest(input).to_vec())),
        4 => Some((15 + 3 * words, input.to_vec())),
        _ => None,
    }
}

/// The address whose key signed a hash, as a word: the input is hash, recovery id (27 or 28), `r` and `s`, a word
/// each, as if followed by zeros.
fn ecrecover(input: &[u8]) -> Option<Vec<u8>> {
    let mut words = [0; 128];
    let len = input.len().min(words.len());
    words[..len].copy_from_slice(&input[..len]);
    let word = |i: usize| U256::from_be_slice(&words[32 * i..][..32]);

    let parity = match u8::try_from(word(1)).ok()? {
        27 => false,
        28 => true,
        _ => return None,
    };
    let signature = Signature::new(word(2), word(3), parity);
    let address = recover_any(&signature, B256::from_slice(&words[..32]))?;
    Some(address.into_word().to_vec())
}

/// The part that plugs into revm.
#[derive(Debug)]
pub struct Precompiles {
    /// Every address that Prague has something at, ours or not: calling it costs no more than a warm account.
    addresses: AddressSet,
}

impl Precompiles {
    /// Knows all addresses and a few of the contracts.
    pub fn new() -> Self {
        let address = |number| Address::with_last_byte(number);
        Self {
            addresses: (1..=LAST).map(address).collect(),
        }
    }
}

impl<C: ContextTr> PrecompileProvider<C> for Precompiles {
    type Output = InterpreterResult;

    fn set_spec(&mut self, _: <C::Cfg as Cfg>::Spec) -> bool {
        // Says whether addresses must be made warm; there is only one set of them, and the first call must do it.
        true
    }

    fn run(
        &mut self,
        context: &mut C,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        if !self.addresses.contains(&inputs.bytecode_address) {
            return Ok(None);
        }
        let number = inputs.bytecode_address[19];
        let (cost, output) = call(number, &inputs.input.as_bytes(context)).ok_or_else(|| {
            format!("precompiled contract {number:#04x} is not part of the guest")
        })?;
        let mut gas = Gas::new(inputs.gas_limit);
        let result = if gas.record_regular_cost(cost) {
            InterpreterResult::new(InstructionResult::Return, Bytes::from(output), gas)
        } else {
            gas.spend_all();
            InterpreterResult::new(InstructionResult::PrecompileOOG, Bytes::new(), gas)
        };
        Ok(Some(result))
    }

    fn warm_addresses(&self) -> &AddressSet {
        &self.addresses
    }
}
