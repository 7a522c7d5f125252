use super::super::launch::{Kernel, Shape};
use super::super::testing::{Rng, device, device_with};
use super::*;

#[test]
fn what_is_uploaded_comes_back() {
    let Some(device) = device() else { return };
    let mut rng = Rng::new(1);
    // Nothing; one word; the most that is staged, and one more; enough to go round the staging memory;
    // a word more than a slot; more than both slots.
    let mut buffers = Vec::new();
    for len in [
        0,
        1,
        1 << 16,
        (1 << 16) + 1,
        3,
        60_000,
        60_000,
        60_000,
        60_000,
        60_000,
        7,
        (2 << 20) + 1,
        5 << 20,
    ] {
        let words: Vec<u32> = (0..len).map(|_| rng.word()).collect();
        buffers.push((device.upload("test words", &words).unwrap(), words));
    }
    for (buffer, words) in &buffers {
        assert_eq!(&device.download(buffer).unwrap(), words);
    }
    let words = &buffers[3].1;
    let copy = device.upload("a copy", &words[5..15]).unwrap();
    assert_eq!(device.download(&copy).unwrap(), words[5..15]);
    device.write(copy.view(3..5), &[7, 8]).unwrap();
    let mut some = [0; 3];
    device.download_into(copy.view(2..5), &mut some).unwrap();
    assert_eq!(some, [words[7], 7, 8]);
    let zeros = device.zeros::<u64>("zeros", 100).unwrap();
    assert_eq!(device.download(&zeros).unwrap(), [0; 100]);
}

#[test]
fn memory_is_accounted_for_and_held_to_the_budget() {
    let options = Options {
        vram_budget: Some(1_000_000),
        ..Options::default()
    };
    let Some(device) = device_with(&options) else {
        return;
    };
    let first = device.alloc::<u8>("the first", 600_000).unwrap();
    let refused = device.alloc::<u32>("the second", 100_001).unwrap_err();
    let Error::OutOfDeviceMemory(why) = &refused else {
        panic!("{refused}")
    };
    assert!(
        why.starts_with("the second needs 1 MB beside 1 MB in use, of 1 MB on"),
        "{why}"
    );
    let second = device.alloc::<u32>("the second", 100_000).unwrap();
    assert_eq!(
        (device.memory().live, device.memory().peak),
        (1_000_000, 1_000_000)
    );
    drop(first);
    assert_eq!(
        (device.memory().live, device.memory().peak),
        (400_000, 1_000_000)
    );
    device.reset_peak();
    assert_eq!(device.memory().peak, 400_000);
    drop(second);
    assert_eq!(device.memory().live, 0);
    let absurd = device.alloc::<u64>("the third", usize::MAX).unwrap_err();
    assert!(matches!(absurd, Error::OutOfDeviceMemory(_)), "{absurd}");
    assert_eq!(device.memory().live, 0);
    let mut plan = super::super::Plan::default();
    plan.step("fill", &[("table", 999_999)]);
    plan.check(&device).unwrap();
    plan.step("join", &[("table", 999_999), ("events", 2)]);
    let refused = plan.check(&device).unwrap_err().to_string();
    assert!(
        refused.contains("join             2 MB (peak): table 1, events 1"),
        "{refused}"
    );
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let options = Options {
        ordinal: 4321,
        ..Options::default()
    };
    if device().is_none() {
        return;
    }
    let error = Device::open(&options).unwrap_err();
    assert!(matches!(error, Error::NoDevice(_)), "{error}");
    assert!(
        error.to_string().contains("there is no GPU 4321"),
        "{error}"
    );
}

#[test]
fn launches_are_checked() {
    let Some(device) = device() else { return };
    // SAFETY: the kernel is not there, so nothing is launched.
    let missing = unsafe {
        device.launch(
            Kernel::new("scan", "scan_nothing"),
            Shape::linear(1, 1),
            (0u32,),
        )
    };
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("loading scan_nothing of scan.cu"), "{error}");
    // SAFETY: no block runs.
    unsafe {
        device.launch(
            Kernel::new("scan", "scan_nothing"),
            Shape::linear(0, 256),
            (0u32,),
        )
    }
    .unwrap();
    let shape = Shape {
        blocks: [2, 3, 1],
        threads: 64,
        shared_bytes: 99,
    };
    assert_eq!(
        shape.to_string(),
        "2x3x1 blocks of 64 threads with 99 bytes of shared memory"
    );
}

#[test]
fn marks_are_in_order() {
    let Some(device) = device() else { return };
    let start = device.mark().unwrap();
    let zeros = device.zeros::<u32>("zeros", 1000).unwrap();
    let end = device.mark().unwrap();
    assert!(end.seconds_since(&start).unwrap() >= 0.0);
    assert_eq!(zeros.len(), 1000);
    assert!(device.info().total_bytes > 0 && device.info().max_shared_bytes >= 48 << 10);
}
