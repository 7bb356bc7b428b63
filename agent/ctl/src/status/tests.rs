//! The whole output, to be read as prose: `tests/*.txt`. `UPDATE_SNAPSHOTS=1` writes them anew.

use super::*;

const WELL: &str = include_str!("../../../core/samples/status.json");
const TROUBLES: &str = include_str!("tests/troubles.json");
const STATES: &str = include_str!("tests/states.json");
const WIDE: Look = Look { width: Some(80), colour: false };
const PLAIN: Look = Look { width: None, colour: false };

fn parse(text: &str) -> Status {
    serde_json::from_str(text).unwrap()
}

/// Compares with `tests/<name>.txt`.
pub(crate) fn snapshot(folder: &str, name: &str, shown: &str) {
    let path = format!("{}/src/{folder}/tests/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == wanted, "{path} differs; shown now:\n{shown}");
}

#[test]
fn p8_status_reads_as_it_should() {
    let wallet = || parse(WELL);
    let cases = [
        ("well", render(&parse(WELL), None, WIDE)),
        ("well_plain", render(&parse(WELL), None, PLAIN)),
        ("one_app", render(&wallet(), Some("wallet"), WIDE)),
        ("no_apps", render(&Status { apps: Vec::new(), ..parse(WELL) }, None, WIDE)),
        ("troubles", render(&parse(TROUBLES), None, WIDE)),
        ("troubles_plain", render(&parse(TROUBLES), None, PLAIN)),
        ("troubles_one_app", render(&parse(TROUBLES), Some("tor"), WIDE)),
        ("states", render(&parse(STATES), None, WIDE)),
        ("states_40", render(&parse(STATES), None, Look { width: Some(40), colour: false })),
    ];
    for (name, shown) in cases {
        snapshot("status", name, &shown);
    }
}

#[test]
fn a_table_fits_80_columns() {
    for document in [WELL, TROUBLES, STATES] {
        for line in render(&parse(document), None, WIDE).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn a_stranger_can_not_move_the_cursor() {
    for look in [WIDE, PLAIN] {
        let shown = render(&parse(STATES), None, look);
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert_eq!(shown.chars().find(|c| harmful(*c)), None);
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let mut shown = render(&parse(STATES), None, Look { width: Some(80), colour: true });
    assert!(shown.contains("\u{1b}[31mblocked\u{1b}[0m"));
    assert!(shown.contains("\u{1b}[32mok\u{1b}[0m"));
    for code in ["[31m", "[32m", "[33m", "[0m"] {
        shown = shown.replace(&format!("\u{1b}{code}"), "");
    }
    assert_eq!(shown, render(&parse(STATES), None, WIDE));
}

#[test]
fn the_exit_code_is_3_when_somebody_should_look() {
    let with = |state: &str, engine: &str| {
        let mut status = parse(WELL);
        status.apps[0].state = state.into();
        status.board.engine.state = engine.into();
        status
    };
    for state in ["ok", "updating", "waiting", "held", "stopped", "orphaned", "hibernating"] {
        assert_eq!(exit(&with(state, "ready"), None), Exit::Well, "{state}");
    }
    for state in ["degraded", "blocked", "unknown"] {
        assert_eq!(exit(&with(state, "ready"), None), Exit::Attention, "{state}");
        assert_eq!(exit(&with(state, "ready"), Some("wallet")), Exit::Well, "another app's");
    }
    for engine in ["away", "refused", "unsupported"] {
        assert_eq!(exit(&with("ok", engine), None), Exit::Attention, "{engine}");
        assert_eq!(exit(&with("ok", engine), Some("wallet")), Exit::Attention, "{engine}");
    }
    let mut config = parse(WELL);
    config.agent.config_errors.push(crate::view::ConfigError::default());
    assert_eq!(exit(&config, None), Exit::Well, "config errors alone");
}

#[test]
fn a_name_becomes_one_part_of_a_path() {
    assert_eq!(segment("wallet"), "wallet");
    assert_eq!(segment("../status?x=1 HTTP/1.0\r\n"), "..!status!x!1!HTTP!1.0!!");
    assert_eq!(segment(""), "!");
}
