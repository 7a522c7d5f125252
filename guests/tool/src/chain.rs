//! Inputs of the `block` guest: a small chain state and a block of transactions on it.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEnvelope, TxLegacy};
use alloy_eips::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, keccak256, uint};
use anyhow::Result;
use guest_block::{Account, Block, Slot};
use k256::ecdsa::SigningKey;

use crate::asm::{assemble, deployer};
use crate::signatures::key;

const CHAIN_ID: u64 = 1337;
const GWEI: u128 = 1_000_000_000;
const BASE_FEE: u128 = 7 * GWEI;
const MAX_FEE: u128 = 20 * GWEI;
const TIP: u128 = GWEI;
const ETHER: U256 = uint!(1_000_000_000_000_000_000_U256);

const TOKEN: Address = address!("0x00000000000000000000000000000000000e2c20");
const CHURN: Address = address!("0x0000000000000000000000000000000000c43300");
const BENEFICIARY: Address = address!("0x000000000000000000000000000000000000fee5");

/// Tokens that every funded account starts with.
const TOKENS: u64 = 1_000_000;

/// How many transactions of each kind a block has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    /// Accounts with ether and tokens; the senders of transactions are the first of them.
    pub accounts: usize,
    /// Plain transfers of ether.
    pub transfers: usize,
    /// Calls of the token's `transfer`.
    pub token_transfers: usize,
    /// Pairs of `approve` and `transferFrom`.
    pub allowances: usize,
    /// Calls of the storage-heavy contract.
    pub churns: usize,
    /// Storage slots that each of those touches.
    pub slots_per_churn: u64,
    /// Slots of that contract that are filled at the start.
    pub filled_slots: u64,
    /// Creations of a contract, each with a call of what it made.
    pub creations: usize,
    /// Calls that revert.
    pub reverts: usize,
    /// Transactions that no block can contain; see `Sender::impossible`.
    pub rejects: usize,
}

/// The input file with a block of this size.
///
/// # Errors
/// If a contract does not assemble, that is, if its source is wrong.
pub fn input(size: Size) -> Result<Vec<u8>> {
    Ok(block(size)?.to_bytes())
}

fn block(size: Size) -> Result<Block> {
    let token = assemble(include_str!("../contracts/erc20.asm"))?;
    let churn = assemble(include_str!("../contracts/churn.asm"))?;
    Ok(Block {
        chain_id: CHAIN_ID,
        number: 1_000_000,
        timestamp: 1_800_000_000,
        gas_limit: 30_000_000,
        base_fee: BASE_FEE as u64,
        beneficiary: BENEFICIARY,
        prev_randao: keccak256("rewit guest randao"),
        accounts: accounts(size, &token, churn),
        transactions: Sender::new(size.accounts).transactions(size, &token),
    })
}

/// Account `i` of those that start with ether and tokens.
fn wallet(i: usize) -> SigningKey {
    key(&format!("wallet {i}"))
}

fn address_of(key: &SigningKey) -> Address {
    Address::from_private_key(key)
}

/// The slot in which the token keeps the balance of `owner`.
fn balance_slot(owner: Address) -> U256 {
    let mut preimage = [0; 64];
    preimage[12..32].copy_from_slice(owner.as_slice());
    keccak256(preimage).into()
}

fn accounts(size: Size, token: &[u8], churn: Vec<u8>) -> Vec<Account> {
    let wallets: Vec<Address> = (0..size.accounts).map(|i| address_of(&wallet(i))).collect();
    let mut balances: Vec<Slot> = wallets
        .iter()
        .map(|&owner| Slot {
            key: balance_slot(owner),
            value: U256::from(TOKENS),
        })
        .collect();
    balances.push(Slot {
        key: U256::from(2),
        value: U256::from(TOKENS * size.accounts as u64),
    });
    balances.sort_by_key(|slot| slot.key);

    let contract = |address, code: Vec<u8>, storage| Account {
        address,
        nonce: 1,
        code: code.into(),
        storage,
        ..Account::default()
    };
    let mut accounts: Vec<Account> = wallets
        .into_iter()
        .map(|address| Account {
            address,
            balance: ETHER,
            ..Account::default()
        })
        .collect();
    accounts.push(contract(TOKEN, token.to_vec(), balances));
    let filled = (0..size.filled_slots).map(|i| Slot {
        key: U256::from(i),
        value: U256::from(i * i + 3),
    });
    accounts.push(contract(CHURN, churn, filled.collect()));
    accounts.sort_by_key(|account| account.address);
    accounts
}

