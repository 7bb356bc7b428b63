//! An app that writes all the time: an SQLite database in WAL mode and an appended log, both in the state.
//!
//! Promise: before it serves it has looked at all that it was given. Rows are numbered from 1, each with the version
//! that wrote it; row n is committed first, then line n goes to the log, then to `committed.log` in the data, which
//! is never copied: what stands there was committed before any later stop.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use rusqlite::Connection;

use crate::stamp;

/// What the look at the start found.
static FOUND: OnceLock<String> = OnceLock::new();

/// What was found at the start: `ok <rows>`, or what is wrong.
pub fn found() -> String {
    FOUND.get().cloned().unwrap_or_else(|| "not looked at".to_owned())
}

/// Whether all was as it must be.
pub fn is_whole() -> bool {
    found().starts_with("ok ")
}

/// Looks at the state, then writes to it for ever. Returns after the look.
pub fn begin(version: &str) -> Result<(), String> {
    let database = open().map_err(|error| error.to_string())?;
    let looked = look(&database);
    let _first = FOUND.set(match &looked {
        Ok(rows) => format!("ok {rows}"),
        Err(why) => why.clone(),
    });
    println!("database: {}", found());
    let Ok(rows) = looked else { return Ok(()) };
    let version = version.to_owned();
    std::thread::spawn(move || {
        if let Err(error) = write(&database, rows, &version) {
            eprintln!("database: {error}");
            std::process::exit(17);
        }
    });
    Ok(())
}

fn log() -> PathBuf {
    stamp::state().join("written.log")
}

fn witness() -> PathBuf {
    stamp::data().join("committed.log")
}

fn open() -> rusqlite::Result<Connection> {
    let database = Connection::open(stamp::state().join("wallet.db"))?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    // So large that most of the rows lie in the log of a stop, not in the database.
    database.pragma_update(None, "wal_autocheckpoint", 200)?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, version TEXT, filler BLOB)",
    )?;
    Ok(database)
}

/// Number of rows, when nothing is torn and none is lost.
fn look(database: &Connection) -> Result<i64, String> {
    let said = |error: rusqlite::Error| format!("the database: {error}");
    let whole: String =
        database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(said)?;
    if whole != "ok" {
        return Err(format!("the database is torn: {whole}"));
    }
    let (count, last): (i64, i64) = database
        .query_row("SELECT count(*), coalesce(max(n), 0) FROM rows", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(said)?;
    if count != last {
        return Err(format!("{count} rows, the last is {last}"));
    }
    // One row may be committed whose line was not written yet.
    let lines = fs::read_to_string(log()).unwrap_or_default();
    let logged = lines.lines().count() as i64;
    let is_torn = lines.lines().zip(1..).any(|(line, n): (&str, i64)| line != n.to_string());
    if is_torn
        || (!lines.is_empty() && !lines.ends_with('\n'))
        || logged + 1 < last
        || logged > last
    {
        return Err(format!("the log is torn: {logged} lines for {last} rows"));
    }
    let mut statement =
        database.prepare("SELECT version, max(n) FROM rows GROUP BY version").map_err(said)?;
    let reached = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<BTreeMap<String, i64>>>)
        .map_err(said)?;
    for line in fs::read_to_string(witness()).unwrap_or_default().lines() {
        let Some((version, n)) = line.split_once(' ') else { continue };
        let n: i64 = n.parse().map_err(|_| format!("witness: {line}"))?;
        // What a release wrote that was taken back is in no fork that goes on.
        if reached.get(version).is_some_and(|last| *last < n) {
            return Err(format!("row {n} of {version} was committed and is lost"));
        }
    }
    Ok(last)
}

fn write(database: &Connection, rows: i64, version: &str) -> Result<(), String> {
    let said = |error: std::io::Error| error.to_string();
    let open = |path: PathBuf| -> Result<File, String> {
        OpenOptions::new().create(true).append(true).open(path).map_err(said)
    };
    let (mut log, mut witness) = (open(log())?, open(witness())?);
    // The line that the last stop came before.
    if fs::read_to_string(self::log()).unwrap_or_default().lines().count() as i64 + 1 == rows {
        log.write_all(format!("{rows}\n").as_bytes()).map_err(said)?;
    }
    for n in rows + 1.. {
        database
            .execute(
                "INSERT INTO rows VALUES (?1, ?2, randomblob(700))",
                rusqlite::params![n, version],
            )
            .map_err(|error| error.to_string())?;
        log.write_all(format!("{n}\n").as_bytes()).map_err(said)?;
        witness.write_all(format!("{version} {n}\n").as_bytes()).map_err(said)?;
    }
    Ok(())
}
