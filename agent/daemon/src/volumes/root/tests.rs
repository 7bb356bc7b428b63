//! Whose volumes these are, in every case of §3.4.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::volumes::testing::{Board, ID};

const OTHER: &str = "fedcba98-7654-4321-8fed-cba987654321";
const FRESH: &str = "11111111-2222-4333-8444-555555555555";

fn id(text: &str) -> InstanceId {
    InstanceId(text.to_owned())
}

struct Case {
    board: Board,
    root: PathBuf,
}

impl Case {
    /// A root that is there, with this text as its id file.
    fn with(text: Option<&str>) -> Self {
        let board = Board::new();
        let root = board.place.root().to_owned();
        fs::write(board.system().mountinfo, "").unwrap();
        match text {
            Some(text) => fs::write(root.join(ID_FILE), text).unwrap(),
            None => fs::remove_file(root.join(ID_FILE)).unwrap(),
        }
        Self { board, root }
    }

    fn without_folder() -> Self {
        let case = Self::with(None);
        fs::remove_dir(&case.root).unwrap();
        case
    }

    fn settle(&self, state: Option<&str>, labelled: bool) -> RootState {
        let state = state.map(id);
        settle(&self.root, &self.board.system(), state.as_ref(), labelled, id(FRESH)).unwrap()
    }

    fn why(&self, state: Option<&str>, labelled: bool) -> WhyMissing {
        match self.settle(state, labelled) {
            RootState::Missing { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }

    fn text(&self) -> Option<String> {
        fs::read_to_string(self.root.join(ID_FILE)).ok()
    }
}

#[test]
fn the_same_id_in_both_is_ready_with_or_without_its_newline() {
    for text in [format!("{ID}\n"), ID.to_owned()] {
        let case = Case::with(Some(&text));
        assert_eq!(case.settle(Some(ID), true), RootState::Ready(id(ID)));
        assert_eq!(case.text(), Some(text), "nothing is written");
    }
}

#[test]
fn p2_a_root_without_the_id_is_missing_and_nothing_is_made() {
    let case = Case::with(None);
    assert_eq!(case.why(Some(ID), false), WhyMissing::NoId);
    assert_eq!(fs::read_dir(&case.root).unwrap().count(), 0);
    let case = Case::without_folder();
    assert_eq!(case.why(Some(ID), false), WhyMissing::NoId);
    assert!(!case.root.exists());
    let reason = case.settle(Some(ID), false).reason(Timestamp(0)).unwrap();
    assert_eq!(reason.code, Code::VolumesMissing);
}

#[test]
fn a_damaged_id_is_no_new_board() {
    for text in ["", "\n", "not a uuid", &"x".repeat(5000)] {
        let case = Case::with(Some(text));
        assert_eq!(case.why(None, false), WhyMissing::DamagedId);
        assert_eq!(case.why(Some(ID), false), WhyMissing::DamagedId);
    }
}

#[test]
fn a_lost_state_folder_is_taken_over_from_the_root() {
    let case = Case::with(Some(ID));
    assert_eq!(case.settle(None, true), RootState::TakenOver(id(ID)));
    assert_eq!(case.settle(None, false), RootState::TakenOver(id(ID)));
}

#[test]
fn another_boards_volumes_are_foreign() {
    let case = Case::with(Some(OTHER));
    let state = case.settle(Some(ID), false);
    assert_eq!(state.id(), None);
    let reason = state.reason(Timestamp(0)).unwrap();
    assert_eq!(reason.code, Code::VolumesForeign);
    assert!(reason.message.contains(ID) && reason.message.contains(OTHER));
    assert_eq!(case.text().as_deref(), Some(OTHER));
}

#[test]
fn a_new_board_gets_a_new_id_at_the_root_first() {
    for case in [Case::with(None), Case::without_folder()] {
        assert_eq!(case.settle(None, false), RootState::New(id(FRESH)));
        assert_eq!(case.text(), Some(format!("{FRESH}\n")));
        let mode = fs::metadata(&case.root).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755);
        // A power cut before the state folder has it too:
        assert_eq!(case.settle(None, false), RootState::TakenOver(id(FRESH)));
    }
}

#[test]
fn p2_no_new_board_where_containers_know_an_agent_or_a_mount_is_away() {
    let case = Case::without_folder();
    assert_eq!(case.why(None, true), WhyMissing::Containers);
    let line = format!("/dev/sda1 {} ext4 defaults 0 2\n", case.root.display());
    fs::write(case.board.system().fstab, line).unwrap();
    assert!(matches!(case.why(None, false), WhyMissing::Unmounted(_)));
    assert!(!case.root.exists());
    let message = case.settle(None, false).reason(Timestamp(0)).unwrap().message;
    assert!(message.contains("is to be mounted by") && message.contains("fstab"), "{message}");
}

#[test]
fn adopt_takes_the_state_folders_id_else_the_containers_else_the_roots_else_a_new_one() {
    for (case, state, containers, root, want) in [
        ("state", Some(ID), vec![OTHER], Some(OTHER), ID),
        ("containers", None, vec![OTHER], Some(ID), OTHER),
        ("containers and root agree", None, vec![OTHER, ID], Some(ID), ID),
        ("root", None, vec![], Some(OTHER), OTHER),
        ("damaged root", None, vec![], Some("?"), FRESH),
        ("nothing", None, vec![], None, FRESH),
    ] {
        let at = Case::with(root);
        let state = state.map(id);
        let containers: Vec<_> = containers.into_iter().map(id).collect();
        let got = adopt(&at.root, state.as_ref(), &containers, id(FRESH)).unwrap();
        assert_eq!(got, id(want), "{case}");
        assert_eq!(at.text(), Some(format!("{want}\n")), "{case}");
        assert_eq!(at.settle(Some(want), true), RootState::Ready(id(want)), "{case}");
    }
}
