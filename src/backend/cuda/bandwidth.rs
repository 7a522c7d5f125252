//! How fast a device copies: from page-locked host memory, to it, and within its own.

use super::Device;
use super::copy::Pinned;
use super::driver;
use super::memory::Buffer;
use crate::{Error, Result};

/// Bytes of a copy on a GPU: far above its caches.
const BYTES: usize = 256 << 20;
/// Bytes of a copy on the CPU stand-in, which is not timed.
const STAND_IN_BYTES: usize = 1 << 20;
/// Copies before the first that counts.
const WARM_UPS: usize = 2;
/// Copies that count.
const SAMPLES: usize = 9;

/// Seconds of the device's clock that copies took, without samples from the stand-in.
#[derive(Clone, PartialEq, Debug)]
pub struct CopySeconds {
    /// Bytes of a copy.
    pub num_bytes: u64,
    /// Page-locked host memory to device memory.
    pub host_to_device: Vec<f64>,
    /// Device memory to page-locked host memory.
    pub device_to_host: Vec<f64>,
    /// Device memory to device memory: every byte is read and written.
    pub device: Vec<f64>,
}

/// Copies 256 MiB to the device, within it and back, several times, and compares what came back.
///
/// Device memory: 512 MiB; as much page-locked host memory. Cost: a second, most of it for that.
///
/// # Errors
/// [`Error::OutOfDeviceMemory`] or [`Error::Resource`] if there is no such memory,
/// [`Error::Differs`] if other bytes came back, [`Error::Device`] if the device fails.
pub fn copy_seconds(device: &Device) -> Result<CopySeconds> {
    let stand_in = device.info().stand_in;
    copy_of(device, if stand_in { STAND_IN_BYTES } else { BYTES })
}

fn copy_of(device: &Device, num_bytes: usize) -> Result<CopySeconds> {
    let buffer = |what| device.alloc::<u8>(what, num_bytes);
    let (first, second): (Buffer<u8>, Buffer<u8>) = (buffer("copies")?, buffer("copies")?);
    device.bind()?;
    let (mut from, mut to) = (Pinned::new(num_bytes)?, Pinned::new(num_bytes)?);
    blake3::Hasher::new_derive_key("rewit copies to a device and back")
        .finalize_xof()
        .fill(from.bytes_mut());
    let (host, back) = (from.bytes_mut(), to.bytes_mut());
    let stream = device.stream();
    let (a, b) = (first.all().address, second.all().address);
    let host_to_device = sample(device, || {
        // SAFETY: both sides have that many bytes; the host's are not changed before the wait that
        // `sample` ends with.
        unsafe { driver::cuMemcpyHtoDAsync_v2(a, host.as_ptr().cast(), num_bytes, stream) }
    })?;
    let within = sample(device, || {
        // SAFETY: both buffers have that many bytes, and they are two.
        unsafe { driver::cuMemcpyDtoDAsync_v2(b, a, num_bytes, stream) }
    })?;
    let device_to_host = sample(device, || {
        // SAFETY: both sides have that many bytes; the host's are not read before the wait that
        // `sample` ends with.
        unsafe { driver::cuMemcpyDtoHAsync_v2(back.as_mut_ptr().cast(), b, num_bytes, stream) }
    })?;
    if host != back {
        return Err(Error::Differs(
            "bytes copied to the device, within it and back are not those sent".into(),
        ));
    }
    Ok(CopySeconds {
        num_bytes: num_bytes as u64,
        host_to_device,
        device_to_host,
        device: within,
    })
}

/// Seconds of the device's clock for each copy that counts; on the stand-in there is one copy, and
/// none counts.
fn sample(device: &Device, mut copy: impl FnMut() -> driver::Code) -> Result<Vec<f64>> {
    let stand_in = device.info().stand_in;
    let num_copies = if stand_in { 1 } else { WARM_UPS + SAMPLES };
    let mut samples = Vec::new();
    for i in 0..num_copies {
        let start = device.mark()?;
        device.check(copy(), || "copying to measure it".into())?;
        let seconds = device.mark()?.seconds_since(&start)?;
        if i >= WARM_UPS && !stand_in {
            samples.push(seconds.max(1e-9));
        }
    }
    device.synchronize()?;
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cuda::testing;

    #[test]
    fn bytes_come_back_and_a_stand_in_is_not_timed() {
        let Some(device) = testing::device() else {
            return;
        };
        // One byte, an odd number, and the size of the stand-in's own.
        for num_bytes in [1, 4099, STAND_IN_BYTES] {
            let found = copy_of(&device, num_bytes).unwrap();
            let expected = if device.info().stand_in { 0 } else { SAMPLES };
            assert_eq!(found.num_bytes, num_bytes as u64);
            for samples in [found.host_to_device, found.device_to_host, found.device] {
                assert_eq!(samples.len(), expected);
            }
        }
    }
}
