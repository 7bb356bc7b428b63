//! What an image ships at a path, put in place once.

use std::fs;

use super::*;
use crate::volumes::testing::{Board, data, names, source, spec};
use crate::volumes::{Volumes, copy};

fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(if name.ends_with('/') { 0o755 } else { 0o644 });
        header.set_entry_type(if name.ends_with('/') {
            tar::EntryType::Directory
        } else {
            tar::EntryType::Regular
        });
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn wallet() -> Vec<u8> {
    archive(&[("wallet/", ""), ("wallet/a/", ""), ("wallet/a/default.toml", "x = 1")])
}

fn want(board: &Board, spec: &Spec, generation: u64) -> Vec<Seed> {
    wanted(&board.place, spec, Generation(generation)).unwrap()
}

fn plant(board: &Board, one: &Seed, archive: &[u8]) -> Result<Vec<String>, VolumesError> {
    seed(&board.place, one, Some(archive), &Cancel::default())
}

fn paths(seeds: &[Seed]) -> Vec<&str> {
    seeds.iter().map(|seed| seed.path.as_str()).collect()
}

#[test]
fn an_empty_volume_is_seeded_with_what_the_image_ships() {
    let board = Board::new();
    let spec = spec(&["/wallet"], &[data("/var/data")]);
    board.reserve_with(1, None, spec.clone());
    let seeds = want(&board, &spec, 1);
    assert_eq!(paths(&seeds), ["/wallet", "/var/data"]);
    assert_eq!(plant(&board, &seeds[0], &wallet()).unwrap(), Vec::<String>::new());
    plant(&board, &seeds[1], &archive(&[("data/", ""), ("data/block", "0")])).unwrap();
    assert_eq!(
        names(&board.place.fork(Generation(1))),
        ["wallet", "wallet/a", "wallet/a/default.toml"]
    );
    assert_eq!(names(&board.place.data_volume("var-data")), ["block"]);
    assert_eq!(want(&board, &spec, 1), []);
    assert!(!board.place.folder().join("data.seed").exists());
    assert!(!board.place.beside_fork(Generation(1), SEED).exists());
}

#[test]
fn p2_a_seed_cut_off_anywhere_leaves_the_volume_empty_and_wanting() {
    let board = Board::new();
    let spec = spec(&["/wallet"], &[data("/data")]);
    board.reserve_with(1, None, spec.clone());
    let whole = archive(&[("data/", ""), ("data/a", &"a".repeat(2000)), ("data/b", "b")]);
    let seeds = want(&board, &spec, 1);
    // Within the header of the first file, within its text, within the header of the second.
    for length in [700, 1500, 3700] {
        let error = plant(&board, &seeds[1], &whole[..length]).unwrap_err();
        assert!(matches!(error, VolumesError::BadSeed { .. }), "cut at {length}: {error}");
        assert_eq!(names(&board.place.data()), ["data"]);
        assert_eq!(want(&board, &spec, 1), seeds);
    }
    // A power cut: what was unpacked lies beside the volume still.
    let half = board.place.folder().join("data.seed");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("half"), "x").unwrap();
    assert_eq!(want(&board, &spec, 1), seeds);
    plant(&board, &seeds[1], &whole).unwrap();
    assert_eq!(names(&board.place.data_volume("data")), ["a", "b"]);
    assert!(!half.exists());
    // A power cut between the rename and the marker:
    fs::remove_file(board.place.data_marker("data", "seeded")).unwrap();
    assert_eq!(paths(&want(&board, &spec, 1)), ["/wallet"]);
    assert!(board.place.data_marker("data", "seeded").exists());
}

