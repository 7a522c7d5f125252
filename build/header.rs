//! Writes `layout.h`: the constants that host and device share, from the Rust files that own them.
//!
//! A module of `build.rs`, and a program of its own for builds of kernels without cargo:
//! `rustc --edition 2024 build/header.rs -o header && ./header > layout.h`.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    unfulfilled_lint_expectations,
    reason = "files of the crate, of which a part is used here"
)]

use std::fmt::Write;

#[path = "../src/vm/isa.rs"]
mod isa;
#[path = "../src/witness/layout.rs"]
mod layout;
#[path = "machine.rs"]
mod machine;

use isa::Kind;
use layout::{Class, boundary, public, range};
use machine::{MACHINE, ROW_KINDS, STATE, SYS_ABSENT};

/// `camelCase` in the case of constants.
fn upper(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_uppercase());
    }
    out
}

/// The text of `layout.h`.
pub fn header() -> String {
    let mut out = String::from(
        "// Generated from the Rust files that own these numbers; see build/header.rs.\n#pragma once\n#include <stdint.h>\n\n",
    );
    let mut put = |name: &str, value: usize| {
        writeln!(out, "constexpr uint32_t {name} = {value}u;").expect("a string takes all");
    };
    macro_rules! columns {
        ($prefix:literal, $module:ident: $($name:ident)*) => {
            $(put(concat!($prefix, stringify!($name)), $module::$name as usize);)*
        };
    }
    columns!("COL_", layout:
        A B CLASS SIGNED SIGNED_B USE_IMM WRITES_RD VALUES CLK PC SETUP MOVE MORE LEFT RD RS1 RS2
        IMM TARGET LINK_HI RD_OLD RD_NEW MEM_OLD MEM_NEW GAP_LO GAP_HI SUM_WORD SUM_HI SEL CARRY
        CARRY2 X XCARRY POW01 POW FILL TOP TAKEN NEQ NEQ_LO NEQ_HI NEG_A NEG_B ABS_B ABS_A
        NEGATE_A NEGATE_B NEG_R BY_ZERO);
    columns!("", layout: WIDTH NUM_SLOTS NUM_CLASSES MAX_LOG_ROWS REGISTER_BASE MIN_ROWS);
    columns!("BOUNDARY_", boundary:
        REAL LO HI REGISTER INIT FINAL TIME STEP CARRY WIDTH);
    columns!("RANGE_", range: VALUE16 BYTES VALUE14 WIDTH LOG_ROWS);
    columns!("PUBLIC_", public:
        START_PC START_SETUP START_MOVE START_PTR START_LEFT END_PC END_SETUP END_MOVE END_PTR
        END_STEP END_LEFT NUM_CYCLES COUNT);
    for class in Class::ALL {
        put(
            &format!("CLASS_{}", upper(&format!("{class:?}"))),
            class as usize,
        );
    }
    for kind in Kind::ALL {
        put(
            &format!("KIND_{}", upper(&format!("{kind:?}"))),
            kind as usize,
        );
    }
    put("NUM_KINDS", Kind::ALL.len());
    for (name, value) in ROW_KINDS {
        put(&format!("ROW_KIND_{name}"), value as usize);
    }
    for (name, value) in STATE {
        put(&format!("STATE_{name}"), value as usize);
    }
    for (name, value) in MACHINE {
        put(name, value as usize);
    }
    let mut array = |name: &str, values: &[u32]| {
        let list: Vec<String> = values.iter().map(u32::to_string).collect();
        let list = list.join(", ");
        writeln!(
            out,
            "constexpr uint32_t {name}_COUNT = {}u;\nconstexpr uint32_t {name}[{name}_COUNT] = {{{list}}};",
            values.len()
        )
        .expect("a string takes all");
    };
    let columns = |columns: &[usize]| columns.iter().map(|col| *col as u32).collect::<Vec<_>>();
    array("RANGE_COLS16", &columns(&range::COLS16));
    array("RANGE_COLS14", &columns(&range::COLS14));
    array("RANGE_COLS_BYTES", &columns(&range::COLS_BYTES));
    array("BOUNDARY_COLS16", &columns(&boundary::COLS16));
    array("BOUNDARY_COLS14", &columns(&boundary::COLS14));
    array("BOUNDARY_COLS_BYTES", &columns(&boundary::COLS_BYTES));
    array("SYS_ABSENT", &SYS_ABSENT);
    out
}

fn main() {
    print!("{}", header());
}
