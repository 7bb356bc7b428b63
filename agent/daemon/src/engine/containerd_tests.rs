//! What is said to containerd, and read of it.

use super::*;

/// An answer to `Get` of a running container, as it is written down in its definition.
const ANSWER: &[u8] = &[
    0, 0, 0, 0, 19, 10, 17, 18, 4, b'a', b'b', b'c', b'd', 24, 0x9a, 0x36, 32, 2, 42, 4, b'/',
    b'x', b'/', b'y',
];

#[test]
fn an_answer_is_read_and_a_garbled_one_is_an_error_or_says_nothing() {
    let message = unframed(ANSWER).unwrap();
    assert_eq!(within(&message, 1).and_then(status), Some(RUNNING));
    for length in 0..ANSWER.len() {
        assert!(unframed(&ANSWER[..length]).is_err(), "{length} bytes");
    }
    let compressed = [&[1], &ANSWER[1..]].concat();
    assert!(unframed(&compressed).is_err());
    for length in 0..message.len() {
        assert_eq!(within(&message[..length], 1), None, "{length} bytes");
    }
    assert_eq!(within(&[0xff; 40], 1), None, "a number that never ends");
    assert_eq!(
        status(&[9, 1, 2, 3, 4, 5, 6, 7, 8, 45, 1, 2, 3, 4, 32, 3]),
        Some(3),
        "others first"
    );
    assert_eq!(status(&[]), None);
}

#[test]
fn what_is_asked_is_as_written_down() {
    assert_eq!(text(1, "abc"), [10, 3, b'a', b'b', b'c']);
    assert_eq!(kill("abc", KILL, true), [10, 3, b'a', b'b', b'c', 24, 9, 32, 1]);
    assert_eq!(framed(&[7, 8]), [0, 0, 0, 0, 2, 7, 8]);
}

#[test]
fn nothing_there_is_not_an_error_and_a_no_is() {
    let map = |status: &str| {
        let mut map = HeaderMap::new();
        map.insert("grpc-status", status.parse().unwrap());
        map
    };
    let none = HeaderMap::new();
    assert!(verdict(&none, &map("0")).unwrap());
    assert!(!verdict(&none, &map(NOT_FOUND)).unwrap());
    assert!(!verdict(&map(NOT_FOUND), &none).unwrap(), "an answer without a body");
    assert!(verdict(&none, &map("9")).is_err());
    assert!(verdict(&none, &none).is_err());
}

#[tokio::test(flavor = "current_thread")]
async fn where_none_listens_nothing_is_known() {
    let folder = crate::scratch::Scratch::new();
    let socket = folder.path().join("docker.sock");
    assert!(Containerd::beside(&socket).is_none());
    std::fs::write(folder.path().join("containerd.sock"), "").unwrap();
    let found = Containerd::beside(&socket).unwrap();
    assert!(found.task("abc").await.is_err());
}
