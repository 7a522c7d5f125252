//! A made-up machine for made-up result files.

use rewit::measure::{Hardware, Simd};

pub(crate) fn hardware() -> Hardware {
    Hardware {
        cpu: "a processor".into(),
        physical_cores: Some(2),
        logical_cores: 2,
        simd: Simd {
            compiled: "avx512".into(),
            available: "avx512".into(),
            target_features: "sse,sse2".into(),
        },
        caches: Vec::new(),
        numa_nodes: None,
        governor: None,
        ram_bytes: 25_300_000_000,
        memory_bandwidth: None,
        os: "Linux".into(),
        kernel: "6.0".into(),
        arch: "x86_64".into(),
        gpu: None,
    }
}
