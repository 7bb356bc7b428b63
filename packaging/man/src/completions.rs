//! Completions for bash, zsh and fish.

use clap::Command;
use clap_complete::{Shell, generate};

use crate::Page;

/// Those of all shells for both programs, under the names that Debian's shells look for.
pub fn all(control: Command, daemon: Command) -> Vec<Page> {
    let mut pages = Vec::new();
    for mut command in [control, daemon] {
        let name = command.get_name().to_owned();
        for (shell, file) in [
            (Shell::Bash, format!("{name}.bash")),
            (Shell::Zsh, format!("_{name}")),
            (Shell::Fish, format!("{name}.fish")),
        ] {
            let mut bytes = Vec::new();
            generate(shell, &mut command, name.as_str(), &mut bytes);
            pages.push((file, bytes));
        }
    }
    pages
}
