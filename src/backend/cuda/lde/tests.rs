//! The extension against Plonky3's.

use super::super::testing::{Rng, device};
use super::*;
use crate::backend::types::Dft;
use crate::witness::{Matrix, P};
use p3_dft::{NaiveDft, TwoAdicSubgroupDft};
use p3_field::{Field, PrimeCharacteristicRing};
use p3_matrix::Matrix as _;
use p3_matrix::bitrev::BitReversibleMatrix;
use p3_matrix::dense::RowMajorMatrix;

/// The extension by `dft`, `[width][N]`.
fn expected<D: TwoAdicSubgroupDft<Val>>(
    dft: &D,
    columns: &[u32],
    size: Size,
    shift: Val,
) -> Vec<u32> {
    let transposed = RowMajorMatrix::new(columns.to_vec(), 1 << size.log_n).transpose();
    let rows = Matrix {
        words: transposed.values,
        width: size.width,
    };
    let extended = dft
        .coset_lde_batch(rows.into_field(), size.log_blowup as usize, shift)
        .bit_reverse_rows()
        .to_row_major_matrix();
    let extended = Matrix::from_field(extended);
    RowMajorMatrix::new(extended.words, size.width)
        .transpose()
        .values
}

fn check<D: TwoAdicSubgroupDft<Val>>(
    device: &Device,
    roots: &Roots,
    dft: &D,
    size: Size,
    shift: Val,
    words: &[u32],
) {
    let input = device.upload("input", words).unwrap();
    let output = device.alloc("output", size.output_len()).unwrap();
    device.fill_bytes(&output, 0xa5).unwrap();
    extend_into(device, roots, input.all(), &output, size, shift).unwrap();
    let found = device.download(&output).unwrap();
    let expected = expected(dft, words, size, shift);
    if let Some(at) = (0..found.len()).find(|&i| found[i] != expected[i]) {
        panic!(
            "{size:?}, shift {shift}: word {at} is {:#x} rather than {:#x}",
            found[at], expected[at]
        );
    }
    assert_eq!(device.download(&input).unwrap(), words, "the input is kept");
}

fn size(width: usize, log_n: u32, log_blowup: u32) -> Size {
    Size::new(width, 1 << log_n, log_blowup).unwrap()
}

/// The coset of commitments, the subgroup itself, and one that is nothing special.
fn shifts() -> [Val; 3] {
    [Val::GENERATOR, Val::ONE, Val::from_u32(0x1234_5678)]
}

/// By the definition of a transform, for heights where that is affordable.
#[test]
fn low_tables_extend_as_the_naive_transform_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let mut rng = Rng::new(3);
    for log_n in 0..=4 {
        for log_blowup in 0..=5 {
            for (width, shift) in [1, 3, 17].into_iter().zip(shifts()) {
                let size = size(width, log_n, log_blowup);
                let words = rng.elements(size.input_len());
                check(&device, &roots, &NaiveDft, size, shift, &words);
            }
        }
    }
}

/// Widths around a block's columns, and a trace's; one more column than fit a block of height 1.
#[test]
fn tables_of_any_width_extend_as_plonky3_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let mut rng = Rng::new(4);
    let dft = Dft::default();
    for (width, log_n) in [(4097, 0), (15, 8), (16, 8), (17, 8), (174, 6), (174, 11)] {
        let size = size(width, log_n, 1);
        let words = rng.elements(size.input_len());
        check(&device, &roots, &dft, size, Val::GENERATOR, &words);
    }
}

/// Every height of the one-kernel way, with every blow-up once.
#[test]
fn columns_in_shared_memory_extend_as_plonky3_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let mut rng = Rng::new(5);
    let dft = Dft::default();
    for log_n in 5..MIN_LOG_PASSES {
        let size = size(3, log_n, log_n % 6);
        let shift = shifts()[log_n as usize % 3];
        let words = rng.elements(size.input_len());
        check(&device, &roots, &dft, size, shift, &words);
    }
}

/// The three passes: no doubling, one, and several cosets.
#[test]
fn columns_in_three_passes_extend_as_plonky3_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let mut rng = Rng::new(6);
    let dft = Dft::default();
    for (log_n, width, log_blowup) in [
        (15, 3, 0),
        (15, 2, 5),
        (15, 17, 1),
        (16, 3, 1),
        (17, 1, 2),
        (18, 1, 1),
    ] {
        let size = size(width, log_n, log_blowup);
        let shift = shifts()[log_n as usize % 3];
        let words = rng.elements(size.input_len());
        check(&device, &roots, &dft, size, shift, &words);
    }
}

