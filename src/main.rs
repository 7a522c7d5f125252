//! The `rewit` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::parse();
    match cli::dispatch(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rewit: {error}");
            cli::exit_code(&error)
        }
    }
}
