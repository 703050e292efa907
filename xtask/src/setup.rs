//! `cargo xtask setup`: the prebuilt DuckDB library, from its npm package into `.duckdb/`.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use sha2::{Digest, Sha256};

use crate::{Outcome, workspace};

/// The library of one platform, pinned.
#[derive(Debug)]
struct Pin {
    /// As `std::env::consts` names it.
    os: &'static str,
    architecture: &'static str,
    package: &'static str,
    version: &'static str,
    library: &'static str,
    /// Of the library, in hexadecimal.
    sha256: &'static str,
}

/// DuckDB 1.5.6 where it is published, else 1.5.5, which has the same C interface.
const PINS: [Pin; 4] = [
    Pin {
        os: "linux",
        architecture: "x86_64",
        package: "@duckdb/node-bindings-linux-x64",
        version: "1.5.6-r.1",
        library: "libduckdb.so",
        sha256: "3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633",
    },
    Pin {
        os: "linux",
        architecture: "aarch64",
        package: "@duckdb/node-bindings-linux-arm64",
        version: "1.5.5-r.5",
        library: "libduckdb.so",
        sha256: "d00d007f3f7ca1f2896a5e4b89c2ce141bf0508506a9d6d56f9598b8e59d074e",
    },
    // One universal library in both packages.
    Pin {
        os: "macos",
        architecture: "aarch64",
        package: "@duckdb/node-bindings-darwin-arm64",
        version: "1.5.5-r.5",
        library: "libduckdb.dylib",
        sha256: "b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8",
    },
    Pin {
        os: "macos",
        architecture: "x86_64",
        package: "@duckdb/node-bindings-darwin-x64",
        version: "1.5.5-r.5",
        library: "libduckdb.dylib",
        sha256: "b9027d18ef3e8d960568f77e946a83ca68009cb22d71cf7f94de842afdd094d8",
    },
];

/// Why the library could not be brought.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error("no prebuilt DuckDB library is pinned for {os} on {architecture}: build with `--features bundled`")]
    UnsupportedPlatform { os: &'static str, architecture: &'static str },
    #[error(
        "`npm` was not found, and the DuckDB library comes in an npm package: \
         install Node.js (npm), or build with `--features bundled`"
    )]
    NoNpm,
    #[error("could not start `{program}`")]
    Start {
        program: &'static str,
        #[source]
        source: io::Error,
    },
    #[error(
        "npm could not fetch {package}@{version}; is there a network, and does npm's registry have the package?\n{said}"
    )]
    Fetch { package: &'static str, version: &'static str, said: String },
    #[error("could not unpack `{library}` from {package}@{version}\n{said}")]
    Unpack { library: &'static str, package: &'static str, version: &'static str, said: String },
    #[error(
        "`{library}` of {package}@{version} has sha256 {found}, not {expected}: \
         the package is not the one that is pinned, and was not kept"
    )]
    WrongHash {
        library: &'static str,
        package: &'static str,
        version: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(crate) fn run() -> Outcome {
    let pin = pin_of(std::env::consts::OS, std::env::consts::ARCH)?;
    let folder = workspace::root().join(".duckdb");
    let library = folder.join(pin.library);
    if library.is_file() && sha256(&library)? == pin.sha256 {
        note!("setup: {} is there ({})", workspace::shown(&library), pin.version);
        return Ok(ExitCode::SUCCESS);
    }
    note!("setup: fetching {}@{}", pin.package, pin.version);
    // Beside its place, so that the last step is a rename.
    let workshop = Workshop::new(&folder)?;
    fetch(pin, &workshop.path)?;
    let unpacked = workshop.path.join("package").join(pin.library);
    let found = sha256(&unpacked)?;
    if found != pin.sha256 {
        return Err(SetupError::WrongHash {
            library: pin.library,
            package: pin.package,
            version: pin.version,
            found,
            expected: pin.sha256,
        }
        .into());
    }
    fs_err::rename(&unpacked, &library)?;
    note!("setup: {} is ready ({})", workspace::shown(&library), pin.version);
    Ok(ExitCode::SUCCESS)
}

/// The name of the library on this platform.
pub(crate) fn library_name() -> &'static str {
    if std::env::consts::OS == "macos" { "libduckdb.dylib" } else { "libduckdb.so" }
}

fn pin_of(os: &'static str, architecture: &'static str) -> Result<&'static Pin, SetupError> {
    PINS.iter()
        .find(|pin| pin.os == os && pin.architecture == architecture)
        .ok_or(SetupError::UnsupportedPlatform { os, architecture })
}

/// Brings the package's archive and unpacks the library from it, both into `folder`.
fn fetch(pin: &'static Pin, folder: &Path) -> Result<(), SetupError> {
    let npm = Command::new("npm")
        .args(["pack", &format!("{}@{}", pin.package, pin.version), "--loglevel=error", "--pack-destination"])
        .arg(folder)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output();
    let output = match npm {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SetupError::NoNpm),
        Err(source) => return Err(SetupError::Start { program: "npm", source }),
    };
    if !output.status.success() {
        let said = indented(&output.stderr);
        return Err(SetupError::Fetch { package: pin.package, version: pin.version, said });
    }
    // npm's last line is the name of the archive.
    let printed = String::from_utf8_lossy(&output.stdout);
    let archive = folder.join(printed.lines().last().unwrap_or_default().trim());
    let tar = Command::new("tar")
        // With today's date: the package's files are from 1985.
        .arg("-xzmf")
        .arg(&archive)
        .arg("-C")
        .arg(folder)
        .arg(format!("package/{}", pin.library))
        .output()
        .map_err(|source| SetupError::Start { program: "tar", source })?;
    if tar.status.success() {
        return Ok(());
    }
    let said = indented(&tar.stderr);
    Err(SetupError::Unpack { library: pin.library, package: pin.package, version: pin.version, said })
}

/// The first lines that a program wrote: they name the trouble.
fn indented(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(6);
    lines.map(|line| format!("  | {line}")).collect::<Vec<_>>().join("\n")
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let n_bytes = file.read(&mut buffer)?;
        if n_bytes == 0 {
            break;
        }
        hasher.update(&buffer[..n_bytes]);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A folder for work in progress, removed however the work ends.
struct Workshop {
    path: PathBuf,
}

impl Workshop {
    fn new(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!(".setup-{}", std::process::id()));
        fs_err::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays behind is in nobody's way, and the work's own error matters more.
        let _ = fs_err::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::{PINS, pin_of, sha256};

    #[test]
    fn every_pin_is_found_and_whole() {
        for pin in &PINS {
            assert_eq!(pin_of(pin.os, pin.architecture).expect("pinned").package, pin.package);
            assert!(pin.sha256.len() == 64 && pin.sha256.bytes().all(|digit| digit.is_ascii_hexdigit()));
        }
        let error = pin_of("plan9", "mips").expect_err("not pinned").to_string();
        assert!(error.contains("plan9") && error.contains("--features bundled"), "{error}");
    }

    #[test]
    fn hashes_are_sha256() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("abc");
        fs_err::write(&path, "abc").expect("written");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(&path).expect("read"), expected);
    }
}
