//! TLS to the broker: the system's certificates (compiled-in ones where there are none), one's own CA beside them.
//!
//! Promise: the broker's certificate is verified by rustls itself, never skipped. Files are bounded.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::settings::MqttSettings;
use crate::trust;

/// Longest certificate or key file read: a bundle of all public CAs has 220 KB.
const PEM_BYTES_MAX: u64 = 1024 * 1024;
/// Longest password file read: MQTT's own limit is 64 KiB, nobody types that.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// What is wrong with the files.
#[derive(Debug)]
pub(super) enum FileError {
    /// It can't be read.
    Read(PathBuf, io::Error),
    /// It is longer than it may be.
    TooLarge(PathBuf, u64),
    /// It does not hold what it should.
    Content(PathBuf, &'static str),
    /// A certificate without its key, or the other way round.
    Half,
    /// The system has no room for a thread that reads them.
    Thread(io::Error),
    /// rustls refuses them.
    Refused(rustls::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path, error) => write!(f, "{} can't be read: {error}", path.display()),
            Self::TooLarge(path, most) => {
                write!(f, "{} is longer than {most} bytes", path.display())
            }
            Self::Content(path, wanted) => write!(f, "{} holds no {wanted}", path.display()),
            Self::Half => f.write_str("client_cert and client_key go together, one is missing"),
            Self::Thread(error) => write!(f, "the certificates can't be read now: {error}"),
            Self::Refused(error) => write!(f, "the client certificate is refused: {error}"),
        }
    }
}

/// The configuration for a broker that is spoken to with TLS.
pub(super) async fn config(settings: &MqttSettings) -> Result<Arc<ClientConfig>, FileError> {
    let ca = settings.ca.clone();
    let own = move |store: &mut RootCertStore| ca.map_or(Ok(()), |path| add(store, path));
    let roots = trust::roots(own, FileError::Thread).await?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(FileError::Refused)?
        .with_root_certificates(roots);
    let mut config = match (&settings.client_cert, &settings.client_key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key_path)) => {
            let key = PrivateKeyDer::from_pem_slice(&read(key_path, PEM_BYTES_MAX)?)
                .map_err(|_| FileError::Content(key_path.clone(), "private key in PEM"))?;
            builder.with_client_auth_cert(certificates(cert)?, key).map_err(FileError::Refused)?
        }
        _ => return Err(FileError::Half),
    };
    // Each connection has a configuration of its own, so that no session is ever resumed.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn add(store: &mut RootCertStore, path: PathBuf) -> Result<(), FileError> {
    let (added, _) = store.add_parsable_certificates(certificates(&path)?);
    if added == 0 {
        return Err(FileError::Content(path, "usable CA certificate"));
    }
    Ok(())
}

/// The password; empty where no file is named.
pub(super) fn password(settings: &MqttSettings) -> Result<String, FileError> {
    let Some(path) = &settings.password_file else {
        return Ok(String::new());
    };
    let bytes = read(path, PASSWORD_BYTES_MAX)?;
    let text =
        String::from_utf8(bytes).map_err(|_| FileError::Content(path.clone(), "text in UTF-8"))?;
    Ok(text.lines().next().unwrap_or_default().to_string())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(path, PEM_BYTES_MAX)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(FileError::Content(path.into(), "certificate in PEM")),
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::Read(path.into(), error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLarge(path.into(), most));
    }
    Ok(bytes)
}
