//! The `rewit` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = cli::parse();
    match cli::dispatch(args) {
        Ok(code) => code,
        Err(error) => {
            cli::say(&error.to_string());
            cli::exit_code(&error)
        }
    }
}
