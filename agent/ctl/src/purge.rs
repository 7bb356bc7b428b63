//! `agentctl purge`: says what goes for good, asks, and has it deleted.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use titania_core::api::{Options, Verb};

use crate::arguments::Wait;
use crate::client::{Client, ClientError};
use crate::status::segment;
use crate::verbs::hand_over;
use crate::view::{App, Status};
use crate::words::{bytes, clean};
use crate::{Exit, complain};

/// Names of data volumes that are told; of more their number is.
const NAMES_MOST: usize = 20;
/// Longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Runs the command.
pub(crate) fn run(
    client: &Client,
    app: String,
    yes: bool,
    wait: Wait,
) -> Result<Exit, ClientError> {
    // An unknown app is an error before anything is asked.
    let part: App = client.parse(&client.get(&format!("/v1/apps/{}", segment(&app)))?)?;
    if !yes {
        let status: Status = client.parse(&client.get("/v1/status")?)?;
        complain(&told(&part, &status));
        if !std::io::stdin().is_terminal() {
            complain("nothing was deleted: give --yes where nobody can be asked");
            return Ok(Exit::Usage);
        }
        if !is_confirmed() {
            complain("nothing was deleted");
            return Ok(Exit::Failed);
        }
    }
    let options = Options { yes: true, ..Options::default() };
    hand_over(client, Verb::Purge, vec![Some(app)], options, wait)
}

fn is_confirmed() -> bool {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "Delete it? [y/N] ").and_then(|()| err.flush());
    let mut answer = String::new();
    let read =
        std::io::Read::take(std::io::stdin().lock(), ANSWER_BYTES_MAX).read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// What goes.
fn told(app: &App, status: &Status) -> String {
    let name = clean(&app.app);
    let size = bytes(app.snapshots.iter().map(|snapshot| snapshot.bytes).sum());
    let kept = match app.snapshots.len() {
        0 => String::new(),
        1 => format!(", and a kept copy of it ({size})"),
        count => format!(", and {count} kept copies of it ({size})"),
    };
    let root = status.board.disks.iter().find(|disk| disk.role == "volumes");
    let folder = root.map(|disk| Path::new(&disk.path).join(&app.app));
    let place = folder
        .as_ref()
        .map_or_else(String::new, |folder| format!(" in {}", clean(&folder.to_string_lossy())));
    let data = folder.as_deref().map_or_else(Vec::new, data);
    let data = match data.as_slice() {
        [] => "its data, if it has any".to_owned(),
        names if names.len() > NAMES_MOST => format!("its {} data folders", names.len()),
        names => format!("its data: {}", names.join(", ")),
    };
    format!(
        "This deletes of {name}, for good{place}:\n  its containers, images, record and history\n  its \
         state{kept}\n  {data}\nFolders of others that it mounts stay."
    )
}

/// Names of its data folders, as far as this user may see them.
fn data(folder: &Path) -> Vec<String> {
    let listed = std::fs::read_dir(folder.join("data"));
    let names = listed.into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|name| clean(&name.to_string_lossy())).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_goes_is_told() {
        let text =
            r#"{"app":"wallet","snapshots":[{"fork":1,"bytes":1500},{"fork":2,"bytes":1500}]}"#;
        let app: App = serde_json::from_str(text).unwrap();
        let status = r#"{"board":{"disks":[{"role":"volumes","path":"/nowhere/volumes"}]}}"#;
        let status: Status = serde_json::from_str(status).unwrap();
        let wanted = "This deletes of wallet, for good in /nowhere/volumes/wallet:
  its containers, images, record and history
  its state, and 2 kept copies of it (3.0 kB)
  its data, if it has any
Folders of others that it mounts stay.";
        assert_eq!(told(&app, &status), wanted);
    }
}
