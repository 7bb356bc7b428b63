//! The room `engine` against a real Docker Engine and a real registry.
//!
//! Needs root, dockerd, containerd and docker-registry (Debian: docker.io, docker-registry);
//! `TITANIA_ENGINE_DIR` takes another engine's folder.
// Test code may panic: that is how a case fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crash;
mod images;
mod life;
mod refused;
mod shapes;
mod stage;
