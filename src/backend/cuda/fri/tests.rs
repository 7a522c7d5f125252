use std::marker::PhantomData;

use p3_field::extension::BinomialExtensionField;
use p3_fri::{FriFoldingStrategy, TwoAdicFriFolding};
use p3_matrix::dense::RowMajorMatrix;

use super::super::elements::extensions;
use super::super::testing::{Rng, device};
use super::*;

fn challenge<E: ExtensionField<BabyBear>>(rng: &mut Rng) -> E {
    E::from_basis_coefficients_fn(|_| into_elements(vec![rng.element()])[0])
}

fn agrees<E: ExtensionField<BabyBear>>(seed: u64) {
    let Some(device) = device() else { return };
    let tables = Tables::new(&device).unwrap();
    let mut rng = Rng::new(seed);
    let folding = TwoAdicFriFolding::<(), ()>(PhantomData);
    // Arities of one launch (2, 4, 8) and of two (16, 32, 64); to one element, to less than a block and
    // to several blocks.
    for log_arity in 1..=6u32 {
        for log_rows in [0, 1, 2, 5, 9] {
            let log_len = log_arity + log_rows;
            let input: Vec<E> = (0..1 << log_len).map(|_| challenge(&mut rng)).collect();
            let next: Vec<E> = (0..1 << log_rows).map(|_| challenge(&mut rng)).collect();
            let beta: E = challenge(&mut rng);
            let upload = |values: &[E], log_len| {
                let words: Vec<u32> = values
                    .iter()
                    .flat_map(|&v| extension_words::<E, 5>(v)[..E::DIMENSION].to_vec())
                    .collect();
                let words = device.upload("a codeword", &words).unwrap();
                Codeword { words, log_len }
            };
            let matrix = RowMajorMatrix::new(input.clone(), 1 << log_arity);
            let expected = folding.fold_matrix(beta, log_arity as usize, matrix);
            let (codeword, joined) = (upload(&input, log_len), upload(&next, log_rows));
            let weight = beta.exp_power_of_2(log_arity as usize);
            for with_next in [false, true] {
                let next_word = with_next.then_some(&joined);
                let found = fold(&device, &tables, &codeword, log_arity, beta, next_word).unwrap();
                let found: Vec<E> = extensions(device.download(&found.words).unwrap());
                for (row, (&found, &folded)) in found.iter().zip(&expected).enumerate() {
                    let added = if with_next {
                        weight * next[row]
                    } else {
                        E::ZERO
                    };
                    assert_eq!(
                        found,
                        folded + added,
                        "row {row} of 2^{log_rows}, arity 2^{log_arity}"
                    );
                }
                assert_eq!(found.len(), expected.len());
            }
        }
    }
}

#[test]
fn folds_as_plonky3_does() {
    agrees::<BinomialExtensionField<BabyBear, 4>>(1);
    agrees::<BinomialExtensionField<BabyBear, 5>>(2);
}
