//! FRI on the device: folding, and the commitments and openings of its layers.

use p3_baby_bear::BabyBear;
use p3_field::ExtensionField;

use super::Device;
use super::device::Ptr;
use super::elements::{Tables, extension_words};
use super::launch::{Kernel, Shape};
use super::open::Codeword;
use crate::Result;

const FOLD_4: Kernel = Kernel::new("fri", "fri_fold_4");
const FOLD_5: Kernel = Kernel::new("fri", "fri_fold_5");

/// Base-2 logarithm of the largest arity that one launch folds by.
const MAX_LOG_ARITY: u32 = 3;

/// Folds a codeword by 2^`log_arity`, and adds `beta`^(2^`log_arity`) times `next`, of the folded
/// length.
///
/// # Errors
/// Errors of the device.
/// # Panics
/// If the lengths do not match, or the arity is 1 or more than the length.
pub(super) fn fold<E: ExtensionField<BabyBear>>(
    device: &Device,
    tables: &Tables,
    codeword: &Codeword,
    log_arity: u32,
    beta: E,
    next: Option<&Codeword>,
) -> Result<Codeword> {
    assert!((1..=codeword.log_len).contains(&log_arity));
    let (mut left, mut beta) = (log_arity, beta);
    let mut folded: Option<Codeword> = None;
    while left > 0 {
        let log_arity = left.min(MAX_LOG_ARITY);
        left -= log_arity;
        let next = next.filter(|_| left == 0);
        let input = folded.as_ref().unwrap_or(codeword);
        folded = Some(fold_once(device, tables, input, log_arity, beta, next)?);
        beta = beta.exp_power_of_2(log_arity as usize);
    }
    Ok(folded.expect("the arity is more than 1"))
}

fn fold_once<E: ExtensionField<BabyBear>>(
    device: &Device,
    tables: &Tables,
    codeword: &Codeword,
    log_arity: u32,
    beta: E,
    next: Option<&Codeword>,
) -> Result<Codeword> {
    let log_len = codeword.log_len - log_arity;
    assert_eq!(codeword.words.len(), E::DIMENSION << codeword.log_len);
    assert!(next.is_none_or(|next| next.log_len == log_len));
    let output = device.alloc("a folded codeword", E::DIMENSION << log_len)?;
    let args = (
        codeword.words.ptr(),
        tables.folds.ptr(),
        log_arity,
        1u32 << log_len,
        next.map_or(Ptr::null(), |next| next.words.ptr()),
        output.ptr(),
    );
    match E::DIMENSION {
        4 => launch_fold::<E, 4>(device, FOLD_4, beta, args)?,
        _ => launch_fold::<E, 5>(device, FOLD_5, beta, args)?,
    }
    Ok(Codeword {
        words: output,
        log_len,
    })
}

/// Launches `fri_fold`; `N` is the degree.
fn launch_fold<E: ExtensionField<BabyBear>, const N: usize>(
    device: &Device,
    kernel: Kernel,
    beta: E,
    (input, tables, log_arity, rows, next, output): (
        Ptr<u32>,
        Ptr<u32>,
        u32,
        u32,
        Ptr<u32>,
        Ptr<u32>,
    ),
) -> Result<()> {
    let weight = beta.exp_power_of_2(log_arity as usize);
    let args = (
        input,
        tables,
        extension_words::<E, N>(beta),
        log_arity,
        rows,
        next,
        extension_words::<E, N>(weight),
        output,
    );
    let shape = Shape::linear(rows as usize, 256);
    // SAFETY: fri_fold's parameters; the input has 2^log_arity elements for each row, `next`, if there
    // is one, and the output have one.
    unsafe { device.launch(kernel, shape, args) }
}

#[cfg(test)]
mod tests;
