//! Key files: what is saved is loaded, and one test per reason to refuse a file.

use std::fs;
use std::path::Path;

use ark_bn254::Fq;
use ark_ff::PrimeField;
use rewit::Error;
use rewit::fold::key::{CommitmentKey, HEADER_BYTES, KEY_POINT_BYTES, KeyError, MAX_POINTS};

fn key() -> CommitmentKey {
    CommitmentKey::derive(5).unwrap()
}

/// Sets the digest to that of the changed bytes, as whoever makes up a file would.
fn seal(bytes: &mut [u8]) {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..20]).update(&bytes[52..]);
    bytes[20..52].copy_from_slice(hasher.finalize().as_bytes());
}

/// What is said of the file with bytes in place of others, digest included.
fn tampered(offset: usize, new: &[u8]) -> KeyError {
    let mut bytes = key().encode();
    bytes[offset..offset + new.len()].copy_from_slice(new);
    seal(&mut bytes);
    CommitmentKey::decode(&bytes).unwrap_err()
}

#[test]
fn files_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    for len in [1, 5, 33] {
        // The second and third replace what was there.
        let key = CommitmentKey::derive(len).unwrap();
        key.save(&path).unwrap();
        assert!(CommitmentKey::load(&path).unwrap() == key);
        assert!(fs::read(&path).unwrap() == key.encode());
    }
    let files = fs::read_dir(dir.path()).unwrap();
    assert_eq!(files.count(), 1, "no temporary file is left");
}

#[test]
fn paths_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such");
    for error in [
        key().save(&missing).unwrap_err(),
        CommitmentKey::load(&missing).unwrap_err(),
    ] {
        assert!(
            matches!(&error, Error::Io { path, .. } if *path == missing),
            "{error}"
        );
    }
}

#[test]
fn a_refused_file_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    fs::write(&path, b"REWITPRF, and more").unwrap();
    let error = CommitmentKey::load(&path).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::BadMagic { .. })));
    let mut bytes = key().encode();
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    let error = CommitmentKey::load(&path).unwrap_err();
    let text = "bad commitment key: 1 trailing bytes at byte 372: expected the end";
    assert_eq!(error.to_string(), text);
    bytes.truncate(100);
    fs::write(&path, &bytes).unwrap();
    let error = CommitmentKey::load(&path).unwrap_err();
    let text = "bad commitment key: truncated: expected 372 bytes, found 100";
    assert_eq!(error.to_string(), text);
}

#[cfg(target_os = "linux")]
#[test]
fn endless_files_are_refused() {
    let error = CommitmentKey::load(Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(error, Error::Key(KeyError::BadMagic { .. })));
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let bytes = key().encode();
    for len in 0..bytes.len() {
        let error = CommitmentKey::decode(&bytes[..len]).unwrap_err();
        let expected = if len < HEADER_BYTES {
            HEADER_BYTES
        } else {
            bytes.len()
        } as u64;
        let found = len as u64;
        match error {
            KeyError::BadMagic { found } => assert!(len < 8 && found == bytes[..len]),
            error => assert_eq!(error, KeyError::Truncated { expected, found }),
        }
    }
    for extra in [1, 64] {
        let longer = [&bytes[..], &vec![0; extra]].concat();
        let (offset, extra) = (bytes.len() as u64, extra as u64);
        let error = KeyError::TrailingBytes { offset, extra };
        assert_eq!(CommitmentKey::decode(&longer), Err(error));
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = key().encode();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = CommitmentKey::decode(&flipped).unwrap_err();
        // All but the number of points and the version is under the digest.
        if bit >= 8 * 20 {
            assert_eq!(error, KeyError::DigestMismatch);
        }
    }
}

#[test]
fn headers_are_checked() {
    assert!(matches!(
        tampered(0, b"rewitkey"),
        KeyError::BadMagic { .. }
    ));
    let error = tampered(8, &[2]);
    assert_eq!(error, KeyError::UnsupportedVersion { found: 2 });
    assert_eq!(
        error.to_string(),
        "unsupported version 2 at byte 8: this build reads version 1"
    );
    for found in [0, MAX_POINTS as u64 + 1, u64::MAX] {
        let error = tampered(12, &found.to_le_bytes());
        assert_eq!(error, KeyError::BadCount { found });
        let text = format!("{found} points at byte 12: expected 1 to 67108864");
        assert_eq!(error.to_string(), text);
    }
    // Four GiB of points that are not there.
    let error = tampered(12, &(MAX_POINTS as u64).to_le_bytes());
    assert!(matches!(
        error,
        KeyError::Truncated {
            expected: 4_294_967_348,
            found: 372
        }
    ));
}

#[test]
fn points_are_checked() {
    let mut order = Vec::new();
    for limb in Fq::MODULUS.0 {
        order.extend(limb.to_le_bytes());
    }
    for point in [0, 4] {
        let at = HEADER_BYTES + KEY_POINT_BYTES * point;
        for (offset, coordinate) in [(at, 'x'), (at + 32, 'y')] {
            for new in [&order[..], &[0xff; 32]] {
                let error = tampered(offset, new);
                let offset = offset as u64;
                assert_eq!(
                    error,
                    KeyError::NotCanonical {
                        point,
                        coordinate,
                        offset
                    }
                );
                assert_eq!(
                    error.to_string(),
                    format!(
                        "{coordinate} of point {point} at byte {offset}: expected less than the \
                         field's order"
                    )
                );
            }
        }
        // Infinity as some write it, the other coordinate's sign, and a bit.
        for (offset, new) in [(at, [0; 64].as_slice()), (at, &[9]), (at + 32, &[0])] {
            let error = tampered(offset, new);
            let offset = at as u64;
            assert_eq!(error, KeyError::NotOnCurve { point, offset });
            let text = format!("point {point} at byte {offset}: expected a point of the curve");
            assert_eq!(error.to_string(), text);
        }
    }
}

#[test]
fn chosen_points_are_found_by_deriving_them_again() {
    let mut bytes = key().encode();
    // The fourth generator is the second once more: a relation that breaks binding.
    let second = HEADER_BYTES + KEY_POINT_BYTES;
    bytes.copy_within(
        second..second + KEY_POINT_BYTES,
        second + 2 * KEY_POINT_BYTES,
    );
    seal(&mut bytes);
    let chosen = CommitmentKey::decode(&bytes).unwrap();
    assert_eq!(
        chosen.check_derived(),
        Err(KeyError::NotDerived { point: 3 })
    );
    key().check_derived().unwrap();
}

/// Against BLAKE3 and the curve in plain Python: `tests/data/key/generators.py` prints the index, x
/// and y.
#[test]
fn generators_are_pinned() {
    let key = CommitmentKey::derive(1001).unwrap();
    let hex = |value: Fq| {
        let [a, b, c, d] = value.into_bigint().0;
        format!("{d:016x}{c:016x}{b:016x}{a:016x}")
    };
    let mut num_checked = 0;
    for line in include_str!("data/key/generators.txt").lines() {
        let [index, x, y] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let point = key.points()[index.parse::<usize>().unwrap()];
        assert_eq!(
            (hex(point.x), hex(point.y)),
            (x.into(), y.into()),
            "{index}"
        );
        num_checked += 1;
    }
    assert_eq!(num_checked, 6);
}
