use p3_dft::{Radix2DitParallel, TwoAdicSubgroupDft};
use p3_field::extension::BinomialExtensionField;
use p3_field::{BasedVectorSpace, TwoAdicField};
use p3_matrix::Matrix;
use p3_matrix::bitrev::BitReversibleMatrix;
use p3_matrix::dense::RowMajorMatrix;
use p3_matrix::interpolation::Interpolate;
use p3_util::reverse_bits_len;

use super::super::elements::words;
use super::super::testing::{Rng, device};
use super::*;
use crate::witness::monty::into_elements;

type Quartic = BinomialExtensionField<BabyBear, 4>;
type Quintic = BinomialExtensionField<BabyBear, 5>;

fn challenge<E: ExtensionField<BabyBear>>(rng: &mut Rng) -> E {
    E::from_basis_coefficients_fn(|_| into_elements(vec![rng.element()])[0])
}

/// A random low-degree extension: row-major with bit-reversed rows, and its words column by column.
fn extension(
    rng: &mut Rng,
    log_rows: u32,
    log_blowup: u32,
    width: usize,
) -> (RowMajorMatrix<BabyBear>, Vec<u32>) {
    if width == 0 {
        // Plonky3 knows no height of an empty matrix.
        return (RowMajorMatrix::new(vec![], 0), vec![]);
    }
    let values = into_elements(rng.elements(width << log_rows));
    let lde = Radix2DitParallel::default()
        .coset_lde_batch(
            RowMajorMatrix::new(values, width),
            log_blowup as usize,
            BabyBear::GENERATOR,
        )
        .bit_reverse_rows()
        .to_row_major_matrix();
    let columns = lde.transpose();
    (lde, words(&columns.values).to_vec())
}

/// Opens matrices of given base-2 logarithms of rows and widths, each at the points of the given
/// numbers, and compares values and quotients with the definition.
fn agrees<E: ExtensionField<BabyBear>>(
    log_blowup: u32,
    matrices: &[(u32, usize, &[usize])],
    seed: u64,
) {
    let Some(device) = device() else { return };
    let tables = Tables::new(&device).unwrap();
    let mut rng = Rng::new(seed);
    let challenges: Vec<E> = (0..6).map(|_| challenge(&mut rng)).collect();
    let data: Vec<_> = matrices
        .iter()
        .map(|&(log_rows, width, _)| {
            let (lde, words) = extension(&mut rng, log_rows, log_blowup, width);
            (lde, device.upload("a matrix", &words).unwrap())
        })
        .collect();
    let requests: Vec<Request<'_, E>> = matrices
        .iter()
        .zip(&data)
        .map(|(&(log_rows, width, points), (_, words))| Request {
            matrix: Columns {
                words: words.all(),
                width,
                log_height: log_rows + log_blowup,
            },
            points: points.iter().map(|&i| challenges[i]).collect(),
        })
        .collect();
    let opener = Opener::new(&device, &tables, log_blowup, requests.clone()).unwrap();
    let values = opener.values().unwrap();
    for ((request, (lde, _)), values) in requests.iter().zip(&data).zip(&values) {
        if request.matrix.width == 0 {
            assert!(values.iter().all(Vec::is_empty));
            continue;
        }
        let rows = lde.height() >> log_blowup;
        let low = lde
            .split_rows(rows)
            .0
            .bit_reverse_rows()
            .to_row_major_matrix();
        for (&point, values) in request.points.iter().zip(values) {
            assert_eq!(low.interpolate_coset(BabyBear::GENERATOR, point), *values);
        }
    }

    let alpha: E = challenge(&mut rng);
    let codewords = opener.quotients(alpha, &values).unwrap();
    let mut heights: Vec<_> = requests.iter().map(|r| r.matrix.log_height).collect();
    heights.sort_unstable_by(|a, b| b.cmp(a));
    heights.dedup();
    assert_eq!(
        codewords.iter().map(|c| c.log_len).collect::<Vec<_>>(),
        heights
    );
    for codeword in &codewords {
        let log_len = codeword.log_len as usize;
        let root = BabyBear::two_adic_generator(log_len);
        let mut expected = vec![E::ZERO; 1 << log_len];
        let mut weight = E::ONE;
        for ((request, (lde, _)), values) in requests.iter().zip(&data).zip(&values) {
            if request.matrix.log_height != codeword.log_len {
                continue;
            }
            for (&z, values) in request.points.iter().zip(values) {
                for (column, &value) in values.iter().enumerate() {
                    for (row, sum) in expected.iter_mut().enumerate() {
                        let index = row.reverse_bits().checked_shr(usize::BITS - log_len as u32);
                        let x = BabyBear::GENERATOR * root.exp_u64(index.unwrap_or(0) as u64);
                        let cell = lde.get(row, column).unwrap();
                        *sum += weight * (value - cell) * (z - x).inverse();
                    }
                    weight *= alpha;
                }
            }
        }
        let words = device.download(&codeword.words).unwrap();
        assert_eq!(extensions::<E>(words), expected, "length 2^{log_len}");
    }
}

