//! The state in memory and its root.

use alloc::vec::Vec;

use alloy_primitives::{B256, U256};
use alloy_trie::TrieAccount;
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use revm::bytecode::Bytecode;
use revm::database::{AccountState, CacheDB, DbAccount, EmptyDB};
use revm::state::AccountInfo;

use crate::Account;

/// Everything there is: nothing lies behind the cache.
pub type State = CacheDB<EmptyDB>;

/// Fills a state with `accounts`.
pub fn load(accounts: &[Account]) -> State {
    let mut state = State::default();
    for account in accounts {
        let code = Bytecode::new_raw(account.code.clone());
        let info = AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: code.hash_slow(),
            code: Some(code),
            ..AccountInfo::default()
        };
        state.insert_account_info(account.address, info);
        for slot in &account.storage {
            let Ok(()) = state.insert_account_storage(account.address, slot.key, slot.value);
        }
    }
    state
}

/// Root of the Merkle-Patricia trie over all accounts, as a block header carries it.
///
/// Cost: the tries are built anew, one Keccak hash for each account, slot and inner node.
pub fn root(state: &State) -> B256 {
    let accounts: Vec<_> = state
        .cache
        .accounts
        .iter()
        .filter(|(_, account)| exists(account))
        .map(|(address, account)| (*address, trie_account(account)))
        .collect();
    state_root_unhashed(accounts)
}

/// Touched accounts that ended up empty are no part of the state (EIP-161).
fn exists(account: &DbAccount) -> bool {
    account.account_state != AccountState::NotExisting && !account.info.is_empty()
}

fn trie_account(account: &DbAccount) -> TrieAccount {
    let slots = account
        .storage
        .iter()
        .filter(|(_, value)| !value.is_zero())
        .map(|(key, value): (&U256, &U256)| (B256::from(*key), *value));
    TrieAccount {
        nonce: account.info.nonce,
        balance: account.info.balance,
        storage_root: storage_root_unhashed(slots),
        code_hash: account.info.code_hash,
    }
}
