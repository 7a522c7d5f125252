//! A Merkle-Patricia trie written straight from the definition in the Ethereum yellow paper (appendix D), to check
//! the roots that the `block` guest computes with another implementation.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, U256, keccak256};
use alloy_rlp::Encodable;

/// Root of the trie that maps the Keccak-256 hash of every key to its value.
pub fn secure_root(pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> B256 {
    let leaves: BTreeMap<Vec<u8>, Vec<u8>> = pairs
        .into_iter()
        .map(|(key, value)| (nibbles(keccak256(key).as_slice()), value))
        .collect();
    let leaves: Vec<_> = leaves.iter().map(|(k, v)| (&k[..], &v[..])).collect();
    if leaves.is_empty() {
        return keccak256([0x80]);
    }
    keccak256(node(&leaves, 0))
}

/// RLP of `[nonce, balance, storage root, code hash]`.
pub fn account(nonce: u64, balance: U256, storage: B256, code: &[u8]) -> Vec<u8> {
    list(&[
        rlp(&nonce),
        rlp(&balance),
        rlp(&storage),
        rlp(&keccak256(code)),
    ])
}

/// RLP of one value.
pub fn rlp(value: &impl Encodable) -> Vec<u8> {
    alloy_rlp::encode(value)
}

fn nibbles(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).collect()
}

fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    alloy_rlp::Header {
        list: true,
        payload_length: payload.len(),
    }
    .encode(&mut out);
    out.extend(payload);
    out
}

/// The node below which all of `leaves` lie; they agree in their first `depth` nibbles. All keys are equally long.
fn node(leaves: &[(&[u8], &[u8])], depth: usize) -> Vec<u8> {
    let (first, _) = leaves[0];
    if let [(key, value)] = leaves {
        return list(&[path(&key[depth..], true), string(value)]);
    }
    let common = (depth..first.len())
        .take_while(|&at| leaves.iter().all(|(key, _)| key[at] == first[at]))
        .count();
    if common > 0 {
        let child = reference(node(leaves, depth + common));
        return list(&[path(&first[depth..depth + common], false), child]);
    }
    let mut items: Vec<Vec<u8>> = (0..16)
        .map(|nibble| {
            let below: Vec<_> = leaves
                .iter()
                .filter(|(key, _)| key[depth] == nibble)
                .copied()
                .collect();
            if below.is_empty() {
                string(&[])
            } else {
                reference(node(&below, depth + 1))
            }
        })
        .collect();
    items.push(string(&[]));
    list(&items)
}

/// A short node stands in its parent as it is, a long one by its hash.
fn reference(node: Vec<u8>) -> Vec<u8> {
    if node.len() < 32 {
        node
    } else {
        string(keccak256(node).as_slice())
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    rlp(&Bytes::copy_from_slice(bytes))
}

/// The hex-prefix encoding of a piece of a key.
fn path(nibbles: &[u8], leaf: bool) -> Vec<u8> {
    let odd = nibbles.len() % 2 == 1;
    let flag = 2 * u8::from(leaf) + u8::from(odd);
    let mut all = vec![flag];
    if !odd {
        all.push(0);
    }
    all.extend(nibbles);
    let bytes: Vec<u8> = all.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    string(&bytes)
}
