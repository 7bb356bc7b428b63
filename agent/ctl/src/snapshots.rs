//! `agentctl snapshots`: the kept copies of each app's state, and the one in use.

use crate::client::{Client, ClientError};
use crate::show::{Look, columns, padded};
use crate::status::segment;
use crate::view::{App, Snapshot, Status};
use crate::words::{bytes, clean, clean_json, moment, short};
use crate::{Exit, say};

/// Widest app, number, release and size.
const CELLS_MOST: [usize; 4] = [24, 8, 20, 9];

/// Runs the command.
pub(crate) fn run(client: &Client, app: Option<&str>, json: bool) -> Result<Exit, ClientError> {
    let path = app.map_or_else(|| "/v1/status".into(), |app| format!("/v1/apps/{}", segment(app)));
    let body = client.get(&path)?;
    if json {
        say(&clean_json(&body));
        return Ok(Exit::Well);
    }
    let apps = match app {
        Some(_) => vec![client.parse::<App>(&body)?],
        None => client.parse::<Status>(&body)?.apps,
    };
    say(&render(&apps, Look::of_stdout()));
    Ok(Exit::Well)
}

/// One line: app, number, release, size; then since when, and why it is kept.
struct Row {
    cells: [String; 4],
    rest: String,
}

/// The whole output.
fn render(apps: &[App], look: Look) -> String {
    let rows: Vec<Row> = apps.iter().flat_map(rows).collect();
    let cells: Vec<_> = rows.iter().map(|row| row.cells.clone()).collect();
    let widths = columns(&cells, CELLS_MOST);
    let mut out = String::new();
    for row in &rows {
        let cells = row.cells.iter().zip(widths).zip(CELLS_MOST);
        let cells: Vec<_> = cells
            .enumerate()
            .map(|(place, ((cell, width), most))| match place {
                0 => padded(cell, width),
                _ => padded(&short(cell, most), width),
            })
            .collect();
        out += &look.paragraph(&format!("{}  ", cells.join("  ")), &row.rest);
    }
    if rows.is_empty() {
        out += "no state is kept yet\n";
    }
    out
}

fn rows(app: &App) -> Vec<Row> {
    let name = clean(&app.app);
    let used = app.container.as_ref().map(|container| {
        let release = app.current.as_ref().map_or_else(|| "-".into(), |current| current.name());
        let number = container.generation.to_string();
        Row {
            cells: [name.clone(), number, clean(&release), "-".into()],
            rest: match container.state.as_str() {
                "running" => "in use".into(),
                state => format!("in use, {}", clean(state)),
            },
        }
    });
    let kept = app.snapshots.iter().map(|snapshot| Row {
        cells: [
            name.clone(),
            snapshot.fork.to_string(),
            clean(snapshot.release.as_deref().unwrap_or("-")),
            bytes(snapshot.bytes),
        ],
        rest: format!("{}  {}", moment(snapshot.at), why(snapshot)),
    });
    used.into_iter().chain(kept).collect()
}

/// Why it is kept.
fn why(snapshot: &Snapshot) -> String {
    match snapshot.kind.as_str() {
        "previous" => "left by an update".into(),
        "failed" => "written by a release that failed".into(),
        "manual" => "kept by agentctl snapshot".into(),
        other => clean(&other.replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_in_use_comes_first_and_each_says_why_it_is_kept() {
        let text = r#"[
            {"app":"tor","snapshots":[]},
            {"app":"wallet","container":{"generation":4,"state":"running"},"current":{"version":"0.26.1"},
             "snapshots":[
              {"fork":3,"bytes":2000000,"at":"2026-11-23T21:00:00.000Z","kind":"manual","release":"0.26.1"},
              {"fork":2,"bytes":1000,"at":"2026-11-22T21:00:00.000Z","kind":"failed","release":"0.27.0-rc.1-of-the-very-long-kind"},
              {"fork":1,"bytes":0,"at":"2026-11-01T10:00:00.000Z","kind":"previous"},
              {"fork":0,"bytes":0,"at":"2026-11-01T10:00:00.000Z","kind":"new_word","release":"a\u001b[2J"}]}]"#;
        let apps: Vec<App> = serde_json::from_str(text).unwrap();
        let look = Look { width: None, colour: false };
        let wanted = "\
wallet  4  0.26.1                -       in use
wallet  3  0.26.1                2.0 MB  2026-11-23 21:00Z kept by agentctl snapshot
wallet  2  0.27.0-rc.1-of-the..  1.0 kB  2026-11-22 21:00Z written by a release that failed
wallet  1  -                     0 B     2026-11-01 10:00Z left by an update
wallet  0  a [2J                 0 B     2026-11-01 10:00Z new word
";
        assert_eq!(render(&apps, look), wanted);
        assert_eq!(render(&apps[..1], look), "no state is kept yet\n");
    }
}
