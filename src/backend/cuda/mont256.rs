//! BN254's fields on the device against arkworks: the kernels that apply one operation.

use ark_bn254::{FqConfig, FrConfig};
use ark_ff::{AdditiveGroup, BigInt, Field, Fp, FpConfig, MontBackend, PrimeField};

use super::bn254::{Words, element, words};
use super::device::Device;
use super::launch::{Kernel, Shape};
use super::testing::{self, Rng};

const BASE: Kernel = Kernel::new("mont256", "mont256_base");
const SCALAR: Kernel = Kernel::new("mont256", "mont256_scalar");
const THREADS: u32 = 128;

/// Applies operation number `operation` of the kernel to each pair.
fn apply(device: &Device, kernel: Kernel, operation: u32, pairs: &[[Words; 2]]) -> Vec<Words> {
    let [a, b] = [0, 1].map(|which| {
        let side: Vec<Words> = pairs.iter().map(|pair| pair[which]).collect();
        device.upload("operands", &side).expect("memory")
    });
    let result = device.alloc("results", pairs.len()).expect("memory");
    let args = (
        a.ptr(),
        b.ptr(),
        result.ptr(),
        operation,
        pairs.len() as u32,
    );
    // SAFETY: all three have as many elements as there are pairs.
    unsafe { device.launch(kernel, Shape::linear(pairs.len(), THREADS), args) }.expect("launch");
    device.download(&result).expect("download")
}

/// Elements at which carries, borrows and reductions change: around 0, 1, half the modulus and the modulus, all ones
/// in some words and zeros in others; each by its Montgomery form, and by the integer it stands for.
fn edges<P: FpConfig<4>>() -> Vec<Fp<P, 4>> {
    let ones = u64::MAX;
    let top = Fp::<P, 4>::MODULUS.0[3];
    let limbs = [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [2, 0, 0, 0],
        [u64::from(u32::MAX), 0, 0, 0],
        [1 << 32, 0, 0, 0],
        [ones, 0, 0, 0],
        [0, ones, 0, 0],
        [ones, ones, ones, 0],
        [ones, ones, ones, top - 1],
        [0, 0, 0, top],
        [ones, 0, ones, 1],
        [u64::from(u32::MAX) << 32; 4].map(|word| word & (top - 1)),
    ];
    let by_form = limbs.map(|limbs| element(bytemuck::cast(limbs)));
    let by_value = limbs.map(|limbs| Fp::from_bigint(BigInt(limbs)).expect("below the modulus"));
    let half = Fp::<P, 4>::MODULUS_MINUS_ONE_DIV_TWO;
    let half: Fp<P, 4> = element(bytemuck::cast(half.0));
    let positive: Vec<_> = [&by_form[..], &by_value[..], &[half]].concat();
    positive.iter().flat_map(|a| [*a, -*a]).collect()
}

/// What each operation of the kernel is, in its order.
fn expected<P: FpConfig<4>>(operation: u32, a: Fp<P, 4>, b: Fp<P, 4>) -> Fp<P, 4> {
    let flag = |is: bool| if is { Fp::ONE } else { Fp::ZERO };
    match operation {
        0 => a + b,
        1 => a - b,
        2 => -a,
        3 => a.double(),
        4 => a * b,
        5 => a.square(),
        6 => a * b + b.square(),
        7 => (a * b).double() + a.square() + b.square(),
        8 => Fp::from_bigint(a.0).expect("below the modulus"),
        9 => Fp(a.into_bigint(), std::marker::PhantomData),
        10 => a.inverse().unwrap_or(Fp::ZERO),
        11 => Fp::from(a.0.0[0] as i64),
        12 => flag(a == b),
        13 => flag(a == Fp::ZERO),
        _ => unreachable!("operations are numbered to 13"),
    }
}

fn field<P: FpConfig<4>>(device: &Device, kernel: Kernel) {
    let mut rng = Rng::new(1);
    let edges = edges::<P>();
    let mut pairs: Vec<[Fp<P, 4>; 2]> = Vec::new();
    pairs.extend(edges.iter().flat_map(|a| edges.iter().map(|b| [*a, *b])));
    pairs.extend((0..300).map(|_| {
        [0, 1].map(|_| {
            let bytes: Vec<u8> = (0..16).flat_map(|_| rng.word().to_le_bytes()).collect();
            Fp::from_le_bytes_mod_order(&bytes)
        })
    }));
    let inputs: Vec<[Words; 2]> = pairs.iter().map(|pair| pair.map(words)).collect();
    // Inverses are hundreds of products each.
    let (some_pairs, some_inputs) = (&pairs[pairs.len() - 100..], &inputs[pairs.len() - 100..]);
    for operation in 0..=13 {
        let (pairs, inputs) = match operation {
            10 => (some_pairs, some_inputs),
            _ => (&pairs[..], &inputs[..]),
        };
        let results = apply(device, kernel, operation, inputs);
        for ([a, b], result) in pairs.iter().zip(results) {
            assert_eq!(
                result,
                words(expected(operation, *a, *b)),
                "operation {operation} on {a} and {b}"
            );
        }
    }
    let results = apply(
        device,
        kernel,
        10,
        &edges.iter().map(|a| [words(*a); 2]).collect::<Vec<_>>(),
    );
    for (a, result) in edges.iter().zip(results) {
        assert_eq!(result, words(expected(10, *a, *a)), "the inverse of {a}");
    }
}

#[test]
fn operations_are_those_of_arkworks() {
    let Some(device) = testing::device() else {
        return;
    };
    field::<MontBackend<FqConfig, 4>>(&device, BASE);
    field::<MontBackend<FrConfig, 4>>(&device, SCALAR);
}
