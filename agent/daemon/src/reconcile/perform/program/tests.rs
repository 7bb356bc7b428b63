//! What is told of programs whose image lost something, and that nothing is told without proof.

use std::collections::BTreeMap;

use super::*;

type Files = BTreeMap<String, Vec<u8>>;

const APP: &str = "/app";

/// A program of this machine, with its loader and its libraries where Debian has them.
fn debian() -> (Files, String, Vec<String>) {
    let bytes = std::fs::read("/bin/ls").expect("each system has one");
    let Kind::Elf(elf) = elf::read(&bytes, bytes.len() as u64) else {
        panic!("no program");
    };
    let loader = elf.interpreter.clone().expect("it has one");
    let folder = elf.architecture.and_then(multiarch).expect("a usual one");
    let libraries: Vec<String> =
        elf.needed.iter().map(|name| format!("/usr/lib/{folder}/{name}")).collect();
    let mut files = Files::from([(APP.to_owned(), bytes), (loader.clone(), b"\x7fELF".to_vec())]);
    files.extend(libraries.iter().map(|path| (path.clone(), b"\x7fELF".to_vec())));
    (files, loader, libraries)
}

fn judged_with(
    files: &Files,
    change: impl Fn(&mut Shape, &mut ImageFacts, &mut Platform),
) -> Entry {
    let mut shape = Shape::of("registry.local/app:1".parse().expect("a reference"));
    let mut image = ImageFacts::default();
    let built = if cfg!(target_arch = "x86_64") { "linux/amd64" } else { "linux/arm64" };
    let mut board = Platform::parse(built).expect("a platform");
    change(&mut shape, &mut image, &mut board);
    let case = Case { shape: &shape, image: &image, board: Some(&board) };
    let look = async |path: &str| {
        let file = |bytes: &Vec<u8>| Lies::File { bytes: bytes.len() as u64, mode: 0o755 };
        Ok::<_, ()>(files.get(path).map_or(Lies::Nothing, file))
    };
    let read = async |path: &str, most: usize| {
        let bytes = files.get(path).cloned().unwrap_or_default();
        Ok(bytes.into_iter().take(most).collect())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let bytes = files[APP].len() as u64;
    runtime.block_on(judge(&case, APP, bytes, look, read)).expect("an answer")
}

fn judged(files: &Files) -> Entry {
    judged_with(files, |_, _, _| {})
}

fn damage(files: &Files) -> String {
    match judged(files) {
        Entry::Damaged(what) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_program_is_fine_also_where_its_libraries_are_not_found() {
    let (mut files, loader, _) = debian();
    assert_eq!(judged(&files), Entry::Fine);
    files.retain(|path, _| *path == loader || path == APP);
    assert_eq!(judged(&files), Entry::Fine, "they may lie anywhere");
    for odd in [&b"MZ what others run"[..], b"text without a first line", b"\0\0\0\0x"] {
        assert_eq!(judged(&Files::from([(APP.to_owned(), odd.to_vec())])), Entry::Fine);
    }
}

#[test]
fn a_program_of_zeros_or_cut_off_or_without_a_sensible_head_is_damaged() {
    let (mut files, _, _) = debian();
    let whole = files[APP].clone();
    for (bytes, want) in [
        (vec![0; whole.len()], "its entry point /app holds nothing but zeros"),
        (whole[..whole.len() / 2].to_vec(), "its entry point /app is cut off"),
        (whole[..20].to_vec(), "the head of its entry point /app makes no sense"),
        (
            [&whole[..16], &vec![0; 5000]].concat(),
            "the head of its entry point /app makes no sense",
        ),
    ] {
        files.insert(APP.to_owned(), bytes);
        assert_eq!(damage(&files), want);
    }
}

#[test]
fn a_loader_that_is_empty_or_of_zeros_is_damage_and_one_that_is_gone_is_told() {
    let (mut files, loader, _) = debian();
    for (bytes, how) in [(vec![], "is an empty file"), (vec![0; 9], "holds nothing but zeros")] {
        files.insert(loader.clone(), bytes);
        assert_eq!(damage(&files), format!("{loader}, the loader of its entry point, {how}"));
    }
    files.remove(&loader);
    let gone = Entry::NoLoader(format!("{loader}, the loader of its entry point,"));
    assert_eq!(judged(&files), gone);
    let hidden = |shape: &mut Shape, _: &mut ImageFacts, _: &mut Platform| {
        shape.volumes.scratch = ["/lib", "/lib64"].map(str::to_owned).into();
    };
    assert_eq!(judged_with(&files, hidden), Entry::Fine, "a volume hides it");
}

#[test]
fn a_library_is_damaged_when_no_copy_of_it_is_sound() {
    let (mut files, _, libraries) = debian();
    let library = libraries.last().expect("at least libc");
    for (bytes, how) in [(vec![], "is an empty file"), (vec![0; 5000], "holds nothing but zeros")] {
        files.insert(library.clone(), bytes);
        assert_eq!(damage(&files), format!("the library {library} of its entry point {how}"));
    }
    let led = |_: &mut Shape, image: &mut ImageFacts, _: &mut Platform| {
        image.env = vec!["LD_LIBRARY_PATH=/opt".to_owned()];
    };
    assert_eq!(judged_with(&files, led), Entry::Fine, "another one may be meant");
    let name = library.rsplit('/').next().expect("a name");
    files.insert(format!("/usr/local/lib/{name}"), b"\x7fELF".to_vec());
    assert_eq!(judged(&files), Entry::Fine, "the loader may take this one");
}

#[test]
fn the_interpreter_of_a_script_is_looked_at_in_the_same_way() {
    let script = |line: &str| Files::from([(APP.to_owned(), line.as_bytes().to_vec())]);
    let gone = Entry::NoLoader("/bin/sh, the interpreter of its entry point,".into());
    for line in ["#!/bin/sh\nexit\n", "#! /bin/sh -e\n", "#!/bin/sh"] {
        let mut files = script(line);
        assert_eq!(judged(&files), gone, "{line}");
        files.insert("/bin/sh".into(), b"\x7fELF".to_vec());
        assert_eq!(judged(&files), Entry::Fine, "{line}");
        files.insert("/bin/sh".into(), Vec::new());
        assert_eq!(damage(&files), "/bin/sh, the interpreter of its entry point, is an empty file");
    }
    for line in ["#!\n", "#!sh\n", "#!/bin/sh\r\n"] {
        assert_eq!(judged(&script(line)), Entry::Fine, "{line:?} proves nothing");
    }
}

#[test]
fn p5_a_program_for_another_processor_is_told_before_it_runs() {
    let (files, _, _) = debian();
    let on = |board: &'static str| {
        judged_with(&files, move |_, _, own| *own = Platform::parse(board).expect("a platform"))
    };
    assert!(matches!(on("linux/riscv64"), Entry::Foreign(what) if what.contains("/app")));
    let (family, other) = if cfg!(target_arch = "x86_64") {
        ("linux/386", "linux/arm/v7")
    } else {
        ("linux/arm/v7", "linux/amd64")
    };
    assert_eq!(on(family), Entry::Fine, "the kernel may run both");
    assert!(matches!(on(other), Entry::Foreign(_)));
}
