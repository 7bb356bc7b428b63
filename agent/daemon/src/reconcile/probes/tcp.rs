//! The tcp probe: a connection is a yes.

use std::net::SocketAddr;
use std::time::Duration;

use titania_core::probation::Answer;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Whether `address` takes a connection within `limit`. It is closed at once.
pub async fn ask(address: SocketAddr, limit: Duration) -> Answer {
    match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Answer::Yes,
        Ok(Err(_)) | Err(_) => Answer::Silence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test(flavor = "current_thread")]
    async fn a_connection_is_a_yes_and_a_refusal_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(ask(address, LIMIT).await, Answer::Yes);
        drop(listener);
        assert_eq!(ask(address, LIMIT).await, Answer::Silence);
    }
}
