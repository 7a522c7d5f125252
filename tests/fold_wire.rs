//! What folding sends: sizes, and one test per reason to refuse bytes, with the offset that the
//! error names.

mod fold_values;

use std::fmt::Debug;

use ark_ff::PrimeField;
use ark_serialize::CanonicalSerialize;
use fold_values::*;
use rewit::backend::curve::Fr;
use rewit::fold::wire::{
    CROSS_TERM_BYTES, HEADER_BYTES, decode_cross_term, decode_fresh, encode_cross_term,
    encode_fresh, fresh_witness_bytes,
};
use rewit::fold::{
    Dimensions, FoldProof, Instance, Order, PointError, RelaxedInstance, RelaxedWitness, WireError,
};

/// A decoder that encodes again what it decoded.
type Again = Box<dyn Fn(&[u8]) -> Result<Vec<u8>, WireError>>;

/// Integers of every length of encoding.
fn integers() -> Vec<i64> {
    let powers = (0..64).map(|bit| 1_i64 << bit);
    powers
        .flat_map(|power| [power, power.wrapping_sub(1), -power.wrapping_sub(1), !power])
        .collect()
}

/// Every kind of message: its name, its bytes, and its decoder.
fn messages() -> Vec<(&'static str, Vec<u8>, Again)> {
    let dimensions = DIMENSIONS[0];
    let integers = integers();
    let len = integers.len();
    vec![
        (
            "instance",
            instance(&dimensions).encode(),
            Box::new(move |bytes| Ok(Instance::decode(bytes, &dimensions)?.encode())),
        ),
        (
            "fresh witness",
            encode_fresh(&integers),
            Box::new(move |bytes| Ok(encode_fresh(&decode_fresh(bytes, len)?))),
        ),
        (
            "relaxed instance",
            relaxed_instance(&dimensions).encode(),
            Box::new(move |bytes| Ok(RelaxedInstance::decode(bytes, &dimensions)?.encode())),
        ),
        (
            "relaxed witness",
            relaxed_witness(&dimensions).encode(),
            Box::new(move |bytes| Ok(RelaxedWitness::decode(bytes, &dimensions)?.encode())),
        ),
        (
            "cross term",
            encode_cross_term(&point(3)),
            Box::new(|bytes| Ok(encode_cross_term(&decode_cross_term(bytes)?))),
        ),
        (
            "proof",
            proof().encode(),
            Box::new(|bytes| Ok(FoldProof::decode(bytes, &DIMENSIONS)?.encode())),
        ),
    ]
}

#[test]
fn messages_come_back() {
    for dimensions in &DIMENSIONS {
        let sent = instance(dimensions);
        assert_eq!(Instance::decode(&sent.encode(), dimensions), Ok(sent));
        let sent = relaxed_instance(dimensions);
        assert_eq!(
            RelaxedInstance::decode(&sent.encode(), dimensions),
            Ok(sent)
        );
        let sent = relaxed_witness(dimensions);
        assert_eq!(RelaxedWitness::decode(&sent.encode(), dimensions), Ok(sent));
    }
    assert_eq!(
        decode_cross_term(&encode_cross_term(&point(0))),
        Ok(point(0))
    );
    assert_eq!(
        decode_fresh(&encode_fresh(&integers()), 256),
        Ok(integers())
    );
    for order in Order::ALL {
        let mut sent = proof();
        sent.order = order;
        let bytes = sent.encode();
        let header = FoldProof::inspect(&bytes).unwrap();
        assert_eq!(
            (header.log_rows, header.log_cycles, header.order),
            (4, 9, order)
        );
        assert_eq!(header.num_chunks, CHUNKS.map(|chunks| chunks as u32));
        assert!(FoldProof::decode(&bytes, &DIMENSIONS) == Ok(sent));
    }
}