/// The longest columns, whose transforms are of 2^9 to 2^11 words. On a device with little shared
/// memory the last goes coset by coset; the stand-in is one unless `REWIT_STANDIN_CC=90`.
#[test]
fn long_columns_extend_as_plonky3_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let mut rng = Rng::new(7);
    let dft = Dft::default();
    for (log_n, log_blowup) in [(19, 1), (20, 1), (21, 1), (22, 1)] {
        let size = size(1, log_n, log_blowup);
        let words = rng.elements(size.input_len());
        check(&device, &roots, &dft, size, Val::GENERATOR, &words);
    }
}

/// Words at the ends of the field's range, in every place at once.
#[test]
fn extreme_words_extend_as_plonky3_does() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let dft = Dft::default();
    for log_n in [3, 12, 15] {
        let size = size(3, log_n, 1);
        let n = 1 << log_n;
        let mut words = vec![0; n];
        words.extend(vec![P - 1; n]);
        words.extend((0..n).map(|i| if i % 2 == 0 { 0 } else { P - 1 }));
        check(&device, &roots, &dft, size, Val::GENERATOR, &words);
    }
}

#[test]
fn an_empty_table_extends_to_an_empty_one() {
    let Some(device) = device() else { return };
    let roots = Roots::new(&device).unwrap();
    let size = size(0, 20, 1);
    assert_eq!(size.working_bytes(), 0);
    let input = device.alloc("input", 0).unwrap();
    let output = extend(&device, &roots, input.all(), size, Val::ONE).unwrap();
    assert_eq!(output.len(), 0);
}

#[test]
fn tables_that_cannot_be_extended_are_refused() {
    for (height, log_blowup) in [(0, 1), (3, 1), (1 << 23, 1), (1 << 22, 6)] {
        let refused = Size::new(1, height, log_blowup);
        assert!(matches!(refused, Err(Error::Usage(_))), "{height}");
    }
    assert!(Size::new(1, 1 << 22, 5).is_ok());
}

/// The figure for plans is what an extension takes.
#[test]
fn working_bytes_are_those_taken() {
    let Some(device) = device() else { return };
    let before = device.memory().live;
    let roots = Roots::new(&device).unwrap();
    assert_eq!(device.memory().live - before, 4 * ROOT_WORDS as u64);
    for (width, log_n, log_blowup) in [(3, 4, 2), (5, 15, 1)] {
        let size = size(width, log_n, log_blowup);
        let input = device.zeros("input", size.input_len()).unwrap();
        device.reset_peak();
        let before = device.memory().live;
        let output = extend(&device, &roots, input.all(), size, Val::GENERATOR).unwrap();
        let output_bytes = 4 * output.len() as u64;
        let taken = device.memory().peak - before;
        assert_eq!(taken, output_bytes + size.working_bytes());
        device.synchronize().unwrap();
    }
}
/// Prints device times of the sizes that the ceilings in the doc comments are about.
#[test]
#[ignore = "prints times; only a GPU's mean anything"]
fn times() {
    let Some(device) = device() else { return };
    if device.info().stand_in {
        println!("SKIPPED: the stand-in has no times");
        return;
    }
    let roots = Roots::new(&device).unwrap();
    for (width, log_n, log_blowup) in [
        (256, 20, 1),
        (256, 20, 2),
        (256, 18, 1),
        (64, 22, 1),
        (256, 14, 1),
    ] {
        let size = size(width, log_n, log_blowup);
        let input = device.zeros("input", size.input_len()).unwrap();
        let output = device.alloc("output", size.output_len()).unwrap();
        let mut seconds = Vec::new();
        for _ in 0..12 {
            let start = device.mark().unwrap();
            extend_into(&device, &roots, input.all(), &output, size, Val::GENERATOR).unwrap();
            seconds.push(device.mark().unwrap().seconds_since(&start).unwrap());
        }
        // The first two warm up.
        seconds.drain(..2);
        seconds.sort_by(f64::total_cmp);
        let bytes = 12.0 * (size.input_len() + size.output_len()) as f64;
        println!(
            "{size:?}: {:.3} to {:.3} ms, median {:.3} ms, {:.2} TB/s of the three passes",
            seconds[0] * 1e3,
            seconds[9] * 1e3,
            seconds[5] * 1e3,
            bytes / seconds[5] / 1e12
        );
    }
}
