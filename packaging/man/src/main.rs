//! Writes the manual pages, the completions and the copyright file of the package into a folder.
//!
//! Promise: each text has one source: the command lines are the ones that the programs parse, the pages of section 5
//! are docs/definitions.md, the licences are those of the crates that are linked. None of it is in a program.

mod command;
mod completions;
mod copyright;
mod daemon;
mod markdown;
mod pages;
mod roff;

/// The command line of `agentctl`, as it is compiled into `agentctl`.
#[path = "../../../agent/ctl/src/arguments.rs"]
#[allow(dead_code)] // Described here, not run.
mod arguments;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory;

/// The page that defines both files.
const FORMATS: &str = include_str!("../../../docs/definitions.md");
/// What `agentd --help` prints.
const DAEMON_HELP: &str = include_str!("../../../agent/daemon/src/help.txt");

/// A file to write: its name, and what is in it.
type Page = (String, Vec<u8>);

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let (Some(folder), None) = (words.next(), words.next()) else {
        eprintln!("usage: titania-docs FOLDER");
        return ExitCode::from(2);
    };
    match write(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("titania-docs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut all = pages()?;
    all.extend(completions::all(control(), daemon::command(DAEMON_HELP)?));
    all.push(("copyright".to_owned(), copyright::whole()?.into_bytes()));
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (name, bytes) in all {
        let path: PathBuf = folder.join(name);
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The manual pages.
fn pages() -> Result<Vec<Page>, String> {
    let page = |name: &str, text: String| (name.to_owned(), text.into_bytes());
    Ok(vec![
        page("agentctl.1", pages::agentctl(control())),
        page("agentd.8", pages::agentd(daemon::command(DAEMON_HELP)?)),
        page("titania-agent.toml.5", pages::settings(FORMATS)?),
        page("titania-app.5", pages::definition(FORMATS)?),
    ])
}

fn control() -> clap::Command {
    let mut command = arguments::Arguments::command();
    command.build();
    command
}