/// Signs transactions and keeps the nonces.
struct Sender {
    nonces: Vec<u64>,
    /// Whose turn it is.
    turn: usize,
    raw: Vec<Bytes>,
}

impl Sender {
    fn new(wallets: usize) -> Self {
        Self {
            nonces: vec![0; wallets],
            turn: 0,
            raw: Vec::new(),
        }
    }

    /// The kinds take turns, as they do in a real block.
    fn transactions(mut self, size: Size, token: &[u8]) -> Vec<Bytes> {
        let rounds = [
            size.transfers,
            size.token_transfers,
            size.allowances,
            size.churns,
            size.creations,
            size.reverts,
            size.rejects,
        ];
        for i in 0..rounds.into_iter().max().unwrap_or(0) {
            if i < size.transfers {
                self.transfer(i);
            }
            if i < size.token_transfers {
                let to = address_of(&wallet(i + 1));
                self.call(TOKEN, abi(0xa905_9cbb, &[word(to), U256::from(i + 1)]));
            }
            if i < size.allowances {
                self.allowance();
            }
            if i < size.churns {
                // Half of the range was touched by the call before.
                let first = i as u64 * size.slots_per_churn / 2;
                let arguments = [U256::from(first), U256::from(size.slots_per_churn)];
                self.call(CHURN, abi_words(&arguments));
            }
            if i < size.creations {
                self.creation(token);
            }
            if i < size.reverts {
                // More tokens than there are.
                let to = address_of(&wallet(0));
                self.call(TOKEN, abi(0xa905_9cbb, &[word(to), U256::MAX]));
            }
            if i < size.rejects {
                self.impossible(i);
            }
        }
        self.raw
    }

    /// Ether for someone new or someone known, in turn, by each kind of transaction.
    fn transfer(&mut self, i: usize) {
        let to = if i % 2 == 0 {
            address_of(&key(&format!("newcomer {i}")))
        } else {
            address_of(&wallet(i))
        };
        let value = U256::from(i + 1) * U256::from(GWEI);
        let from = self.next();
        let nonce = self.nonce(from);
        if i % 3 == 1 {
            let tx = TxLegacy {
                chain_id: Some(CHAIN_ID),
                nonce,
                gas_price: MAX_FEE,
                gas_limit: 21_000,
                to: to.into(),
                value,
                input: Bytes::new(),
            };
            self.push(tx, &wallet(from));
        } else {
            let tx = eip1559(nonce, 21_000, to.into(), value, Bytes::new());
            self.push(tx, &wallet(from));
        }
    }

    /// One wallet lets the next one spend tokens, which it does at once, with an access list.
    fn allowance(&mut self) {
        let owner = self.next();
        let spender = self.next();
        let [owner_address, spender_address] = [owner, spender].map(|i| address_of(&wallet(i)));
        let amount = U256::from(500);

        let nonce = self.nonce(owner);
        let approve = abi(0x095e_a7b3, &[word(spender_address), amount]);
        self.push(
            eip1559(nonce, 100_000, TOKEN.into(), U256::ZERO, approve),
            &wallet(owner),
        );

        let transfer_from = abi(
            0x23b8_72dd,
            &[word(owner_address), word(BENEFICIARY), amount],
        );
        let tx = TxEip2930 {
            chain_id: CHAIN_ID,
            nonce: self.nonce(spender),
            gas_price: MAX_FEE,
            gas_limit: 150_000,
            to: TOKEN.into(),
            value: U256::ZERO,
            access_list: AccessList(vec![AccessListItem {
                address: TOKEN,
                storage_keys: vec![balance_slot(owner_address).into()],
            }]),
            input: transfer_from,
        };
        self.push(tx, &wallet(spender));
    }

