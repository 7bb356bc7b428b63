//! Bundles: an authority that is compiled in as well, one that is not, and what is none.

use rustls_pki_types::TrustAnchor;

use super::*;
use crate::scratch::Scratch;

/// An authority of the tests' own.
const OWN: &str = include_str!("../registry/tests/certificates/ca.pem");
/// One that everybody trusts.
const KNOWN: &str = include_str!("isrg-root-x2.pem");
/// Framed as a certificate.
const NONE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

/// Whether its bytes are those of the program's file: proc_pid_maps(5).
fn takes_no_memory(anchor: &TrustAnchor) -> bool {
    let at = anchor.subject_public_key_info.as_ptr().addr();
    let program = std::env::current_exe().unwrap();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut files = maps.lines().filter(|line| line.ends_with(program.to_str().unwrap()));
    files.any(|line| {
        let (first, rest) = line.split_once('-').unwrap();
        let end = rest.split(' ').next().unwrap();
        let [first, end] = [first, end].map(|text| usize::from_str_radix(text, 16).unwrap());
        (first..end).contains(&at)
    })
}

#[test]
fn an_authority_that_is_compiled_in_as_well_takes_no_memory_of_its_own() {
    let scratch = Scratch::new();
    let bundle = scratch.path().join("bundle.crt");
    std::fs::write(&bundle, [OWN, NONE, KNOWN].concat()).unwrap();
    let store = system(&[&bundle]);
    let shared: Vec<bool> = store.roots.iter().map(takes_no_memory).collect();
    assert_eq!(shared, [false, true]);
}

#[test]
fn without_a_bundle_that_can_be_read_there_are_authorities_all_the_same() {
    let scratch = Scratch::new();
    let missing = scratch.path().join("missing");
    let store = system(&[scratch.path(), missing.as_path()]); // a folder can be opened, not read
    assert!(store.len() > 50, "{}", store.len());
}
