//! A door in front of a server that counts what goes through it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::spawn;

/// Counts bytes and connections; open until the program ends.
pub struct Counter {
    bytes: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

impl Counter {
    /// Listens at `port` on loopback and passes everything on to `server` there, in the caller's network.
    pub fn open(port: u16, server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .unwrap_or_else(|error| panic!("port {port}: {error}"));
        let counter = Self { bytes: Arc::default(), connections: Arc::default() };
        let (bytes, connections) = (Arc::clone(&counter.bytes), Arc::clone(&counter.connections));
        spawn(move || {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server));
            for client in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                if let Ok(server) = TcpStream::connect(address) {
                    join(client, server, &bytes);
                }
            }
        });
        counter
    }

    /// Bytes so far, both ways.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

fn join(client: TcpStream, server: TcpStream, bytes: &Arc<AtomicU64>) {
    for one in [&client, &server] {
        let _ = one.set_nodelay(true);
    }
    let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let (up, down) = (Arc::clone(bytes), Arc::clone(bytes));
    spawn(move || pass(client, server, &up));
    spawn(move || pass(server_again, client_again, &down));
}

fn pass(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut piece = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        bytes.fetch_add(count as u64, Ordering::Relaxed);
        if to.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
