//! The program: parse, run, report. Exit codes: 0 done, 1 failed, 2 wrong use.

#![deny(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidemill::worker::end_on_panic(std::process::exit);
    let result = tidemill::cli::Cli::asked().and_then(|asked| asked.run(std::process::exit));
    // Workers of a cluster that failed may still be there, with files they were writing.
    tidemill::files::abandon();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be gone; the exit code is left.
            let error_text = tidemill::shown::message(&format!("tidemill: {error}"));
            let _ = writeln!(std::io::stderr(), "{error_text}");
            ExitCode::from(error.exit_code())
        }
    }
}
