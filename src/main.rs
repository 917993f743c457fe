//! The `prismvault` program.

fn main() {}