    /// A second token, and a question to it.
    fn creation(&mut self, token: &[u8]) {
        let creator = self.next();
        let nonce = self.nonce(creator);
        let made = address_of(&wallet(creator)).create(nonce);
        let code = deployer(token).into();
        self.push(
            eip1559(nonce, 400_000, TxKind::Create, U256::ZERO, code),
            &wallet(creator),
        );
        self.call(made, abi(0x1816_0ddd, &[]));
    }

    /// A transaction that no block can contain, for the `which`-th reason.
    fn impossible(&mut self, which: usize) {
        let from = self.next();
        let nonce = self.nonces[from];
        let to = TxKind::from(BENEFICIARY);
        match which % 4 {
            0 => self.raw.push(Bytes::from_static(b"\x02not a transaction")),
            1 => self.push(
                eip1559(nonce + 5, 21_000, to, U256::ONE, Bytes::new()),
                &wallet(from),
            ),
            2 => self.push(
                eip1559(nonce, 21_000, to, ETHER * U256::from(2), Bytes::new()),
                &wallet(from),
            ),
            _ => {
                // A signature of something else makes some penniless stranger the sender.
                let tx = eip1559(nonce, 21_000, to, U256::ONE, Bytes::new());
                let other = eip1559(nonce, 21_000, to, U256::ZERO, Bytes::new());
                let stolen = sign(other.signature_hash(), &wallet(from));
                self.raw.push(encode(tx, stolen));
            }
        }
    }

    fn call(&mut self, to: Address, input: Bytes) {
        let from = self.next();
        let nonce = self.nonce(from);
        self.push(
            eip1559(nonce, 3_000_000, to.into(), U256::ZERO, input),
            &wallet(from),
        );
    }

    fn push<T: SignableTransaction<Signature>>(&mut self, tx: T, from: &SigningKey)
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = sign(tx.signature_hash(), from);
        self.raw.push(encode(tx, signature));
    }

    fn next(&mut self) -> usize {
        let turn = self.turn;
        self.turn = (turn + 1) % self.nonces.len();
        turn
    }

    fn nonce(&mut self, wallet: usize) -> u64 {
        self.nonces[wallet] += 1;
        self.nonces[wallet] - 1
    }
}

fn eip1559(nonce: u64, gas_limit: u64, to: TxKind, value: U256, input: Bytes) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit,
        max_fee_per_gas: MAX_FEE,
        max_priority_fee_per_gas: TIP,
        to,
        value,
        access_list: AccessList::default(),
        input,
    }
}

fn sign(hash: B256, key: &SigningKey) -> Signature {
    key.sign_prehash_recoverable(hash.as_slice())
        .expect("hash of 32 bytes")
        .into()
}

fn encode<T: SignableTransaction<Signature>>(tx: T, signature: Signature) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    TxEnvelope::from(tx.into_signed(signature))
        .encoded_2718()
        .into()
}

fn word(address: Address) -> U256 {
    U256::from_be_slice(address.as_slice())
}

/// Call data: a function selector and its arguments.
fn abi(selector: u32, arguments: &[U256]) -> Bytes {
    let mut data = selector.to_be_bytes().to_vec();
    data.extend(abi_words(arguments));
    data.into()
}

