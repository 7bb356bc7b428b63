//! Servers that answer well, badly, endlessly or never.

use super::*;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(5);

/// Serves one connection with these bytes, then closes it; gives back the request.
async fn serves(answer: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        }
        stream.write_all(answer).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, served)
}

#[tokio::test(flavor = "current_thread")]
async fn status_200_to_399_is_a_yes_any_other_a_no() {
    for (answer, want) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..], Answer::Yes),
        (b"HTTP/1.0 204 No Content\r\n\r\n", Answer::Yes),
        (b"HTTP/1.1 399 Odd\r\n\r\n", Answer::Yes),
        (b"HTTP/1.1 200\r\n\r\n", Answer::Yes),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Answer::Yes),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\n\r\n", Answer::No),
        (b"HTTP/1.1 400 Bad\r\n\r\n", Answer::No),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", Answer::No),
        (b"SSH-2.0-OpenSSH\r\n", Answer::No),
        (b"HTTP/1.1 nonsense\r\n\r\n", Answer::No),
        (b"HTTP/1.1", Answer::No),
        (b"", Answer::Silence),
    ] {
        let (address, served) = serves(answer).await;
        let heard = ask(address, "/health", LIMIT).await;
        assert_eq!(heard, want, "{}", String::from_utf8_lossy(answer));
        let request = served.await.unwrap();
        assert!(request.starts_with("GET /health HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("Host: {address}\r\n")), "{request}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_hang_and_a_refusal_are_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hangs = ask(address, "/", Duration::from_millis(50)).await;
    assert_eq!(hangs, Answer::Silence, "connects, never answers");
    drop(listener);
    assert_eq!(ask(address, "/", LIMIT).await, Answer::Silence, "refuses");
}

#[tokio::test(flavor = "current_thread")]
async fn an_endless_answer_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut sent = 0usize;
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {
            sent += 4096;
        }
        sent
    });
    assert_eq!(ask(address, "/", LIMIT).await, Answer::No);
    // What the socket buffers hold comes on top of what was read.
    assert!(serving.await.unwrap() < 16 * 1024 * 1024);
}

#[test]
fn a_path_can_not_end_the_request_line() {
    let request = request("10.0.0.2:80".parse().unwrap(), "/a b\r\nX: y");
    assert!(request.starts_with("GET /abX:y HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"), "{request}");
}
