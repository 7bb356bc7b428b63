//! Files as people leave them: bad, clashing, missing, too large.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

const AT: Timestamp = Timestamp(1_800_000_000_000);

/// A configuration folder of its own, gone when dropped.
struct Etc(PathBuf);

impl Etc {
    fn new(name: &str) -> Self {
        let root =
            std::env::temp_dir().join(format!("titania-files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("apps.d")).unwrap();
        let etc = Self(root);
        let apps = etc.0.join("apps.d");
        etc.put("agent.toml", &format!("[paths]\napps = \"{}\"\n", apps.display()));
        etc
    }

    fn put(&self, file: &str, text: &str) -> PathBuf {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn app(&self, name: &str, text: &str) {
        self.put(&format!("apps.d/{name}.toml"), text);
    }

    fn config(&self) -> PathBuf {
        self.0.join("agent.toml")
    }

    fn load(&self) -> InForce {
        load(&self.config(), AT)
    }
}

impl Drop for Etc {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn image(in_force: &InForce, app: &str) -> Option<String> {
    let app = in_force.apps.get(&app.parse().unwrap())?;
    Some(app.definition.as_ref()?.shape.image.to_string())
}

fn messages(in_force: &InForce) -> String {
    in_force.errors.iter().map(titania_config::shown).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_bad_file_leaves_the_last_good_definition_in_force() {
    let etc = Etc::new("bad");
    etc.app("wallet", "image = \"a/wallet:1\"\n");
    let first = etc.load();
    assert_eq!(messages(&first), "");
    etc.app("wallet", "image = \"a/wallet:2\"\nports = 5\n");
    let second = reload(&first, AT);
    assert_eq!(image(&second, "wallet").as_deref(), Some("docker.io/a/wallet:1"));
    let error = second.apps.values().next().unwrap().error.clone().unwrap();
    assert_eq!(error.code, Code::ConfigInvalid);
    assert!(error.message.contains("wallet.toml:2:"), "{}", error.message);
    let later = reload(&second, Timestamp(AT.0 + 1000));
    assert_eq!(later.apps, second.apps, "the same fault keeps its time");
    etc.app("wallet", "image = \"a/wallet:2\"\n");
    let mended = reload(&later, AT);
    assert_eq!(image(&mended, "wallet").as_deref(), Some("docker.io/a/wallet:2"));
    assert_eq!(messages(&mended), "");
}

#[test]
fn a_file_that_was_never_good_is_no_removed_one() {
    let etc = Etc::new("never");
    etc.app("wallet", "image = 5\n");
    let in_force = etc.load();
    assert_eq!(in_force.apps.len(), 1);
    assert_eq!(image(&in_force, "wallet"), None);
    fs::remove_file(etc.0.join("apps.d/wallet.toml")).unwrap();
    assert!(reload(&in_force, AT).apps.is_empty(), "now it is gone");
}

#[test]
fn a_name_that_is_none_and_an_editors_file_make_no_app() {
    let etc = Etc::new("names");
    etc.app("Wallet App", "image = \"a/wallet:1\"\n");
    etc.app(".#tor", "image = \"a/tor:1\"\n");
    etc.put("apps.d/tor.toml~", "image = \"a/tor:1\"\n");
    let in_force = etc.load();
    assert!(in_force.apps.is_empty());
    assert_eq!(in_force.errors.len(), 1, "{}", messages(&in_force));
    assert!(messages(&in_force).contains("Wallet App"), "{}", messages(&in_force));
}

#[test]
fn a_pipe_or_a_folder_in_apps_d_holds_nothing_up() {
    let etc = Etc::new("pipe");
    let pipe = etc.0.join("apps.d/pipe.toml");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs::create_dir(etc.0.join("apps.d/folder.toml")).unwrap();
    let in_force = etc.load();
    assert_eq!(in_force.errors.len(), 2, "{}", messages(&in_force));
    assert!(messages(&in_force).contains("no regular file"), "{}", messages(&in_force));
}

#[test]
fn a_new_definition_that_clashes_does_not_come_in() {
    let etc = Etc::new("clash");
    etc.app("web", "image = \"a/web:1\"\nports = [\"80:80\"]\n");
    let first = etc.load();
    etc.app("other", "image = \"a/other:1\"\nports = [\"80:8080\"]\n");
    let second = reload(&first, AT);
    assert_eq!(
        image(&second, "web").as_deref(),
        Some("docker.io/a/web:1"),
        "in force, and stays so"
    );
    assert_eq!(image(&second, "other"), None);
    let faults = messages(&second);
    assert!(faults.contains("other.toml") && !faults.contains("web.toml:"), "{faults}");
    let fresh = etc.load();
    assert_eq!((image(&fresh, "web"), image(&fresh, "other")), (None, None), "none is older");
    assert_eq!(fresh.errors.len(), 2);
}

#[test]
fn an_env_file_that_others_can_read_is_refused() {
    let etc = Etc::new("env");
    let env = etc.put("wallet.env", "KEY=secret\n");
    etc.app("wallet", &format!("image = \"a/wallet:1\"\nenv_file = \"{}\"\n", env.display()));
    let set = |mode| fs::set_permissions(&env, fs::Permissions::from_mode(mode)).unwrap();
    set(0o640);
    let good = etc.load();
    assert_eq!(
        good.apps.values().next().unwrap().env.get("KEY").map(String::as_str),
        Some("secret")
    );
    for mode in [0o644, 0o642, 0o641] {
        set(mode);
        let bad = etc.load();
        let faults = messages(&bad);
        assert!(faults.contains(&format!("{mode:04o}")) && faults.contains("chmod o="), "{faults}");
        assert!(!faults.contains("secret"), "values never leave the board");
        assert_eq!(image(&bad, "wallet"), None);
    }
}

#[test]
fn settings_are_defaults_without_a_file_and_drop_ins_come_after_it() {
    let etc = Etc::new("settings");
    let mut faults = Vec::new();
    let (settings, unusable) = read_settings(&etc.0.join("none.toml"), None, AT, &mut faults);
    assert_eq!((settings, unusable, faults), (Settings::default(), None, Vec::new()));
    etc.put("agent.d/10-poll.toml", "poll = \"5m\"\n");
    etc.put("agent.d/20-poll.toml", "poll = \"7m\"\n");
    let in_force = etc.load();
    assert_eq!((messages(&in_force).as_str(), in_force.settings.poll.0), ("", 7 * 60_000));
}

#[test]
fn settings_partly_at_fault_are_used_but_never_without_paths_and_engine() {
    let etc = Etc::new("partly");
    let apps = format!("apps = \"{}\"", etc.0.join("apps.d").display());
    etc.app("wallet", "image = \"a/wallet:1\"\n");
    etc.put("agent.toml", &format!("[paths]\n{apps}\n[mqtt]\nurl = \"http://nonsense\"\n"));
    let partly = etc.load();
    assert_eq!(partly.unusable, None);
    assert_eq!((partly.settings.mqtt.is_none(), partly.apps.len()), (true, 1));
    assert!(messages(&partly).contains("agent.toml:4:"), "{}", messages(&partly));
    for text in [
        format!("[paths]\n{apps}\nstate = 5\n"),
        "[engine]\nsocket = 5\n".to_owned(),
        "[engine\n".to_owned(),
    ] {
        etc.put("agent.toml", &text);
        let unusable = etc.load().unusable.expect(&text);
        assert_eq!(unusable.code, Code::ConfigInvalid);
        assert!(unusable.hint.contains("--check-config"), "{}", unusable.hint);
    }
    let before = partly;
    let kept = reload(&before, AT);
    assert_eq!((kept.unusable, kept.settings), (None, before.settings), "the last good ones stay");
}

#[test]
fn paths_of_a_running_agent_do_not_move() {
    let etc = Etc::new("move");
    let first = etc.load();
    let apps = first.settings.paths.apps.clone();
    etc.put(
        "agent.toml",
        &format!("poll = \"5m\"\n[paths]\napps = \"{apps}\"\nstate = \"/elsewhere\"\n"),
    );
    let second = reload(&first, AT);
    assert_eq!(second.settings.paths, first.settings.paths);
    assert_eq!(second.settings.poll.0, 5 * 60_000, "the rest comes into force");
}

#[test]
fn a_file_over_the_limit_is_refused_one_at_it_is_read() {
    let etc = Etc::new("long");
    let head = "image = \"a/wallet:1\"\n#";
    let fill = |bytes: usize| format!("{head}{}", "x".repeat(bytes - head.len()));
    etc.app("wallet", &fill(titania_config::FILE_BYTES_MAX));
    assert_eq!(messages(&etc.load()), "");
    etc.app("wallet", &fill(titania_config::FILE_BYTES_MAX + 1));
    assert_eq!(etc.load().errors.len(), 1);
}

#[test]
fn a_folder_that_can_not_be_listed_removes_no_app() {
    let etc = Etc::new("folder");
    etc.app("wallet", "image = \"a/wallet:1\"\n");
    let first = etc.load();
    fs::remove_dir_all(etc.0.join("apps.d")).unwrap();
    let second = reload(&first, AT);
    assert_eq!(second.apps, first.apps);
    assert_eq!(second.unusable, None);
    assert!(messages(&second).contains("can't be listed"), "{}", messages(&second));
    let fresh = etc.load();
    assert_eq!(fresh.unusable.as_ref().map(|reason| reason.code), Some(Code::ConfigInvalid));
    assert_eq!(
        reload(&fresh, AT).unusable,
        fresh.unusable,
        "still nobody knows which apps there are"
    );
    fs::create_dir_all(etc.0.join("apps.d")).unwrap();
    assert_eq!(reload(&fresh, AT).unusable, None);
}

#[test]
fn more_definitions_than_the_limit_are_none_removed() {
    let etc = Etc::new("many");
    for n in 0..APPS_MAX {
        etc.app(&format!("app{n}"), "image = \"a/wallet:1\"\n");
    }
    let full = etc.load();
    assert_eq!((full.apps.len(), messages(&full).as_str()), (APPS_MAX, ""));
    etc.app("one-more", "image = \"a/wallet:1\"\n");
    let over = reload(&full, AT);
    assert_eq!(over.apps, full.apps);
    assert_eq!(over.errors.len(), 1);
}

#[test]
fn what_the_package_ships_is_well() {
    let etc = Etc::new("package");
    let own = fs::read_to_string(etc.config()).unwrap();
    etc.app("wallet", include_str!("../../../../../packaging/deb/wallet.toml"));
    let shipped = include_str!("../../../../../packaging/deb/agent.toml");
    etc.put("agent.toml", &shipped.replace("[paths]\n", &own));
    let in_force = etc.load();
    assert_eq!(messages(&in_force), "");
    assert_eq!(in_force.apps.len(), 1);
    assert_eq!(
        Settings { paths: Settings::default().paths, ..in_force.settings },
        Settings::default()
    );
    // Every line that is commented out says what is the default, or is an example: all of them parse.
    let all = shipped.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest,
        _ => line,
    });
    etc.put(
        "agent.toml",
        &all.collect::<Vec<_>>().join("\n").replace("[paths]\n", &format!("{own}\n")),
    );
    assert_eq!(messages(&etc.load()), "");
}
