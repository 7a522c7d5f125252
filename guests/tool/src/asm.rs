//! An assembler for the contracts in `contracts/`: mnemonics, `PUSH number`, `name:` and `@name`.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};

const PUSH0: u8 = 0x5f;
const PUSH2: u8 = 0x61;
const JUMPDEST: u8 = 0x5b;

/// Opcodes without immediates that the contracts use, besides `DUPn` and `SWAPn`.
const OPCODES: &[(&str, u8)] = &[
    ("STOP", 0x00),
    ("ADD", 0x01),
    ("MUL", 0x02),
    ("SUB", 0x03),
    ("LT", 0x10),
    ("EQ", 0x14),
    ("ISZERO", 0x15),
    ("AND", 0x16),
    ("NOT", 0x19),
    ("SHR", 0x1c),
    ("KECCAK256", 0x20),
    ("CALLER", 0x33),
    ("CALLVALUE", 0x34),
    ("CALLDATALOAD", 0x35),
    ("POP", 0x50),
    ("MLOAD", 0x51),
    ("MSTORE", 0x52),
    ("SLOAD", 0x54),
    ("SSTORE", 0x55),
    ("JUMP", 0x56),
    ("JUMPI", 0x57),
    ("LOG3", 0xa3),
    ("RETURN", 0xf3),
    ("REVERT", 0xfd),
];

/// Assembles `source` to runtime code.
///
/// # Errors
/// Names the line of the first word that means nothing, or the label that is missing or defined twice.
pub fn assemble(source: &str) -> Result<Vec<u8>> {
    let mut code = Vec::new();
    let mut labels = HashMap::new();
    let mut uses = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            if let Some(label) = word.strip_suffix(':') {
                let again = labels.insert(label, code.len());
                ensure!(again.is_none(), "label {label} is defined twice");
                code.push(JUMPDEST);
            } else if let Some(label) = word.strip_prefix('@') {
                code.push(PUSH2);
                uses.push((label, code.len()));
                code.extend([0, 0]);
            } else if word == "PUSH" {
                let number = words.next().context("PUSH without a number")?;
                push(&mut code, number)?;
            } else {
                let opcode = opcode(word)
                    .with_context(|| format!("line {}: unknown word {word}", number + 1))?;
                code.push(opcode);
            }
        }
    }
    for (label, at) in uses {
        let target = *labels
            .get(label)
            .with_context(|| format!("label {label} is not defined"))?;
        code[at..at + 2].copy_from_slice(&u16::try_from(target)?.to_be_bytes());
    }
    Ok(code)
}

/// Code that, run as a creation transaction, deploys `runtime`.
///
/// # Panics
/// If `runtime` is longer than 65535 bytes.
pub fn deployer(runtime: &[u8]) -> Vec<u8> {
    let len = u16::try_from(runtime.len()).expect("contracts of this tool are small");
    let [high, low] = len.to_be_bytes();
    // PUSH2 len, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN: the runtime code follows after ten bytes.
    let mut code = vec![PUSH2, high, low, 0x80, 0x60, 10, PUSH0, 0x39, PUSH0, 0xf3];
    code.extend(runtime);
    code
}

/// The shortest push of a decimal or `0x` number of up to 32 bytes.
fn push(code: &mut Vec<u8>, number: &str) -> Result<()> {
    let bytes = match number.strip_prefix("0x") {
        Some(digits) if digits.len() % 2 == 0 => (0..digits.len())
            .step_by(2)
            .map(|i| Ok(u8::from_str_radix(&digits[i..i + 2], 16)?))
            .collect::<Result<Vec<u8>>>()?,
        Some(_) => bail!("{number} has half a byte"),
        None => number.parse::<u64>()?.to_be_bytes().to_vec(),
    };
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    let bytes = &bytes[zeros..];
    ensure!(bytes.len() <= 32, "{number} is longer than 32 bytes");
    code.push(PUSH0 + bytes.len() as u8);
    code.extend(bytes);
    Ok(())
}

fn opcode(word: &str) -> Option<u8> {
    for (prefix, base) in [("DUP", 0x80), ("SWAP", 0x90)] {
        if let Some(n) = word.strip_prefix(prefix) {
            let n: u8 = n.parse().ok()?;
            return (1..=16).contains(&n).then(|| base + n - 1);
        }
    }
    OPCODES
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, opcode)| *opcode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_bytes() {
        let code = assemble("a: PUSH 0 PUSH 0x00ff DUP2 ; PUSH 9\n@a SWAP16").unwrap();
        assert_eq!(
            code,
            [0x5b, 0x5f, 0x60, 0xff, 0x81, 0x61, 0, 0, 0x9f],
            "{code:02x?}"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["a: a:", "@a", "PUSH", "PUSH 0x1", "DUP17", "NOPE"] {
            assert!(assemble(bad).is_err(), "{bad}");
        }
    }
}
