//! Whom an image runs as, by rule and by what its passwd file says.

use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv:/bin/false\nzero:x:1001:0::/:/bin/sh\nbroken\nx:y:not:1\nwallet:x:1000:1000::/home:/bin/sh\n";
const GROUP: &str = "root:x:0:\nwww:x:33:web\nbad:x:\n";

fn image(user: &str) -> ImageUsers<'_> {
    ImageUsers { user, passwd: Some(PASSWD), group: Some(GROUP) }
}

fn numbers(uid: u32, gid: u32) -> Result<Chosen, UserFault> {
    Ok(Chosen::Numbers(Owner { uid, gid }))
}

fn root(said: &str) -> Result<Chosen, UserFault> {
    Err(UserFault::Root { said: said.into() })
}

#[test]
fn p6_rules_for_users_by_table() {
    use UserRule::{Auto, Fixed, Image, Pool};
    let none = |name: &str| Err(UserFault::NoUser(name.into()));
    let no_group = |name: &str| Err(UserFault::NoGroup(name.into()));
    let fixed = |uid, gid| Fixed { uid, gid };
    for (rule, allow_root, user, want) in [
        (Auto, false, "", Ok(Chosen::Pool)),
        (Auto, false, "root", Ok(Chosen::Pool)),
        (Auto, false, "0", Ok(Chosen::Pool)),
        (Auto, false, "0:0", Ok(Chosen::Pool)),
        (Auto, false, "0:33", Ok(Chosen::Pool)),
        (Auto, true, "", numbers(0, 0)),
        (Auto, false, "web", numbers(101, 102)),
        (Auto, false, "101", numbers(101, 102)),
        (Auto, false, "web:www", numbers(101, 33)),
        (Auto, false, "web:7", numbers(101, 7)),
        (Auto, false, "4711", numbers(4711, 4711)),
        (Auto, false, "4711:www", numbers(4711, 33)),
        (Auto, false, "4711:12", numbers(4711, 12)),
        (Auto, false, "zero", numbers(1001, 1001)),
        (Auto, true, "zero", numbers(1001, 0)),
        (Auto, false, "web:root", numbers(101, 101)),
        (Image, false, "1001:0", numbers(1001, 1001)),
        (Auto, true, "web:root", numbers(101, 0)),
        (Auto, false, "nosuch", none("nosuch")),
        (Auto, false, "web:nosuch", no_group("nosuch")),
        (Auto, false, "99999999999", Err(UserFault::Number("99999999999".into()))),
        (Image, false, "", root("")),
        (Image, false, "root", root("root")),
        (Image, false, "0:33", root("0:33")),
        (Image, true, "", numbers(0, 0)),
        (Image, true, "0:33", numbers(0, 33)),
        (Image, false, "wallet", numbers(1000, 1000)),
        (Pool, false, "wallet", Ok(Chosen::Pool)),
        (Pool, true, "", Ok(Chosen::Pool)),
        (fixed(10000, 10000), false, "", numbers(10000, 10000)),
        (fixed(0, 0), false, "", root("0:0")),
        (fixed(10, 0), false, "", root("10:0")),
        (fixed(0, 0), true, "web", numbers(0, 0)),
    ] {
        let got = choose(&rule, allow_root, image(user), None, false);
        assert_eq!(got, want, "{rule:?} allow_root={allow_root} USER {user:?}");
    }
}

#[test]
fn p6_an_app_keeps_the_user_it_had_under_auto() {
    let kept = Owner { uid: 70003, gid: 70003 };
    assert_eq!(
        choose(&UserRule::Auto, false, image("web"), Some(kept), false),
        Ok(Chosen::Numbers(kept))
    );
    assert_eq!(choose(&UserRule::Image, false, image("web"), Some(kept), false), numbers(101, 102));
}

#[test]
fn an_image_without_passwd_knows_numbers_and_root_alone() {
    let bare = |user| ImageUsers { user, passwd: None, group: None };
    assert_eq!(choose(&UserRule::Auto, false, bare("root"), None, false), Ok(Chosen::Pool));
    assert_eq!(choose(&UserRule::Auto, false, bare("12"), None, false), numbers(12, 12));
    assert_eq!(
        choose(&UserRule::Auto, false, bare("web"), None, false),
        Err(UserFault::NoUser("web".into()))
    );
}

#[test]
fn p6_a_mapped_user_may_be_the_containers_root_where_the_engine_maps_users_and_nowhere_else() {
    for (user, want) in [
        ("", numbers(0, 0)),
        ("root", numbers(0, 0)),
        ("0:33", numbers(0, 33)),
        ("wallet", numbers(1000, 1000)),
        ("web:root", numbers(101, 0)),
        ("nosuch", Err(UserFault::NoUser("nosuch".into()))),
    ] {
        assert_eq!(
            choose(&UserRule::Mapped, false, image(user), None, true),
            want,
            "USER {user:?}"
        );
        for allow_root in [false, true] {
            let got = choose(&UserRule::Mapped, allow_root, image(user), None, false);
            assert_eq!(got, Err(UserFault::NotMapped), "USER {user:?}");
        }
    }
    let mapped = |rule| choose(rule, false, image("root"), None, true);
    assert_eq!(
        mapped(&UserRule::Image),
        root("root"),
        "root of the map only where that is asked for"
    );
    assert_eq!(mapped(&UserRule::Auto), Ok(Chosen::Pool));
    let hint = UserFault::NotMapped.hint();
    for way_out in ["userns-remap", "user = \"auto\"", "a number", "allow_root = true"] {
        assert!(hint.contains(way_out), "{hint}");
    }
}
