//! The budgets, measured: memory, size, CPU, disk, network, down time, each beside what it may be.
//!
//! Promise: everything is measured in one run against a real engine, registry and broker, and printed; nothing is
//! asserted, since a clock of a busy machine condemns nobody. What each figure is: bench/README.md.

mod account;
mod client;
mod counter;
mod down;
mod fork;
mod options;
mod relay;
mod rest;
mod size;
mod stage;
mod table;

use options::Options;
use table::Table;

fn main() {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if let [word, front, back] = &words[..]
        && word == relay::WORD
    {
        return relay::serve(front.as_ref(), back.as_ref());
    }
    let options = Options::read();
    println!("Building what is shipped, if it is not up to date …");
    let programs = harness::use_release();
    let mut table = Table::default();
    if options.does("size") {
        size::measure(&programs, &mut table);
    }
    // A board is left for good only when its thread ends.
    let mut on_a_board = |part: &str, measure: fn(&Options, &mut Table)| {
        if options.does(part) {
            let thread =
                std::thread::scope(|scope| scope.spawn(|| measure(&options, &mut table)).join());
            if thread.is_err() {
                std::process::exit(1); // the panic has told why
            }
        }
    };
    on_a_board("rest", rest::measure);
    on_a_board("down", down::measure);
    on_a_board("fork", fork::measure);
    println!("\n{table}");
}
