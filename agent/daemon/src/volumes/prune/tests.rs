//! What a pruning spares: all that somebody mounted in a fork, whatever disk it is of.

use std::fs;

use super::*;
use crate::volumes::own::Stubborn;
use crate::volumes::testing::Board;

/// A folder of the same disk, mounted at a place of the board's; taken off when dropped.
struct Bound {
    real: PathBuf,
    at: PathBuf,
}

impl Bound {
    fn at(board: &Board, at: PathBuf) -> Self {
        let real = board.outside().join("precious");
        fs::create_dir_all(real.join("deep")).unwrap();
        fs::write(real.join("deep/key"), "of others").unwrap();
        fs::create_dir_all(&at).unwrap();
        let (none, flags) = (None::<&str>, nix::mount::MsFlags::MS_BIND);
        nix::mount::mount(Some(&real), &at, none, flags, none).unwrap();
        Self { real, at }
    }

    fn is_whole(&self) -> bool {
        fs::read(self.real.join("deep/key")).is_ok_and(|key| key == b"of others")
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _gone = nix::mount::umount2(&self.at, nix::mount::MntFlags::MNT_DETACH);
    }
}

/// The board with the mounts that there really are.
fn real(board: &Board) -> System {
    System { mountinfo: "/proc/self/mountinfo".into(), ..board.system() }
}

fn numbers(board: &Board) -> Vec<(u64, bool)> {
    let listed = forks::list(&board.place, &Stubborn::default()).unwrap();
    listed.iter().map(|fork| (fork.generation.0, fork.is_complete())).collect()
}

fn pruned(board: &Board, system: &System, named: &[u64]) -> Spared {
    let named: Vec<_> = named.iter().copied().map(Generation).collect();
    prune(&board.place, system, &named, &Cancel::default()).unwrap()
}

#[test]
fn p2_a_fork_in_which_a_folder_of_the_same_disk_is_mounted_is_spared_and_the_rest_goes() {
    let board = Board::new();
    for n in [3, 4, 5, 6] {
        fs::write(board.complete(n).join("keys"), "x").unwrap();
    }
    let inside = board.place.fork(Generation(3)).join("wallet/backup");
    let bound = Bound::at(&board, inside.clone());
    let spared = pruned(&board, &real(&board), &[3, 4, 5]);
    assert_eq!(spared, Spared::from([(Generation(3), inside)]));
    assert_eq!(numbers(&board), [(3, true), (6, true)], "spared whole, and as complete as it was");
    assert!(bound.is_whole());
    drop(bound);
    assert_eq!(pruned(&board, &real(&board), &[3]), Spared::new());
    assert_eq!(numbers(&board), [(6, true)]);
}

#[test]
fn p2_what_is_mounted_on_a_fork_itself_or_on_what_was_set_aside_is_spared() {
    for name in ["3", "3.old-1", "3.seed"] {
        let board = Board::new();
        board.complete(3);
        board.complete(4);
        let bound = Bound::at(&board, board.place.state().join(name));
        let spared = pruned(&board, &real(&board), &[3]);
        assert_eq!(spared.len(), 1, "{name}");
        assert_eq!(numbers(&board), [(3, true), (4, true)], "{name}");
        let aside = prune_set_aside(&board.place, &real(&board), &Cancel::default()).unwrap();
        assert_eq!(aside.len(), usize::from(name == "3.old-1"));
        assert!(bound.is_whole(), "{name}");
    }
}

#[test]
fn p2_a_mount_that_came_after_the_table_was_read_is_never_gone_into() {
    for name in ["3/wallet/backup", "3"] {
        let board = Board::new();
        board.complete(3);
        board.complete(4);
        let bound = Bound::at(&board, board.place.state().join(name));
        let spared = pruned(&board, &board.system(), &[3]); // its table is empty
        assert_eq!(spared.len(), 1, "{name}");
        assert_eq!(numbers(&board), [(3, false), (4, true)], "{name}: begun, so it does not count");
        assert!(bound.is_whole(), "{name}");
        drop(bound);
        assert_eq!(pruned(&board, &real(&board), &[3]), Spared::new());
        assert_eq!(numbers(&board), [(4, true)]);
    }
}
