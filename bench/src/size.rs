//! What is shipped, in bytes.

use crate::table::{Table, Unit};
use std::path::Path;

/// Of both programs together.
const BUDGET: f64 = 4.5e6;

/// Sizes of the programs in that folder.
pub fn measure(programs: &Path, table: &mut Table) {
    println!("\nSize of what is shipped");
    let mut all = 0.0;
    for name in ["agentd", "agentctl"] {
        let path = programs.join(name);
        let found = std::fs::metadata(&path);
        let bytes = found.unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
        table.note(format!("size: {name}"), Unit::MB, bytes as f64);
        all += bytes as f64;
    }
    table.at_most("size: both", Unit::MB, all, BUDGET);
}
