//! The `prismvault` program; all of it is in [`prismvault::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    prismvault::cli::main()
}
