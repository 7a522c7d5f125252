//! Field elements as the device holds them: words in Montgomery form, extensions as consecutive words.

use p3_baby_bear::BabyBear;
use p3_field::{ExtensionField, Field, PrimeCharacteristicRing, TwoAdicField};

use super::Device;
use super::device::Buffer;
use crate::Result;
use crate::witness::monty::into_elements;
pub(super) use crate::witness::monty::words;

/// The words of an extension element, then zeros.
pub(super) fn extension_words<E: ExtensionField<BabyBear>, const N: usize>(element: E) -> [u32; N] {
    let mut result = [0; N];
    let coefficients = element.as_basis_coefficients_slice();
    result[..coefficients.len()].copy_from_slice(words(coefficients));
    result
}

/// Extension elements from their words, one after the other.
pub(super) fn extensions<E: ExtensionField<BabyBear>>(words: Vec<u32>) -> Vec<E> {
    let elements = into_elements(words);
    let chunks = elements.chunks_exact(E::DIMENSION);
    chunks
        .map(|chunk| E::from_basis_coefficients_slice(chunk).expect("a chunk is an element long"))
        .collect()
}

/// Entries of one of the three tables of `bit_product`.
const TABLE_LEN: usize = 512;

/// Tables for the kernels' `bit_product`, the same for every height.
#[derive(Debug)]
pub(super) struct Tables {
    /// For row `i` of a low-degree extension, the point that it is at.
    pub(super) coset: Buffer<u32>,
    /// For pair `i` of a codeword of FRI, the inverse of the point that it is at.
    pub(super) folds: Buffer<u32>,
}

impl Tables {
    /// Uploads 12 KiB.
    pub(super) fn new(device: &Device) -> Result<Self> {
        let root = |log_order| match log_order <= BabyBear::TWO_ADICITY {
            true => BabyBear::two_adic_generator(log_order),
            false => BabyBear::ONE, // of a bit that no index has
        };
        let coset = products(BabyBear::GENERATOR, |bit| root(bit + 1));
        let folds = products(BabyBear::ONE, |bit| root(bit + 2).inverse());
        Ok(Self {
            coset: device.upload("the points of the coset", words(&coset))?,
            folds: device.upload("the points of codewords", words(&folds))?,
        })
    }
}

/// `first` times the product of the factors of the set bits, for each index of 27 bits: tables for
/// nine bits each.
fn products(first: BabyBear, factor: impl Fn(usize) -> BabyBear) -> Vec<BabyBear> {
    let mut result = Vec::with_capacity(3 * TABLE_LEN);
    for table in 0..3 {
        let start = result.len();
        result.push(if table == 0 { first } else { BabyBear::ONE });
        for bit in 0..TABLE_LEN.ilog2() as usize {
            let factor = factor(9 * table + bit);
            for i in 0..1 << bit {
                result.push(result[start + i] * factor);
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use p3_field::extension::BinomialExtensionField;

    #[test]
    fn extensions_are_montgomery_words() {
        let monty = [0, 1, 2, crate::witness::P - 1].map(crate::witness::to_monty);
        let element: BinomialExtensionField<BabyBear, 4> = extensions(monty.to_vec())[0];
        assert_eq!(extension_words(element), monty);
        assert_eq!(
            extension_words(element),
            [monty[0], monty[1], monty[2], monty[3], 0, 0]
        );
    }

    #[test]
    fn rows_are_at_the_points_that_plonky3_has() {
        let tables = products(BabyBear::GENERATOR, |bit| {
            BabyBear::two_adic_generator((bit + 1).min(27))
        });
        // The boundaries of the three tables, and one height whose indices reach the last.
        for log_rows in [1, 9, 10, 19] {
            let root = BabyBear::two_adic_generator(log_rows);
            for row in [0usize, 1, 511, 512, 513, 1 << 18, (1 << 18) + 77] {
                let row = row % (1 << log_rows);
                let reversed = row.reverse_bits() >> (usize::BITS as usize - log_rows);
                let expected = BabyBear::GENERATOR * root.exp_u64(reversed as u64);
                let product =
                    tables[row & 511] * tables[512 + (row >> 9 & 511)] * tables[1024 + (row >> 18)];
                assert_eq!(product, expected, "row {row} of 2^{log_rows}");
            }
        }
    }
}
