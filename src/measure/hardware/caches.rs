//! The processor's caches, as Linux describes them.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where Linux describes the caches of the first processor.
pub(super) const SYSFS: &str = "/sys/devices/system/cpu/cpu0/cache";
/// Most entries that are looked at.
const MAX_ENTRIES: usize = 64;
/// Most processors that a list may name: what Linux can be built for, and some.
const MAX_CPUS: u32 = 1 << 16;

/// What a cache holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    /// Data.
    Data,
    /// Instructions.
    Instruction,
    /// Both.
    Unified,
}

impl CacheKind {
    /// Its name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Instruction => "instruction",
            Self::Unified => "unified",
        }
    }
}

/// One of the caches that the first processor reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Level, from 1.
    pub level: u32,
    /// What it holds.
    pub kind: CacheKind,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many of the processor's threads share it, if known. On a virtual machine this is what
    /// the host lets it see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_by: Option<u32>,
}

/// The caches described in `folder`, by level and kind; none where there is no such folder.
///
/// An entry that lacks level, type or size, or has another than is documented, is left out.
///
/// # Source
/// Linux, `Documentation/ABI/testing/sysfs-devices-system-cpu`, `cache/index*`.
pub(super) fn read(folder: &Path) -> Vec<Cache> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let is_index = |name: &str| name.starts_with("index");
    let mut caches: Vec<Cache> = entries
        .take(MAX_ENTRIES)
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_index))
        .filter_map(|entry| read_one(&entry.path()))
        .collect();
    caches.sort_by_key(|cache| (cache.level, cache.kind as u8, cache.bytes));
    caches
}

fn read_one(folder: &Path) -> Option<Cache> {
    let text = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let kind = match text("type")?.as_str() {
        "Data" => CacheKind::Data,
        "Instruction" => CacheKind::Instruction,
        "Unified" => CacheKind::Unified,
        _ => return None,
    };
    let bytes = size(&text("size")?)?;
    Some(Cache {
        level: text("level")?.parse().ok().filter(|level| *level > 0)?,
        kind,
        bytes: Some(bytes).filter(|bytes| *bytes > 0)?,
        shared_by: text("shared_cpu_list").and_then(|list| count(&list)),
    })
}

/// Bytes of a size such as `32K`.
fn size(text: &str) -> Option<u64> {
    let (number, scale) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1 << 10),
        b'M' => (&text[..text.len() - 1], 1 << 20),
        b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// How many numbers a list such as `0-3,8` names; `None` if it is no such list or names none.
pub(super) fn count(list: &str) -> Option<u32> {
    let mut total = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last >= MAX_CPUS {
            return None;
        }
        total += last - first + 1;
        if total > MAX_CPUS {
            return None;
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lists() {
        assert_eq!(size("32K"), Some(32 << 10));
        assert_eq!(size("1M"), Some(1 << 20));
        assert_eq!(size("512"), Some(512));
        for text in [
            "",
            "K",
            "-1K",
            "99999999999999999999",
            "18446744073709551615K",
        ] {
            assert_eq!(size(text), None, "{text}");
        }
        for (list, n) in [("0", 1), ("0-1\n", 2), ("0,2", 2), ("0-3,8,10-11", 7)] {
            assert_eq!(count(list), Some(n), "{list}");
        }
        for list in ["", "a", "3-1", "0-", "0-4294967295", "0-65535,0", ","] {
            assert_eq!(count(list), None, "{list}");
        }
    }

    #[test]
    fn folders_are_read_and_bad_entries_left_out() {
        let root = tempfile::tempdir().unwrap();
        let entry = |name: &str, files: &[(&str, &str)]| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            for (file, text) in files {
                fs::write(folder.join(file), text).unwrap();
            }
        };
        let list = ("shared_cpu_list", "0-7\n");
        entry(
            "index3",
            &[
                ("level", "3\n"),
                ("type", "Unified\n"),
                ("size", "32768K\n"),
                list,
            ],
        );
        entry(
            "index0",
            &[("level", "1\n"), ("type", "Data\n"), ("size", "48K\n")],
        );
        entry(
            "index1",
            &[("level", "1"), ("type", "Instruction"), ("size", "0K")],
        );
        entry(
            "index2",
            &[("level", "two"), ("type", "Data"), ("size", "1K")],
        );
        entry("index4", &[("level", "1"), ("type", "Odd"), ("size", "1K")]);
        entry("power", &[]);
        let cache = |level, kind, bytes, shared_by| Cache {
            level,
            kind,
            bytes,
            shared_by,
        };
        assert_eq!(
            read(root.path()),
            [
                cache(1, CacheKind::Data, 48 << 10, None),
                cache(3, CacheKind::Unified, 32 << 20, Some(8)),
            ]
        );
        assert_eq!(read(&root.path().join("absent")), []);
    }
}
