//! BN254's field elements and points as the device holds them: 32-bit words of Montgomery form.

use std::marker::PhantomData;

use ark_ec::AffineRepr;
use ark_ff::{BigInt, Fp, FpConfig};
use rayon::prelude::*;

use super::Device;
use super::device::{Buffer, View};
use crate::Result;
use crate::backend::curve::{Fr, G1Affine};

/// An element of either field: the words of its Montgomery form, the lowest first.
pub(super) type Words = [u32; 8];

/// A point in affine form: x and y, both zero for the point at infinity, which no point of the curve has.
pub(super) type PointWords = [Words; 2];

/// Elements that are converted at a time, so that both copies of them are seldom there in full.
pub(super) const SLICE: usize = 1 << 20;

/// The words of an element.
pub(super) fn words<P: FpConfig<4>>(element: Fp<P, 4>) -> Words {
    bytemuck::cast(element.0.0)
}

/// The element of some words.
///
/// They are the device's own results, and not checked: from elsewhere, words of the modulus or more would make an element that
/// is no such.
pub(super) fn element<P: FpConfig<4>>(words: Words) -> Fp<P, 4> {
    Fp(BigInt(bytemuck::cast(words)), PhantomData)
}

/// The words of a point.
pub(super) fn point_words(point: &G1Affine) -> PointWords {
    match point.xy() {
        Some((x, y)) => [words(x), words(y)],
        None => [[0; 8]; 2],
    }
}

/// Brings scalars to the device.
///
/// # Errors
/// Those of the device.
pub(super) fn upload(device: &Device, what: &'static str, scalars: &[Fr]) -> Result<Buffer<Words>> {
    let buffer = device.alloc(what, scalars.len())?;
    for (i, slice) in scalars.chunks(SLICE).enumerate() {
        let converted: Vec<Words> = slice.par_iter().map(|scalar| words(*scalar)).collect();
        device.write(buffer.view(i * SLICE..i * SLICE + slice.len()), &converted)?;
    }
    Ok(buffer)
}

/// Brings scalars back.
///
/// # Errors
/// Those of the device.
pub(super) fn download(device: &Device, scalars: View<'_, Words>) -> Result<Vec<Fr>> {
    let mut result = Vec::with_capacity(scalars.len());
    let mut slice = vec![[0; 8]; scalars.len().min(SLICE)];
    while result.len() < scalars.len() {
        let from = result.len();
        let to = scalars.len().min(from + SLICE);
        let slice = &mut slice[..to - from];
        device.download_into(scalars.view(from..to), slice)?;
        result.par_extend(slice.par_iter().map(|words| element(*words)));
    }
    Ok(result)
}
