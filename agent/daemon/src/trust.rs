//! Whom TLS trusts: the system's certificate authorities, or those compiled in where it has none.
//!
//! Promise: an authority that is compiled in as well lies in the program's file, in no memory of its own; files are
//! read one certificate at a time, by a thread that ends then. Knows no room.
//! Distrusts: the files. What is no certificate in them is left out, as every other program does.

use std::error::Error;
use std::io;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject as _};
use tokio::sync::oneshot;

/// All authorities in one file, where systems keep it: Debian and its kin, Fedora, Alpine.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// Most certificates read of a bundle: Mozilla's list has about 150.
const CERTIFICATES_MAX: usize = 1000;
/// Whoever sets one of these means other places.
const PLACES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// The system's authorities, and what `more` adds to them. Some hundred certificates on a slow card: read by a
/// thread of its own, not by the loop.
///
/// # Errors
/// Those of `more`, and `failed` of what kept the thread from starting.
pub async fn roots<E: Send + 'static>(
    more: impl FnOnce(&mut RootCertStore) -> Result<(), E> + Send + 'static,
    failed: impl Fn(io::Error) -> E,
) -> Result<RootCertStore, E> {
    let (answer, answered) = oneshot::channel();
    let read = move || {
        let is_told = PLACES.iter().any(|name| std::env::var_os(name).is_some());
        let bundles: &[&str] = if is_told { &[] } else { &BUNDLES };
        let mut store = system(bundles);
        let result = more(&mut store).map(|()| store);
        let _unheard = answer.send(result);
    };
    std::thread::Builder::new().name("certificates".to_owned()).spawn(read).map_err(&failed)?;
    answered.await.map_err(|error| failed(io::Error::other(error)))?
}

fn system(bundles: &[impl AsRef<Path>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    for bundle in bundles {
        let found = CertificateDer::pem_file_iter(bundle).into_iter().flatten();
        // A file that can't be read on would say so for ever.
        let found = found.take_while(|one| !matches!(one, Err(pem::Error::Io(_))));
        let found = found.take(CERTIFICATES_MAX).flatten();
        found.for_each(|certificate| add(&mut store, certificate));
        if !store.is_empty() {
            break;
        }
    }
    if store.is_empty() {
        let found = rustls_native_certs::load_native_certs().certs;
        found.into_iter().for_each(|certificate| add(&mut store, certificate));
    }
    if store.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store.roots.shrink_to_fit();
    store
}

fn add(store: &mut RootCertStore, certificate: CertificateDer) {
    if store.add(certificate).is_err() {
        return;
    }
    if let Some(last) = store.roots.last_mut()
        && let Some(known) = webpki_roots::TLS_SERVER_ROOTS.iter().find(|known| *known == last)
    {
        *last = known.clone(); // borrowed from the program
    }
}

/// rustls's error, which lies within io errors that do not name it as their source.
pub fn find_tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    find_tls(error.downcast_ref::<io::Error>()?.get_ref()?)
}

/// Whether a certificate is refused because it begins later than now. That is looked at before who signed it: anybody
/// on the way can show such a one, so it speaks of the clock only where that was not set.
pub fn begins_later(error: &rustls::Error) -> bool {
    use rustls::CertificateError::{NotValidYet, NotValidYetContext};
    matches!(error, rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }))
}

#[cfg(test)]
mod tests;
