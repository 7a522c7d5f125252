//! The `sha2-chain` guest; see the library beside it.
#![cfg_attr(target_arch = "riscv32", no_std, no_main)]

guest_rt::guest!(guest_sha2_chain::run);
