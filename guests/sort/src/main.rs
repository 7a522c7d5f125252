//! The `sort` guest; see the library beside it.
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

guest_rt::guest!(guest_sort::run);
