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
/// Slots of the storage-heavy contract that are filled at the start.
const FILLED_SLOTS: u64 = 64;

/// How many transactions of each kind a block has.
#[derive(Clone, Copy, Debug)]
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
    /// Whether to add the odd ones: a contract creation and a call of what it made, a call that reverts, and
    /// transactions with a wrong nonce, too little balance, a signature of someone else, and no meaning at all.
    pub odd_ones: bool,
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
        accounts: accounts(size.accounts, &token, churn),
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

fn accounts(count: usize, token: &[u8], churn: Vec<u8>) -> Vec<Account> {
    let wallets: Vec<Address> = (0..count).map(|i| address_of(&wallet(i))).collect();
    let mut balances: Vec<Slot> = wallets
        .iter()
        .map(|&owner| Slot {
            key: balance_slot(owner),
            value: U256::from(TOKENS),
        })
        .collect();
    balances.push(Slot {
        key: U256::from(2),
        value: U256::from(TOKENS * count as u64),
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
    let filled = (0..FILLED_SLOTS).map(|i| Slot {
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
        let most = [
            size.transfers,
            size.token_transfers,
            size.allowances,
            size.churns,
        ];
        for i in 0..most.into_iter().max().unwrap_or(0) {
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
        }
        if size.odd_ones {
            self.odd_ones(token);
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

    fn odd_ones(&mut self, token: &[u8]) {
        // A second token, and a question to it.
        let creator = self.next();
        let nonce = self.nonce(creator);
        let made = address_of(&wallet(creator)).create(nonce);
        let code = deployer(token).into();
        self.push(
            eip1559(nonce, 400_000, TxKind::Create, U256::ZERO, code),
            &wallet(creator),
        );
        self.call(made, abi(0x1816_0ddd, &[]));

        // More tokens than the sender has: reverts, and is paid for.
        let to = address_of(&wallet(0));
        self.call(TOKEN, abi(0xa905_9cbb, &[word(to), U256::MAX]));

        // The rest can be in no block. A nonce that is too high:
        let from = self.next();
        let far = self.nonces[from] + 5;
        self.push(
            eip1559(far, 21_000, to.into(), ETHER, Bytes::new()),
            &wallet(from),
        );
        // more ether than there is:
        let nonce = self.nonces[from];
        let all = ETHER * U256::from(2);
        self.push(
            eip1559(nonce, 21_000, to.into(), all, Bytes::new()),
            &wallet(from),
        );
        // a tampered signature, which makes some penniless stranger the sender:
        let tx = eip1559(nonce, 21_000, to.into(), ETHER, Bytes::new());
        let other = eip1559(nonce + 1, 21_000, to.into(), ETHER, Bytes::new());
        let stolen = sign(other.signature_hash(), &wallet(from));
        self.raw.push(encode(tx, stolen));
        // and no transaction at all.
        self.raw.push(Bytes::from_static(b"\x02not a transaction"));
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