fn abi_words(words: &[U256]) -> Bytes {
    words
        .iter()
        .flat_map(|word| word.to_be_bytes::<32>())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_eips::Decodable2718;
    use guest_block::{Receipt, State, call, execute, load, recover, root};

    use super::*;
    use crate::trie_oracle;

    const EVERYTHING: Size = Size {
        accounts: 5,
        transfers: 6,
        token_transfers: 3,
        allowances: 2,
        churns: 3,
        slots_per_churn: 12,
        filled_slots: 10,
        creations: 1,
        reverts: 1,
        rejects: 4,
    };

    /// The root of `state` by the other implementation.
    fn oracle_root(state: &State, code: &BTreeMap<B256, Bytes>) -> B256 {
        let accounts = state.cache.accounts.iter();
        trie_oracle::secure_root(
            accounts
                .filter(|(_, account)| !account.info.is_empty())
                .map(|(address, account)| {
                    let slots = account.storage.iter().filter(|(_, v)| !v.is_zero());
                    let storage = trie_oracle::secure_root(slots.map(|(key, value)| {
                        (key.to_be_bytes::<32>().to_vec(), trie_oracle::rlp(value))
                    }));
                    let info = &account.info;
                    let code = code.get(&info.code_hash).cloned().unwrap_or_default();
                    let leaf = trie_oracle::account(info.nonce, info.balance, storage, &code);
                    (address.to_vec(), leaf)
                }),
        )
    }

    fn code(block: &Block) -> BTreeMap<B256, Bytes> {
        let accounts = block.accounts.iter();
        accounts
            .map(|account| (keccak256(&account.code), account.code.clone()))
            .collect()
    }

    #[test]
    fn roots_agree_with_another_trie() {
        let block = block(EVERYTHING).unwrap();
        let code = code(&block);
        let mut state = load(&block.accounts);
        let before = root(&state);
        assert_eq!(before, oracle_root(&state, &code));
        execute(&block, &mut state).unwrap();
        assert_ne!(root(&state), before);
        assert_eq!(root(&state), oracle_root(&state, &code));
        assert_eq!(root(&load(&[])), oracle_root(&load(&[]), &code));
    }

    #[test]
    fn every_kind_of_transaction_ends_as_it_should() {
        let block = block(EVERYTHING).unwrap();
        let mut state = load(&block.accounts);
        let receipts = execute(&block, &mut state).unwrap();
        let count = |kind: fn(&Receipt) -> bool| receipts.iter().filter(|r| kind(r)).count();
        assert_eq!(count(|r| matches!(r, Receipt::Succeeded { .. })), 18);
        assert_eq!(count(|r| matches!(r, Receipt::Reverted { .. })), 1);
        assert_eq!(count(|r| matches!(r, Receipt::Rejected)), 4);

        // Tokens were moved, not made: all balances add up to the supply.
        let token = &state.cache.accounts[&TOKEN].storage;
        let mut owners: Vec<Address> = (0..EVERYTHING.accounts)
            .map(|i| address_of(&wallet(i)))
            .collect();
        owners.push(BENEFICIARY);
        let total: U256 = owners
            .iter()
            .filter_map(|&owner| token.get(&balance_slot(owner)))
            .sum();
        assert_eq!(total, token[&U256::from(2)]);
        assert_eq!(token[&balance_slot(BENEFICIARY)], U256::from(2 * 500));

        // The tip goes to the beneficiary, one gwei per unit of gas or more.
        let gas = guest_block::Summary::of(&receipts).gas_used;
        let fees = state.cache.accounts[&BENEFICIARY].info.balance;
        assert!(fees >= U256::from(gas) * U256::from(TIP));
    }

    #[test]
    fn churn_fills_and_clears_slots() {
        let size = Size {
            accounts: 1,
            churns: 2,
            slots_per_churn: 8,
            filled_slots: 4,
            ..Size::default()
        };
        let block = block(size).unwrap();
        let mut state = load(&block.accounts);
        execute(&block, &mut state).unwrap();
        // What the two calls, of slots 0..8 and 4..12, make of 3, 4, 7, 12 and zeros.
        let mut expected: Vec<u64> = (0..12).map(|i| if i < 4 { i * i + 3 } else { 0 }).collect();
        for range in [0..8, 4..12] {
            for i in range {
                let v = expected[i as usize];
                expected[i as usize] = if v % 4 == 3 { 0 } else { 5 * v + i + 1 };
            }
        }
        let storage = &state.cache.accounts[&CHURN].storage;
        for (i, value) in expected.into_iter().enumerate() {
            let got = storage.get(&U256::from(i)).copied().unwrap_or_default();
            assert_eq!(got, U256::from(value), "slot {i}");
        }
        // Both ways through the loop were taken.
        assert!(storage.values().any(|value| value.is_zero()));
        assert!(storage.values().any(|value| !value.is_zero()));
    }

    #[test]
    fn senders_agree_with_alloy() {
        let mut rejected = 0;
        for raw in block(EVERYTHING).unwrap().transactions {
            let Ok(tx) = TxEnvelope::decode_2718_exact(&raw) else {
                continue;
            };
            let sender = recover(tx.signature(), tx.signature_hash());
            assert_eq!(sender, tx.recover_signer().ok());
            // No key has r = 0, s = 0, or an s in the upper half.
            let n = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
            let (r, s, v) = (tx.signature().r(), tx.signature().s(), tx.signature().v());
            for (r, s) in [(U256::ZERO, s), (r, U256::ZERO), (r, n - s), (n, s), (r, n)] {
                let bad = Signature::new(r, s, v);
                assert_eq!(recover(&bad, tx.signature_hash()), None);
                rejected += 1;
            }
        }
        assert!(rejected > 0);
    }

    /// Ours and revm's precompiled contracts: same cost, same answer.
    #[test]
    fn precompiled_contracts_agree_with_revm() {
        let raw = &block(EVERYTHING).unwrap().transactions[0];
        let tx = TxEnvelope::decode_2718_exact(raw).unwrap();
        let signature = tx.signature();
        let mut good = tx.signature_hash().to_vec();
        good.extend(U256::from(27 + u8::from(signature.v())).to_be_bytes::<32>());
        good.extend(signature.r().to_be_bytes::<32>());
        good.extend(signature.s().to_be_bytes::<32>());
        let mut inputs: Vec<Vec<u8>> = (0..=130).map(|len| vec![0x5a; len]).collect();
        // The other parity, a wrong recovery id, one that is too long, and every length of a good input.
        for (at, flip) in [(63, 27 ^ 28), (63, 4), (40, 1), (70, 1), (100, 1), (3, 1)] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            inputs.push(bad);
        }
        inputs.extend((0..=good.len()).map(|len| good[..len].to_vec()));
        inputs.push([&good[..], b"more"].concat());

        let theirs = revm::precompile::Precompiles::prague();
        for number in 1..=0x12 {
            let their = theirs.get(&Address::with_last_byte(number));
            for input in &inputs {
                let Some((gas, output)) = call(number, input) else {
                    assert!(![1, 2, 4].contains(&number));
                    continue;
                };
                let their = their.unwrap().execute(input, u64::MAX, 0).unwrap();
                assert_eq!((gas, &output[..]), (their.gas_used, &their.bytes[..]));
            }
            assert_eq!(their.is_some(), number <= 0x11, "{number}");
        }
        let sender = recover(signature, tx.signature_hash()).unwrap();
        assert_eq!(call(1, &good).unwrap().1, sender.into_word().to_vec());
    }

    #[test]
    fn a_block_with_an_unknown_precompiled_contract_is_refused() {
        let mut block = block(EVERYTHING).unwrap();
        for (number, fine) in [(4, true), (5, false), (0x12, true)] {
            let mut sender = Sender::new(1);
            sender.call(Address::with_last_byte(number), Bytes::from_static(b"x"));
            block.transactions = sender.raw;
            let receipts = execute(&block, &mut load(&block.accounts));
            assert_eq!(receipts.is_ok(), fine, "{number}");
        }
    }

    #[test]
    fn malformed_blocks_are_refused() {
        let good = block(EVERYTHING).unwrap();
        let bytes = good.to_bytes();
        assert_eq!(Block::from_bytes(&bytes), Ok(good.clone()));
        for end in 0..bytes.len() {
            assert!(Block::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        let spoil: [fn(&mut Block); 5] = [
            |b| b.accounts.swap(0, 1),
            |b| b.accounts.push(b.accounts.last().unwrap().clone()),
            |b| b.accounts[0] = Account::default(),
            |b| contract(b).storage.swap(0, 1),
            |b| contract(b).storage[0].value = U256::ZERO,
        ];
        for (i, spoil) in spoil.into_iter().enumerate() {
            let mut bad = good.clone();
            spoil(&mut bad);
            assert!(Block::from_bytes(&bad.to_bytes()).is_err(), "way {i}");
        }
    }

    fn contract(block: &mut Block) -> &mut Account {
        block
            .accounts
            .iter_mut()
            .find(|account| account.address == TOKEN)
            .unwrap()
    }
}
