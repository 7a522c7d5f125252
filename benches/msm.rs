//! Multi-scalar multiplication.

fn main() {}
