//! The input format: five bytes of header, then one RLP list.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use guest_rt::BadInput;

/// First bytes of the input.
pub const MAGIC: &[u8; 4] = b"RWBK";

/// The byte after the magic: the one version of the format.
pub const VERSION: u8 = 1;

/// A block and the whole state it starts from.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Block {
    /// Transactions signed for another chain are rejected.
    pub chain_id: u64,
    /// Height.
    pub number: u64,
    /// Seconds since 1970.
    pub timestamp: u64,
    /// All transactions together may ask for no more than this.
    pub gas_limit: u64,
    /// Price per gas that is burnt.
    pub base_fee: u64,
    /// Receives the price above the base fee.
    pub beneficiary: Address,
    /// What `PREVRANDAO` returns.
    pub prev_randao: B256,
    /// Every account there is, by ascending address.
    pub accounts: Vec<Account>,
    /// Raw transactions as the network carries them (EIP-2718).
    pub transactions: Vec<Bytes>,
}

/// One account of the pre-state; never an empty one (EIP-161).
#[derive(Clone, Debug, Default, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Account {
    /// Where it is.
    pub address: Address,
    /// Transactions sent or contracts created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Empty for an account that no contract lives in.
    pub code: Bytes,
    /// Every slot that is not zero, by ascending key.
    pub storage: Vec<Slot>,
}

/// One storage slot; `value` is never zero.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub struct Slot {
    /// Slot number.
    pub key: U256,
    /// What it holds.
    pub value: U256,
}

impl Block {
    /// The input file that holds this block.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::from(*MAGIC);
        bytes.push(VERSION);
        self.encode(&mut bytes);
        bytes
    }

    /// Reads an input file.
    ///
    /// # Errors
    /// [`BadInput`] if the header is unknown, the RLP is not canonical or of another shape, bytes are left over, or
    /// the accounts are not as [`Account`] and [`Slot`] say: then the pre-state root would not be that of a state.
    pub fn from_bytes(input: &[u8]) -> Result<Self, BadInput> {
        let mut rest = input
            .strip_prefix(MAGIC)
            .ok_or(BadInput("input does not start with RWBK"))?
            .strip_prefix(&[VERSION])
            .ok_or(BadInput("input has an unknown version"))?;
        let block = Self::decode(&mut rest).map_err(|_| BadInput("input is not a block in RLP"))?;
        if !rest.is_empty() {
            return Err(BadInput("input goes on after the block"));
        }
        if !block.accounts.is_sorted_by(|a, b| a.address < b.address) {
            return Err(BadInput("accounts are not in ascending order"));
        }
        for account in &block.accounts {
            account.check()?;
        }
        Ok(block)
    }
}

impl Account {
    fn check(&self) -> Result<(), BadInput> {
        if self.nonce == 0 && self.balance.is_zero() && self.code.is_empty() {
            return Err(BadInput("an account is empty"));
        }
        if !self.storage.is_sorted_by(|a, b| a.key < b.key) {
            return Err(BadInput("storage slots are not in ascending order"));
        }
        if self.storage.iter().any(|slot| slot.value.is_zero()) {
            return Err(BadInput("a storage slot holds zero"));
        }
        Ok(())
    }
}
