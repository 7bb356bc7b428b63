//! Who may connect, and who may change things. Other users are threads with another uid: run as root.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::process::{Gid, Uid};

use super::super::peer;
use super::*;

/// A uid that has no entry in the user database.
const STRANGER: u32 = 61_234;

/// One request as another user; the uid is the thread's alone and ends with it.
async fn ask_as(path: &Path, uid: u32, gid: u32, request: Vec<u8>) -> client::Answer {
    assert!(nix::unistd::geteuid().is_root(), "this test changes users: run it as root");
    let path = path.to_path_buf();
    let (send, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let (gid, uid) = (Gid::from_raw(gid), Uid::from_raw(uid));
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream.write_all(&request).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let _ = send.send(bytes);
    });
    client::Answer::of(&until("the other user's answer", answer).await.unwrap())
}

#[test]
fn p10_who_can_open_the_socket_reads_and_root_or_the_group_changes() {
    on_one_thread(async {
        let group = nix::unistd::Group::from_name("daemon").unwrap().unwrap();
        let gid = group.gid.as_raw();
        let server = Server::start(Some("daemon"));
        let open = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&server.path, open).unwrap(); // as if all were in its group

        let read =
            ask_as(&server.path, STRANGER, STRANGER, b"GET /v1/status HTTP/1.0\r\n\r\n".to_vec());
        assert_eq!(read.await.code, 200);
        let stop = || post("/v1/apps/tor/stop", "");
        let denied = ask_as(&server.path, STRANGER, STRANGER, stop()).await;
        assert_eq!((denied.code, &denied.json()["code"]), (403, &"not_allowed".into()));
        assert_eq!(denied.json()["detail"], "uid 61234 may read, not change");
        assert_eq!(denied.json()["hint"], "use sudo, or become a member of group daemon");
        assert!(server.commands.borrow_mut().try_recv().is_err());

        let allowed = ask_as(&server.path, STRANGER, gid, stop());
        let (allowed, ()) = tokio::join!(allowed, async {
            let command = server.command().await;
            assert_eq!(command.by, "uid:61234");
            command.answer.send(Ok(())).unwrap();
        });
        assert_eq!(allowed.code, 202);
    });
}

#[test]
fn a_member_by_the_user_database_is_a_member() {
    on_one_thread(async {
        let user = nix::unistd::User::from_name("daemon").unwrap().unwrap();
        let peer = peer::Peer { uid: user.uid.as_raw(), gid: STRANGER };
        for (group, may) in [
            (Some("daemon"), true),
            (Some("root"), false),
            (Some("no-such-group"), false),
            (None, false),
        ] {
            assert_eq!(peer::may_change(peer, group).await, may, "{group:?}");
        }
        let root = peer::Peer { uid: 0, gid: 0 };
        assert!(peer::may_change(root, None).await);
    });
}

#[test]
fn the_socket_is_its_groups_and_nobody_elses() {
    on_one_thread(async {
        let folder = client::folder();
        let path = folder.join("below").join("agent.sock");
        let first = listen(&path, "daemon").unwrap();
        let found = std::fs::symlink_metadata(&path).unwrap();
        let group = nix::unistd::Group::from_name("daemon").unwrap().unwrap();
        assert_eq!((found.mode() & 0o7777, found.gid()), (0o660, group.gid.as_raw()));

        let in_use = listen(&path, "daemon").unwrap_err();
        assert!(in_use.to_string().contains("another agent answers at"), "{in_use}");
        drop(first); // its file stays, as after a kill
        let second = listen(&path, "no-such-group").unwrap();
        assert_eq!(
            std::fs::symlink_metadata(&path).unwrap().gid(),
            nix::unistd::getegid().as_raw()
        );
        drop(second);

        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        let refused = listen(&path, "daemon").unwrap_err();
        assert!(refused.to_string().contains("is no socket"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_dir_all(&folder).unwrap();
    });
}
