//! Says what to do when the prebuilt DuckDB library is missing, before the linker says something else.

#![expect(clippy::disallowed_methods, reason = "cargo tells a build script through the environment")]

fn main() {
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    let is_bundled = std::env::var_os("CARGO_FEATURE_BUNDLED").is_some();
    let Some(folder) = std::env::var_os("DUCKDB_LIB_DIR").filter(|_| !is_bundled) else { return };
    let folder = std::path::PathBuf::from(folder);
    let names = ["libduckdb.so", "libduckdb.dylib", "duckdb.lib"];
    println!("cargo:rerun-if-changed={}", folder.display());
    if !names.iter().any(|name| folder.join(name).is_file()) {
        println!(
            "cargo::error=the DuckDB library is not in `{}`: run `cargo xtask setup` (or build with `--features bundled`, 25 minutes and more)",
            folder.display()
        );
    }
}
