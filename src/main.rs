//! The program: parse, run, report. Exit codes: 0 done, 1 failed, 2 wrong use.

#![deny(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidemill::worker::end_on_panic();
    match tidemill::cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
