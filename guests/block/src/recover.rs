//! Who signed: the sender of a transaction from its signature.
//!
//! The recovery in the `ecdsa` crate verifies the signature with the key it has just recovered, which holds by
//! construction and doubles the cost; nodes do without, and so does this guest.

use alloy_primitives::{Address, B256, Signature, U256};
use k256::elliptic_curve::ff::PrimeField;
use k256::elliptic_curve::group::Group;
use k256::elliptic_curve::ops::{Invert, LinearCombination, Reduce};
use k256::elliptic_curve::point::DecompressPoint;
use k256::elliptic_curve::sec1::ToEncodedPoint;
use k256::elliptic_curve::subtle::Choice;
use k256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar};

/// The sender of a transaction: as [`recover_any`], and `None` if `s` lies in the upper half of its range (EIP-2).
pub fn recover(signature: &Signature, hash: B256) -> Option<Address> {
    match signature.normalize_s() {
        Some(_) => None,
        None => recover_any(signature, hash),
    }
}

/// The account whose key made `signature` over `hash`. `None` if no key can have made it.
pub fn recover_any(signature: &Signature, hash: B256) -> Option<Address> {
    let r = non_zero_scalar(signature.r())?;
    let s = non_zero_scalar(signature.s())?;
    let z = <Scalar as Reduce<k256::U256>>::reduce_bytes(&FieldBytes::from(hash.0));

    // `r` is the x coordinate of the nonce point `k G`. From `s k = z + r d`: the key `d G = (s k G - z G) / r`.
    let nonce = Option::<AffinePoint>::from(AffinePoint::decompress(
        &r.to_repr(),
        Choice::from(u8::from(signature.v())),
    ))?;
    let inverse = Option::<Scalar>::from(r.invert_vartime())?;
    let key = ProjectivePoint::lincomb(
        &ProjectivePoint::GENERATOR,
        &-(inverse * z),
        &ProjectivePoint::from(nonce),
        &(inverse * s),
    );
    if bool::from(key.is_identity()) {
        return None;
    }
    let key = key.to_affine().to_encoded_point(false);
    Some(Address::from_raw_public_key(&key.as_bytes()[1..]))
}

fn non_zero_scalar(value: U256) -> Option<Scalar> {
    let bytes = FieldBytes::from(value.to_be_bytes::<32>());
    let scalar = Option::<Scalar>::from(Scalar::from_repr(bytes))?;
    (!bool::from(scalar.is_zero())).then_some(scalar)
}
