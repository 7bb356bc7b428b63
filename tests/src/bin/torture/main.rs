//! Updates of a real agent with faults in their midst, as many as told.
//!
//! `torture [--count N] [--seed S] [--jobs J] [--only WORD,…] [--number N]`; `--number` takes one fault of
//! the seed again. `make torture` builds what it needs.

mod options;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    match harness::torture::run(&options) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
