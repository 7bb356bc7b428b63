//! Certificates of a board's own: an authority, and one certificate for registry and broker on loopback.

use crate::process::run;
use std::path::{Path, PathBuf};

/// Days that they are good for: a board lives for minutes.
const DAYS: &str = "2";

/// Files in PEM; see [`Certificates::make`].
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them with openssl.
    pub(crate) fn make(folder: &Path) -> Self {
        let folder = folder.join("certificates");
        std::fs::create_dir_all(&folder).expect("a folder for certificates");
        let made = Self { folder };
        let (authority, key, asked) = (made.authority(), made.key(), made.folder.join("asked.pem"));
        let names = made.folder.join("names");
        std::fs::write(&names, "subjectAltName=IP:127.0.0.1,DNS:localhost\n")
            .expect("a file on the board can be written");
        let authority_key = made.folder.join("authority.key");
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let openssl = |words: &[&str], more: &[&str]| run("openssl", &[words, more].concat());
        openssl(
            &["req", "-x509", "-days", DAYS, "-subj", "/CN=a board's authority"],
            &[&curve[..], &["-keyout", &text(&authority_key), "-out", &text(&authority)]].concat(),
        );
        openssl(
            &["req", "-new", "-subj", "/CN=localhost", "-keyout", &text(&key)],
            &[&curve[..], &["-out", &text(&asked)]].concat(),
        );
        openssl(
            &["x509", "-req", "-days", DAYS, "-CAcreateserial", "-extfile", &text(&names)],
            &[
                &["-CA", &text(&authority), "-CAkey", &text(&authority_key)][..],
                &["-in", &text(&asked), "-out", &text(&made.certificate())],
            ]
            .concat(),
        );
        made
    }

    /// Whom the agent is to trust: `ca` in its settings.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// The servers' certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }

    /// The servers' key.
    pub fn key(&self) -> PathBuf {
        self.folder.join("server.key")
    }
}