#[test]
fn sizes_are_those_of_the_messages() {
    for dimensions in &DIMENSIONS {
        let instance = relaxed_instance(dimensions).encode().len();
        let witness = relaxed_witness(dimensions).encode().len();
        assert_eq!(dimensions.relaxed_instance_bytes(), instance);
        assert_eq!(dimensions.relaxed_witness_bytes(), witness);
        assert_eq!(dimensions.accumulator_bytes(), instance + witness);
        let fresh = fold_values::instance(dimensions).encode().len();
        assert_eq!(dimensions.instance_bytes(), fresh);
    }
    assert_eq!(CROSS_TERM_BYTES, encode_cross_term(&point(1)).len());
    for integers in [
        vec![],
        integers(),
        vec![0, 63, -64],
        vec![64, -65],
        vec![i64::MIN; 3],
    ] {
        assert_eq!(
            fresh_witness_bytes(&integers),
            encode_fresh(&integers).len()
        );
    }
    // Groups of seven bits, the sign among them.
    assert_eq!(fresh_witness_bytes(&[63, -64]), HEADER_BYTES + 2);
    assert_eq!(fresh_witness_bytes(&[64, -65]), HEADER_BYTES + 4);
    assert_eq!(fresh_witness_bytes(&[i64::MIN]), HEADER_BYTES + 10);
    let tables = [(DIMENSIONS[0], CHUNKS[0]), (DIMENSIONS[1], CHUNKS[1])];
    assert_eq!(
        Dimensions::proof_bytes(&tables),
        proof().encode().len() as u64
    );
}

#[test]
fn scalars_and_points_are_encoded_as_by_arkworks() {
    let sent = relaxed_instance(&DIMENSIONS[0]);
    let mut theirs = Vec::new();
    for scalar in sent.head() {
        scalar.serialize_compressed(&mut theirs).unwrap();
    }
    for point in sent.parts.iter().chain([&sent.error]) {
        point.serialize_compressed(&mut theirs).unwrap();
    }
    assert_eq!(sent.encode()[HEADER_BYTES..], theirs);
}

