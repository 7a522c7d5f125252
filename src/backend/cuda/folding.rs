//! Folding's stages on the device.
//!
//! Ceilings on an H200 (132 multiprocessors at 1.98 GHz, 4.3 TB/s), derived and not measured: a cross term moves 224 bytes an
//! element and multiplies 320 times 64 bits, 10 cycles of a multiprocessor, so 19·10⁹ elements a second by memory and 26·10⁹ by
//! arithmetic; `y ← y + r·x` moves 96 bytes, so 45·10⁹, or 60·10⁹ with integers.

use ark_ff::{BigInt, Field, PrimeField};
use bytemuck::{Pod, Zeroable};

use super::backend::Cuda;
use super::bn254::{Words, download, upload, words};
use super::device::{Buffer, Device};
use super::launch::{Kernel, Shape};
use super::msm::{Input, MsmKey};
use crate::backend::curve::{Fr, G1Affine, Scalars};
use crate::backend::folding::{check_cross_term, check_equal, check_msm, check_products};
use crate::backend::{Folding, KeyOptions, Matrices, Products, Term};
use crate::{Error, Result};

const PRODUCTS: Kernel = Kernel::new("fold", "fold_products");
const CROSS_TERM: Kernel = Kernel::new("fold", "fold_cross_term");
const AXPY: Kernel = Kernel::new("fold", "fold_axpy");
const AXPY_SMALL: Kernel = Kernel::new("fold", "fold_axpy_small");
const EXPAND: Kernel = Kernel::new("fold", "fold_expand");
/// Threads of a block. To be measured.
const THREADS: u32 = 128;
/// Pieces of `z` that the kernel takes, `FOLD_PIECES`: the head and seven parts.
const MAX_PIECES: usize = 8;

/// Scalars on the device: field elements, or integers in 8 bytes each.
#[derive(Debug)]
pub struct CudaVector(Contents);

#[derive(Debug)]
enum Contents {
    Full(Buffer<Words>),
    Small(Buffer<i64>),
}

/// A commitment key on the device.
#[derive(Debug)]
pub struct CudaKey {
    key: MsmKey,
    num_points: usize,
}

/// Matrices on the device.
#[derive(Debug)]
pub struct CudaMatrices {
    num_variables: usize,
    num_constraints: usize,
    blocks: Buffer<KernelBlock>,
    terms: Buffer<KernelTerm>,
    /// Each coefficient times R and times R², the first being its Montgomery form.
    coefficients: Buffer<[Words; 2]>,
}

/// `FoldBlock` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
struct KernelBlock {
    start: u32,
    repeat: u32,
    terms: [[u32; 2]; 3],
}

/// A term as the kernel takes it.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
struct KernelTerm {
    start: u32,
    step: u32,
    /// The coefficient if it is an integer that fits, or 0.
    small: i32,
    coefficient: u32,
}

/// `FoldVariables` of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, Debug)]
struct KernelVariables {
    address: [u64; MAX_PIECES],
    start: [u32; MAX_PIECES],
    small: u32,
    unused: u32,
}

impl CudaVector {
    /// Number of scalars.
    pub fn len(&self) -> usize {
        match &self.0 {
            Contents::Full(scalars) => scalars.len(),
            Contents::Small(scalars) => scalars.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scalars as a multi-scalar multiplication takes them.
    fn input(&self) -> Input<'_> {
        match &self.0 {
            Contents::Full(scalars) => Input::Full(scalars.all()),
            Contents::Small(scalars) => Input::Small(scalars.all()),
        }
    }

    /// The scalars as field elements, `made` holding them if they were integers.
    fn full<'a>(
        &'a self,
        device: &Device,
        made: &'a mut Option<Buffer<Words>>,
    ) -> Result<&'a Buffer<Words>> {
        match &self.0 {
            Contents::Full(scalars) => Ok(scalars),
            Contents::Small(scalars) => Ok(made.insert(expand(device, scalars)?)),
        }
    }
}