#[test]
fn values_and_quotients_are_those_of_the_definition() {
    // Fewer rows than one vector load (1, 2), than one step of a warp (4, 64), one step (128), and two
    // parts (256); widths around one warp's four columns; one point, two, three (two launches), none.
    let small: &[(u32, usize, &[usize])] = &[
        (0, 1, &[0]),
        (1, 4, &[0, 1]),
        (2, 5, &[0, 2]),
        (6, 3, &[0]),
        (7, 8, &[0, 3]),
        (8, 9, &[0, 4]),
        (8, 2, &[]),
    ];
    agrees::<Quartic>(1, small, 1);
    agrees::<Quintic>(1, small, 2);
    agrees::<Quartic>(3, &small[..4], 3);
}

#[test]
fn matrices_of_one_height_share_a_quotient() {
    // The same point at several matrices, twice at one, more than two points at one height, an empty
    // matrix between, and a height at which nothing is opened.
    let shared: &[(u32, usize, &[usize])] = &[
        (3, 6, &[0, 1]),
        (5, 1, &[1]),
        (3, 0, &[0, 1]),
        (3, 7, &[1, 1, 2]),
        (3, 4, &[3, 4, 0]),
        (4, 2, &[]),
    ];
    agrees::<Quartic>(2, shared, 4);
    agrees::<Quintic>(1, shared, 5);
}

#[test]
fn points_in_the_domain_are_refused() {
    let Some(device) = device() else { return };
    let tables = Tables::new(&device).unwrap();
    let matrix = device.zeros("a matrix", 8).unwrap();
    let columns = Columns {
        words: matrix.all(),
        width: 1,
        log_height: 3,
    };
    let root = BabyBear::two_adic_generator(3);
    for (point, is_refused) in [
        (BabyBear::ZERO, true),
        (BabyBear::GENERATOR, true),
        (BabyBear::GENERATOR * root.exp_u64(5), true),
        // In a larger coset only, and in the subgroup.
        (BabyBear::GENERATOR * BabyBear::two_adic_generator(4), false),
        (root, false),
    ] {
        let request = Request {
            matrix: columns,
            points: vec![Quartic::from(point)],
        };
        let opener = Opener::new(&device, &tables, 1, vec![request]);
        match opener {
            Err(Error::Usage(_)) if is_refused => {}
            Ok(_) if !is_refused => {}
            other => panic!("{point}: {other:?}"),
        }
    }
}

#[test]
fn points_of_a_subfield_have_inverses() {
    let Some(device) = device() else { return };
    let tables = Tables::new(&device).unwrap();
    // 1 + X^2 is of degree 2 over the base field, 7 of degree 1.
    let halfway = Quartic::from_basis_coefficients_fn(|i| BabyBear::from_bool(i % 2 == 0));
    for point in [halfway, Quartic::from(BabyBear::from_u32(7))] {
        let inverses = inverses(&device, &tables, point, 4).unwrap();
        let words = into_elements(device.download(&inverses).unwrap());
        for row in 0..16usize {
            let index = (row.reverse_bits() >> (usize::BITS - 4)) as u64;
            let x = BabyBear::GENERATOR * BabyBear::two_adic_generator(4).exp_u64(index);
            let found = Quartic::from_basis_coefficients_fn(|k| words[k * 16 + row]);
            assert_eq!(found, (point - x).inverse());
        }
    }
}

#[test]
fn rows_come_in_natural_order() {
    let Some(device) = device() else { return };
    let mut rng = Rng::new(7);
    // Less than one tile, one tile, and parts of several, in either direction.
    for (log_height, width) in [(0, 1), (3, 5), (5, 32), (7, 33), (6, 70)] {
        let columns = rng.elements(width << log_height);
        let buffer = device.upload("a matrix", &columns).unwrap();
        let matrix = Columns {
            words: buffer.all(),
            width,
            log_height,
        };
        for log_rows in [0, log_height / 2, log_height] {
            let found = device
                .download(&rows(&device, matrix, log_rows).unwrap())
                .unwrap();
            for row in 0..1usize << log_rows {
                let source = reverse_bits_len(row, log_rows as usize);
                for column in 0..width {
                    let expected = columns[(column << log_height) + source];
                    assert_eq!(found[row * width + column], expected);
                }
            }
        }
    }
}
