//! Decodes bytes as they are, and again with the lengths and the digest an author would put.
//! Whatever decodes must encode, and where nothing was compressed, to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rewit::ship::{
    Compression, DIGEST_OFFSET, HEADER_BYTES, MAGIC, VERSION, decode, encode, inspect,
};

fuzz_target!(|data: &[u8]| {
    check(data);
    if data.len() < HEADER_BYTES {
        return;
    }
    let mut sealed = data.to_vec();
    let (head, body) = sealed.split_at_mut(HEADER_BYTES);
    let stored = (body.len() as u64).to_le_bytes();
    head[..8].copy_from_slice(&MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    if head[11] == Compression::Raw as u8 {
        head[400..408].copy_from_slice(&stored);
    }
    head[408..416].copy_from_slice(&stored);
    let (head, digest) = head.split_at_mut(DIGEST_OFFSET);
    let hash = *blake3::Hasher::new()
        .update(head)
        .update(body)
        .finalize()
        .as_bytes();
    digest.copy_from_slice(&hash);
    check(&sealed);
});

fn check(bytes: &[u8]) {
    let header = inspect(bytes);
    let Ok(shipment) = decode(bytes) else { return };
    let header = header.expect("what decodes has a good header");
    let raw = encode(&shipment, Compression::Raw).expect("what decodes encodes");
    assert!(decode(&raw).as_ref() == Ok(&shipment));
    if header.compression == Compression::Raw {
        assert!(raw == bytes, "a shipment has one raw encoding");
    }
}