impl CudaMatrices {
    /// Brings matrices to the device.
    ///
    /// # Errors
    /// [`Error::Usage`] if an index in them is out of range; those of the device.
    fn new(device: &Device, matrices: &Matrices) -> Result<Self> {
        matrices.check()?;
        assert!(
            matrices.num_variables < u32::MAX as usize
                && matrices.num_constraints < u32::MAX as usize,
            "blocks and terms have 32-bit indices"
        );
        let blocks = matrices.blocks.iter().filter(|block| block.repeat > 0);
        let blocks: Vec<KernelBlock> = blocks
            .map(|block| KernelBlock {
                start: block.start,
                repeat: block.repeat,
                terms: block.terms,
            })
            .collect();
        let small: Vec<i32> = matrices.coefficients.iter().map(small).collect();
        let term = |term: &Term| KernelTerm {
            start: term.start,
            step: term.step,
            // Terms that no block has may name any coefficient.
            small: small.get(term.coefficient as usize).copied().unwrap_or(0),
            coefficient: term.coefficient,
        };
        let terms: Vec<KernelTerm> = matrices.terms.iter().map(term).collect();
        let coefficients = matrices.coefficients.iter();
        let coefficients: Vec<[Words; 2]> = coefficients
            .map(|coefficient| [words(*coefficient), words(scaled(*coefficient))])
            .collect();
        Ok(Self {
            num_variables: matrices.num_variables,
            num_constraints: matrices.num_constraints,
            blocks: device.upload("the matrices' blocks", &blocks)?,
            terms: device.upload("the matrices' terms", &terms)?,
            coefficients: device.upload("the matrices' coefficients", &coefficients)?,
        })
    }
}

/// A coefficient as a signed integer of 32 bits, or 0 if it is none.
fn small(coefficient: &Fr) -> i32 {
    let magnitude = |value: Fr| match value.into_bigint() {
        BigInt([low, 0, 0, 0]) => i32::try_from(low).ok(),
        _ => None,
    };
    let negative = || Some(-magnitude(-*coefficient)?);
    magnitude(*coefficient).or_else(negative).unwrap_or(0)
}

/// `r·R`: a kernel's product of that in Montgomery form and an integer is `r` times the integer in Montgomery form.
fn scaled(r: Fr) -> Fr {
    r * Fr::new_unchecked(Fr::R2)
}

/// Checks that a kernel can count the scalars.
fn count(len: usize) -> u32 {
    u32::try_from(len).expect("a kernel takes 32-bit sizes")
}

/// Integers as field elements.
fn expand(device: &Device, scalars: &Buffer<i64>) -> Result<Buffer<Words>> {
    let full = device.alloc("scalars", scalars.len())?;
    let args = (scalars.ptr(), full.ptr(), count(scalars.len()));
    // SAFETY: both have as many items.
    unsafe { device.launch(EXPAND, Shape::linear(full.len(), THREADS), args)? };
    Ok(full)
}

/// The lengths of an instance's products.
fn lengths(products: &Products<&CudaVector>) -> [usize; 3] {
    [products.az, products.bz, products.cz].map(CudaVector::len)
}

impl Folding for Cuda {
    type Key = CudaKey;
    type Vector = CudaVector;
    type Matrices = CudaMatrices;

