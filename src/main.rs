//! The `rewit` command.

fn main() {}
