//! Platforms: which entry of an index fits a board, and why (containerd's matching order).

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// `os/arch[/variant]` as in the OCI image index specification.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// Operating system, `linux`.
    pub os: String,
    /// Architecture in Go's words: `arm`, `arm64`, `amd64`.
    pub architecture: String,
    /// `v5` to `v8` on arm, `v2` to `v4` on amd64; empty where there is none.
    pub variant: String,
}
