//! What the generator says, for settings and definitions of all kinds.

use super::*;
use crate::scratch::Scratch;
use titania_core::time::Timestamp;

/// The needs of a board with this `agent.toml` and this definition.
fn needs(settings: &str, definition: &str) -> Needs {
    let folder = Scratch::new();
    let config = folder.path().join("agent.toml");
    let apps = folder.path().join("apps.d");
    std::fs::create_dir(&apps).unwrap();
    if !definition.is_empty() {
        std::fs::write(apps.join("app.toml"), definition).unwrap();
    }
    std::fs::write(&config, settings).unwrap();
    let mut in_force = super::super::files::load(&config, Timestamp(0));
    if in_force.unusable.is_none() || settings.is_empty() {
        let text = format!("{settings}\n[paths]\napps = {:?}\n", apps.display().to_string());
        std::fs::write(&config, text).unwrap();
        in_force = super::super::files::load(&config, Timestamp(0));
        assert_eq!(in_force.errors, Vec::new());
    }
    let mut needs = Needs::of(&in_force);
    needs.read.remove(&apps);
    needs.look_below();
    needs
}

fn lines(needs: &Needs) -> Vec<String> {
    drop_in(needs).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn a_plain_board_needs_no_more_than_its_two_folders() {
    let needs = needs("", "image = \"example.org/a:1\"\n");
    assert_eq!(
        needs.write,
        ["/var/lib/titania-agent", "/var/lib/titania-volumes"].map(PathBuf::from).into()
    );
    let text = drop_in(&needs);
    assert!(text.contains("After=var-lib-titania\\x2dvolumes.mount\n"), "{text}");
    assert!(text.contains("\nReadWritePaths=\"-/var/lib/titania-volumes\"\n"), "{text}");
    for word in ["Home", "Tmp", "Devices", "CAP_"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn what_a_definition_names_is_opened_and_nothing_else() {
    let app = |rest: &str| format!("image = \"example.org/a:1\"\n{rest}\n");
    let volume = |own: bool| {
        app(&format!(
            "[volumes]\ndata = [{{ path = \"/media\", source = \"/mnt/usb stick/100%\", own = {own} }}]"
        ))
    };
    let opened = lines(&needs("", &volume(true)));
    assert!(opened.contains(&"ReadWritePaths=\"-/mnt/usb stick/100%%\"".to_owned()), "{opened:?}");
    assert!(opened.contains(&"After=mnt-usb\\x20stick-100\\x25.mount".to_owned()), "{opened:?}");
    assert!(opened.contains(&"After=mnt.mount".to_owned()), "{opened:?}");
    let only_read = lines(&needs("", &volume(false)));
    assert!(!only_read.iter().any(|line| line.contains("ReadWritePaths=\"-/mnt")), "{only_read:?}");
    assert!(only_read.contains(&"After=mnt.mount".to_owned()));
    for (definition, line) in [
        (app("mounts = [\"/home/pi/site:/srv\"]"), "ProtectHome=read-only"),
        (app("mounts = [\"/tmp/.X11-unix:/tmp/.X11-unix\"]"), "PrivateTmp=no"),
        (app("devices = [\"/dev/i2c-1\"]"), "PrivateDevices=no"),
        (app("[health]\nexec = [\"/check\"]"), "AmbientCapabilities=CAP_KILL"),
    ] {
        let opened = lines(&needs("", &definition));
        assert!(opened.contains(&line.to_owned()), "{definition}: {opened:?}");
    }
}

#[test]
fn a_file_below_a_home_that_the_settings_name_can_be_read() {
    let settings =
        "[[registry]]\nhost = \"example.org\"\nauth = \"/root/.docker/config.json\"\n".to_owned();
    assert!(needs(&settings, "").homes);
}

#[test]
fn settings_that_are_at_fault_give_the_defaults() {
    let needs = needs("[paths]\nvolumes = 7\n", "");
    assert_eq!(
        needs.write,
        ["/var/lib/titania-agent", "/var/lib/titania-volumes"].map(PathBuf::from).into()
    );
}

#[test]
fn no_path_can_add_a_line_or_a_word() {
    let write =
        ["/a\nExecStart=/bin/sh", "/x/../etc", "relative", "/b \"c\\d"].map(PathBuf::from).into();
    let opened = lines(&Needs { write, ..Needs::default() });
    let paths: Vec<&String> = opened.iter().filter(|line| !line.starts_with("After=")).collect();
    assert_eq!(paths, ["[Unit]", "[Service]", "ReadWritePaths=\"-/b \\\"c\\\\d\""]);
}

#[test]
fn names_of_units_are_as_systemd_escapes_them() {
    for (path, name) in [
        ("/mnt/usb-1", "mnt-usb\\x2d1"),
        ("/.hidden/.x", "\\x2ehidden-.x"),
        ("/a b/ü", "a\\x20b-\\xc3\\xbc"),
        ("//srv//apps/", "srv-apps"),
    ] {
        assert_eq!(escaped(Path::new(path)), name, "{path}");
    }
}

#[test]
fn below_an_automount_the_whole_disk_is_opened_since_its_folders_may_not_be_there() {
    let root = Scratch::new();
    let write = |name: &str, text: &str| {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "etc/fstab",
        "# LABEL=x /commented ext4 x-systemd.automount 0 0\n\
         LABEL=datafs /datafs/ ext4 nofail,x-systemd.automount 0 2\n\
         LABEL=b /my\\040disk ext4 x-systemd.automount\nLABEL=c /plain ext4 nofail 0 2\ncut off\n",
    );
    write("etc/systemd/system/mnt-usb.automount", "[Automount]\nWhere = /no\nWhere=/mnt/usb\n");
    let points = automount::points(root.path());
    assert_eq!(points, ["/datafs", "/my disk", "/mnt/usb"].map(PathBuf::from).into());
    let write =
        ["/datafs/apps", "/datafs/more", "/plain/apps", "/mnt/usb"].map(PathBuf::from).into();
    let text = drop_in_with(&Needs { write, ..Needs::default() }, &points);
    let opened: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("ReadWr")).collect();
    let wanted = ["/datafs", "/mnt/usb", "/plain/apps"];
    assert_eq!(opened, wanted.map(|path| format!("itePaths=\"-{path}\"")));
}
