//! Virtual boards at work: every case, one of each for CI, or power cuts without end.
//!
//! `board quick|cases|torture [--arch amd64|armhf|arm64] [--count N] [--seed S] [--only NAME]`. The
//! image and the package must have been made; `make board` and its kin see to that.

mod cases;
mod failure;
mod options;
mod quick;
mod torture;

use options::{Options, What};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let is_well = match options.what {
        What::Quick => quick::run(&options),
        What::Cases => cases::run(&options),
        What::Torture => torture::run(&options),
    };
    match is_well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
