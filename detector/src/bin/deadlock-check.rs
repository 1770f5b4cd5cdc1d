//! `deadlock-check`, see [`detector::cli`].
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    detector::cli::main(std::env::args_os())
}