#[test]
fn every_truncation_and_extension_is_refused() {
    for (name, bytes, decode) in messages() {
        for len in 0..bytes.len() {
            match decode(&bytes[..len]) {
                Err(WireError::BadMagic { found }) => assert!(len < 4 && found == bytes[..len]),
                Err(WireError::Truncated {
                    offset,
                    expected,
                    found,
                    ..
                }) => {
                    assert_eq!(offset + found, len as u64, "{name}");
                    assert!(
                        found < expected && offset + expected <= bytes.len() as u64,
                        "{name}"
                    );
                }
                other => panic!("{name}, {len} bytes: {other:?}"),
            }
        }
        for extra in [1, 32, 1000] {
            let longer = [&bytes[..], &vec![0; extra]].concat();
            let (offset, extra) = (bytes.len() as u64, extra as u64);
            let error = WireError::TrailingBytes { offset, extra };
            assert_eq!(decode(&longer), Err(error), "{name}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_another_value() {
    let mut accepted = 0;
    for (name, bytes, decode) in messages() {
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(again) = decode(&flipped) {
                assert!(
                    again == flipped,
                    "{name}, bit {bit}: decoded, but has another encoding"
                );
                assert!(bit >= 8 * HEADER_BYTES, "{name}, bit {bit}");
                accepted += 1;
            }
        }
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn random_bytes_are_refused_or_encoded_alike() {
    let mut stream = blake3::Hasher::new()
        .update(b"random messages")
        .finalize_xof();
    let mut bytes = vec![0; 2000];
    let mut tried = 0;
    for (name, good, decode) in messages() {
        for len in [8, 9, 40, 100, 500, good.len(), 2000] {
            for with_header in [false, true] {
                stream.fill(&mut bytes);
                if with_header {
                    bytes[..HEADER_BYTES].copy_from_slice(&good[..HEADER_BYTES]);
                }
                if let Ok(again) = decode(&bytes[..len]) {
                    assert_eq!(again, bytes[..len], "{name}");
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 6 * 7 * 2);
}

/// Bytes with others in their place.
fn tampered(bytes: &[u8], offset: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + new.len()].copy_from_slice(new);
    bytes
}

fn refusal<T: Debug>(result: Result<T, WireError>) -> (WireError, String) {
    let error = result.expect_err("refused");
    let text = error.to_string();
    (error, text)
}

#[test]
fn headers_are_checked() {
    for (_, bytes, decode) in messages() {
        let refused = |offset, new: &[u8]| refusal(decode(&tampered(&bytes, offset, new)));
        assert!(matches!(refused(0, b"RWFE").0, WireError::BadMagic { .. }));
        let (error, text) = refused(4, &[2, 0]);
        assert_eq!(error, WireError::UnsupportedVersion { found: 2 });
        assert_eq!(
            text,
            "unsupported version 2 at byte 4: this build reads version 1"
        );
        let (found, expected) = (bytes[6] + 1, bytes[6]);
        let (error, text) = refused(6, &[found]);
        assert_eq!(error, WireError::WrongKind { expected, found });
        assert_eq!(text, format!("kind {found} at byte 6: expected {expected}"));
        let (_, text) = refused(7, &[1]);
        assert_eq!(text, "reserved byte 1 at byte 7: expected 0 to 0");
    }
}

/// The group's order, little-endian, and more.
fn order_plus(more: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, limb) in bytes.chunks_exact_mut(8).zip(Fr::MODULUS.0) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
    bytes[0] += more;
    bytes
}

#[test]
fn scalars_must_be_canonical() {
    let dimensions = DIMENSIONS[0];
    let bytes = relaxed_instance(&dimensions).encode();
    for scalar in [order_plus(0), order_plus(1), [0xff; 32]] {
        for (at, what) in [(0, "u"), (1, "x"), (3, "x")] {
            let offset = HEADER_BYTES + 32 * at;
            let bytes = tampered(&bytes, offset, &scalar);
            let (error, text) = refusal(RelaxedInstance::decode(&bytes, &dimensions));
            let offset = offset as u64;
            assert_eq!(error, WireError::BadScalar { what, offset });
            assert_eq!(
                text,
                format!("{what} at byte {offset}: expected a scalar below the group's order")
            );
        }
    }
    // One less than the order is a scalar: minus one.
    let mut last = order_plus(0);
    last[0] -= 1;
    let bytes = tampered(&bytes, HEADER_BYTES, &last);
    assert_eq!(
        RelaxedInstance::decode(&bytes, &dimensions).unwrap().u,
        Fr::from(-1)
    );

    let bytes = relaxed_witness(&dimensions).encode();
    for (at, what) in [
        (0, "part known"),
        (2, "part main"),
        (7, "part lookup"),
        (11, "error"),
    ] {
        let offset = HEADER_BYTES + 32 * at;
        // A later one is bad too: the first is named.
        let bytes = tampered(&bytes, offset, &order_plus(0));
        let bytes = tampered(&bytes, HEADER_BYTES + 32 * 11, &order_plus(0));
        let (error, _) = refusal(RelaxedWitness::decode(&bytes, &dimensions));
        let offset = offset as u64;
        assert_eq!(error, WireError::BadScalar { what, offset });
    }
}

#[test]
fn points_must_be_of_the_group() {
    // The field's order is above the group's by less than 2^128.
    let mut order = Vec::new();
    for limb in <ark_bn254::Fq as PrimeField>::MODULUS.0 {
        order.extend(limb.to_le_bytes());
    }
    let mut infinity = [0; 32];
    infinity[31] = 0x40;
    // 4³ + 3 = 67 is no square.
    let mut off_curve = [0; 32];
    off_curve[0] = 4;
    let mut spoilt = infinity;
    spoilt[0] = 1;
    let mut both_flags = infinity;
    both_flags[31] = 0xc0;
    let dimensions = DIMENSIONS[0];
    let bytes = relaxed_instance(&dimensions).encode();
    for (new, reason) in [
        (order.as_slice(), PointError::NotCanonical),
        (&[0x3f; 32], PointError::NotCanonical),
        (&off_curve, PointError::NotOnCurve),
        (&spoilt, PointError::BadInfinity),
        (&both_flags, PointError::BadInfinity),
    ] {
        for (at, what) in [(4, "commitment to a part"), (7, "commitment to the error")] {
            let offset = HEADER_BYTES + 32 * at;
            let bytes = tampered(&bytes, offset, new);
            let (error, text) = refusal(RelaxedInstance::decode(&bytes, &dimensions));
            let offset = offset as u64;
            assert_eq!(
                error,
                WireError::BadPoint {
                    what,
                    offset,
                    reason
                }
            );
            assert_eq!(text, format!("{what} at byte {offset}: {reason}"));
        }
    }
}

#[test]
fn integers_have_one_encoding() {
    let header = encode_fresh(&[]);
    let decode = |bytes: &[u8], len| decode_fresh(&[&header, bytes].concat(), len);
    assert_eq!(decode(&[1], 1), Ok(vec![-1]));
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(decode(&most, 1), Ok(vec![i64::MIN]));
    let mut above = most;
    above[9] = 2;
    for bytes in [&[0x80, 0][..], &[0xff, 0x80, 0], &above, &[0xff; 11]] {
        let offset = HEADER_BYTES as u64 + 1;
        let error = decode(&[&[0], bytes].concat(), 2).unwrap_err();
        assert_eq!(error, WireError::BadInteger { offset }, "{bytes:?}");
    }
}

#[test]
fn proofs_of_other_shapes_are_refused() {
    let bytes = proof().encode();
    let decode = |bytes: &[u8]| FoldProof::decode(bytes, &DIMENSIONS);
    let refused = |offset, new: &[u8]| refusal(decode(&tampered(&bytes, offset, new))).1;
    assert_eq!(refused(8, &[32]), "log_rows 32 at byte 8: expected 0 to 31");
    assert_eq!(
        refused(9, &[32]),
        "log_cycles 32 at byte 9: expected 0 to 31"
    );
    assert_eq!(refused(10, &[2]), "order 2 at byte 10: expected 0 to 1");
    assert_eq!(
        refused(11, &[65]),
        "number of tables 65 at byte 11: expected 0 to 64"
    );
    assert_eq!(
        refused(11, &[1]),
        "number of tables 1 at byte 11: expected 2 to 2"
    );
    assert_eq!(
        refused(12, &[0]),
        "number of chunks 0 at byte 12: expected 1 to 4294967295"
    );
    // One chunk is 224 bytes: three scalars, three points and a cross term.
    let rest = bytes.len() - 20;
    assert_eq!(
        refused(12, &[2]),
        format!(
            "224 trailing bytes at byte {}: expected the end",
            20 + rest - 224
        )
    );
    assert_eq!(
        refused(12, &[4]),
        format!(
            "truncated: tables at byte 20: expected {} bytes, found {rest}",
            rest + 224
        )
    );
    assert!(refused(12, &[0xff; 8]).starts_with("truncated: tables at byte 20"));
    // Another order of folding decodes: what it means is for whoever verifies.
    assert_eq!(
        decode(&tampered(&bytes, 10, &[0])).unwrap().order,
        Order::Sequential
    );
    // The bytes are those of two tables, but not of these two.
    let swapped = [DIMENSIONS[1], DIMENSIONS[0]];
    assert!(FoldProof::decode(&bytes, &swapped).is_err());
    assert!(FoldProof::decode(&bytes, &DIMENSIONS[..1]).is_err());
    assert!(FoldProof::decode(&bytes, &[]).is_err());
}
