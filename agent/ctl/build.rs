//! Links what is shipped without unwind tables: a panic aborts (its message stays), so that nobody reads them, and
//! they are an eighth of the program.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/link/no-unwind-tables.ld");
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{script}");
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