    fn name(&self) -> &'static str {
        "cuda"
    }

    fn upload_key(&self, points: &[G1Affine], options: KeyOptions) -> Result<CudaKey> {
        Ok(CudaKey {
            key: MsmKey::new(self.device(), points, options)?,
            num_points: points.len(),
        })
    }

    fn upload_matrices(&self, matrices: &Matrices) -> Result<CudaMatrices> {
        CudaMatrices::new(self.device(), matrices)
    }

    fn upload_scalars(&self, scalars: Scalars<'_>) -> Result<CudaVector> {
        Ok(CudaVector(match scalars {
            Scalars::Full(scalars) => Contents::Full(upload(self.device(), "scalars", scalars)?),
            Scalars::Small(scalars) => Contents::Small(self.device().upload("scalars", scalars)?),
        }))
    }

    fn download_scalars(&self, scalars: &CudaVector) -> Result<Vec<Fr>> {
        match &scalars.0 {
            Contents::Full(scalars) => download(self.device(), scalars.all()),
            Contents::Small(scalars) => {
                let integers = self.device().download(scalars)?;
                Ok(Scalars::Small(&integers).to_vec())
            }
        }
    }

    fn msm(&self, key: &CudaKey, first: usize, vectors: &[&CudaVector]) -> Result<Vec<G1Affine>> {
        for vector in vectors {
            check_msm(key.num_points, first, vector.len())?;
        }
        let inputs: Vec<Input<'_>> = vectors.iter().map(|vector| vector.input()).collect();
        key.key.msm(first, &inputs)
    }

    fn products(
        &self,
        matrices: &CudaMatrices,
        head: &[Fr],
        parts: &[&CudaVector],
    ) -> Result<Products<CudaVector>> {
        let lengths = parts.iter().map(|part| part.len());
        check_products(matrices.num_variables, head.len() + lengths.sum::<usize>())?;
        if parts.len() >= MAX_PIECES {
            return Err(Error::Usage(format!(
                "products with a z of {} parts: the GPU takes {} at most",
                parts.len(),
                MAX_PIECES - 1
            )));
        }
        let device = self.device();
        let head = upload(device, "an instance's head", head)?;
        let mut variables = KernelVariables {
            address: [0; MAX_PIECES],
            start: [u32::MAX; MAX_PIECES],
            small: 0,
            unused: 0,
        };
        variables.address[0] = head.all().address;
        variables.start[0] = 0;
        let mut start = head.len();
        for (piece, part) in (1..).zip(parts) {
            variables.start[piece] = count(start);
            start += part.len();
            variables.address[piece] = match &part.0 {
                Contents::Full(scalars) => scalars.all().address,
                Contents::Small(scalars) => {
                    variables.small |= 1 << piece;
                    scalars.all().address
                }
            };
        }
        let len = matrices.num_constraints;
        let product = || device.alloc::<Words>("products of the matrices", len);
        let (az, bz, cz) = (product()?, product()?, product()?);
        let mut shape = Shape::linear(len, THREADS);
        shape.blocks[1] = 3;
        let args = (
            variables,
            matrices.blocks.ptr(),
            count(matrices.blocks.len()),
            matrices.terms.ptr(),
            matrices.coefficients.ptr(),
            az.ptr(),
            bz.ptr(),
            cz.ptr(),
            count(len),
        );
        // SAFETY: the pieces hold `num_variables` scalars, and `Matrices::check` found every index of blocks and terms below
        // that, or below the number of terms or coefficients; the products have an element per constraint.
        unsafe { device.launch(PRODUCTS, shape, args)? };
        let [az, bz, cz] = [az, bz, cz].map(|product| CudaVector(Contents::Full(product)));
        Ok(Products { az, bz, cz })
    }

    fn cross_term(
        &self,
        first: (Products<&CudaVector>, Fr),
        second: (Products<&CudaVector>, Fr),
    ) -> Result<CudaVector> {
        let len = check_cross_term(lengths(&first.0), lengths(&second.0))?;
        let device = self.device();
        // It is the same the other way round, and the kernel wants an instance with u = 1 to be the second.
        let (first, second) = match first.1 == Fr::ONE {
            true => (second, first),
            false => (first, second),
        };
        let ones = u32::from(first.1 == Fr::ONE) + u32::from(second.1 == Fr::ONE);
        let mut made: [Option<Buffer<Words>>; 6] = Default::default();
        let [m0, m1, m2, m3, m4, m5] = &mut made;
        let az1 = first.0.az.full(device, m0)?.ptr();
        let bz1 = first.0.bz.full(device, m1)?.ptr();
        let cz1 = first.0.cz.full(device, m2)?.ptr();
        let az2 = second.0.az.full(device, m3)?.ptr();
        let bz2 = second.0.bz.full(device, m4)?.ptr();
        let cz2 = second.0.cz.full(device, m5)?.ptr();
        let term = device.alloc("a cross term", len)?;
        let (minus_u1, minus_u2) = (words(-first.1), words(-second.1));
        let args = (
            az1,
            bz1,
            cz1,
            az2,
            bz2,
            cz2,
            minus_u1,
            minus_u2,
            ones,
            term.ptr(),
            count(len),
        );
        // SAFETY: all seven have as many elements.
        unsafe { device.launch(CROSS_TERM, Shape::linear(len, THREADS), args)? };
        Ok(CudaVector(Contents::Full(term)))
    }

    fn axpy(&self, y: &mut CudaVector, r: Fr, x: &CudaVector) -> Result<()> {
        check_equal("axpy", y.len(), x.len())?;
        let device = self.device();
        if let Contents::Small(scalars) = &y.0 {
            *y = CudaVector(Contents::Full(expand(device, scalars)?));
        }
        let Contents::Full(y) = &y.0 else {
            unreachable!("integers were expanded");
        };
        let (shape, len) = (Shape::linear(y.len(), THREADS), count(y.len()));
        match &x.0 {
            Contents::Full(x) => {
                let args = (x.ptr(), words(r), y.ptr(), len);
                // SAFETY: both have as many elements, and are different buffers: `y` is borrowed mutably.
                unsafe { device.launch(AXPY, shape, args) }
            }
            Contents::Small(x) => {
                let args = (x.ptr(), words(scaled(r)), y.ptr(), len);
                // SAFETY: both have as many items.
                unsafe { device.launch(AXPY_SMALL, shape, args) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