#[test]
fn p2_data_is_seeded_once_in_its_life_even_when_the_app_empties_it() {
    let board = Board::new();
    let spec = spec(&[], &[data("/data"), data("/full"), data("/nothing")]);
    board.reserve_with(1, None, spec.clone());
    fs::write(board.place.data_volume("full").join("precious"), "x").unwrap();
    let seeds = want(&board, &spec, 1);
    assert_eq!(paths(&seeds), ["/data", "/nothing"]);
    plant(&board, &seeds[0], &archive(&[("data/block", "0")])).unwrap();
    seed(&board.place, &seeds[1], None::<&[u8]>, &Cancel::default()).unwrap();
    fs::remove_file(board.place.data_volume("data").join("block")).unwrap();
    fs::remove_file(board.place.data_volume("full").join("precious")).unwrap();
    board.reserve_with(2, Some(1), spec.clone());
    assert_eq!(want(&board, &spec, 2), []);
}

#[test]
fn p2_state_is_seeded_only_where_the_parent_did_not_have_the_key() {
    let board = Board::new();
    board.complete(1); // its /wallet is empty: the app's will
    let spec = spec(&["/wallet", "/new"], &[]);
    board.reserve_with(2, Some(1), spec.clone());
    copy::copy(&board.place, Generation(2), &Cancel::default()).unwrap();
    assert_eq!(paths(&want(&board, &spec, 2)), ["/new"]);
}

#[test]
fn p2_what_came_into_the_volume_meanwhile_stays() {
    let board = Board::new();
    let spec = spec(&[], &[data("/data")]);
    board.reserve_with(1, None, spec.clone());
    let seeds = want(&board, &spec, 1);
    fs::write(board.place.data_volume("data").join("precious"), "x").unwrap();
    let notes = plant(&board, &seeds[0], &archive(&[("data/block", "0")])).unwrap();
    assert_eq!(notes, ["/data was not empty any more, and not seeded"]);
    assert_eq!(names(&board.place.data_volume("data")), ["precious"]);
    assert_eq!(want(&board, &spec, 1), []);
}

#[test]
fn p2_a_source_is_never_seeded() {
    let board = Board::new();
    let usb = board.outside().join("usb");
    fs::create_dir(&usb).unwrap();
    let mut volume = source("/media", &usb);
    volume.own = true;
    let spec = spec(&[], &[volume]);
    board.reserve_with(1, None, spec.clone());
    assert_eq!(want(&board, &spec, 1), []);
}

#[tokio::test(flavor = "current_thread")]
async fn an_archive_flows_from_the_loop_to_the_disk_and_one_cut_off_is_known() {
    let board = Board::new();
    let volumes = Volumes::on(board.place.root().to_owned(), board.system()).unwrap();
    let (app, text) = (board.place.app().clone(), "x".repeat(3_000_000));
    let spec = std::sync::Arc::new(spec(&["/wallet"], &[]));
    board.reserve(1, None);
    let seeds = volumes.seeds(&app, spec.clone(), Generation(1)).await.unwrap();
    let whole = archive(&[("wallet/", ""), ("wallet/big", &text)]);
    for ends in [false, true] {
        let (feeder, stream) = pipe();
        let feed = async {
            for piece in whole.chunks(64 * 1024) {
                assert!(feeder.send(piece.to_vec()).await);
            }
            if ends {
                feeder.end().await;
            } // else dropped: the engine's answer broke off, if only after the last byte
        };
        let (planted, ()) = tokio::join!(volumes.seed(&app, seeds[0].clone(), Some(stream)), feed);
        match planted {
            Ok(_) => assert!(ends || names(&board.place.fork(Generation(1))).len() == 2),
            Err(e) => assert!(!ends, "{e}"),
        }
        if !ends {
            fs::remove_dir_all(board.place.fork(Generation(1))).unwrap();
            volumes.copy(&app, Generation(1)).await.unwrap();
        }
    }
    let big = board.place.fork(Generation(1)).join("wallet/big");
    assert_eq!(fs::metadata(big).unwrap().len(), 3_000_000);
    let (feeder, stream) = pipe();
    drop(feeder);
    volumes.copy(&app, Generation(1)).await.unwrap();
    let error = volumes.seed(&app, seeds[0].clone(), Some(stream)).await.unwrap_err();
    assert!(matches!(error, VolumesError::BadSeed { .. }), "{error}");
}
