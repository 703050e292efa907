//! `cargo xtask servers`: the programs that the tests of remotes start on loopback: nginx, and one that speaks S3.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use crate::{Outcome, process, workspace};

/// The server that speaks S3, pinned.
const S3_PROGRAM: &str = "s3s-fs";
const S3_VERSION: &str = "0.14.1";

/// Why a server could not be installed.
#[derive(Debug, thiserror::Error)]
enum ServerError {
    #[error(transparent)]
    Process(#[from] process::ProcessError),
    #[error("`cargo install` ended well, and {} is not there", .0.display())]
    NotInstalled(PathBuf),
}

/// Installs what is missing. What cannot be installed here is told: its tests are skipped, or fail in CI.
pub(crate) fn run() -> Outcome {
    nginx()?;
    s3()?;
    Ok(ExitCode::SUCCESS)
}

fn nginx() -> Result<(), ServerError> {
    if let Some(program) = found("nginx") {
        note!("servers: {} is there", program.display());
        return Ok(());
    }
    if found("apt-get").is_none() || !is_root() {
        note!("servers: nginx is missing; install it (Debian's package `nginx-light`) to run all tests");
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        note!("$ {}", process::shown(&command));
        process::run(&mut command)
    };
    let install = ["install", "-y", "--no-install-recommends", "nginx-light"];
    // A fresh image has no lists of packages.
    if apt(&install).is_err() {
        apt(&["update"])?;
        apt(&install)?;
    }
    Ok(())
}

/// Into the target folder, where it outlives builds; it takes minutes.
fn s3() -> Result<(), ServerError> {
    let tools = tools();
    let program = tools.join("bin").join(S3_PROGRAM);
    if is_pinned(&tools) && program.is_file() {
        note!("servers: {} is there ({S3_VERSION})", workspace::shown(&program));
        return Ok(());
    }
    let mut command = process::cargo(&[
        "install",
        S3_PROGRAM,
        "--version",
        S3_VERSION,
        "--locked",
        "--force",
        "--features",
        "binary",
        "--root",
    ]);
    command.arg(&tools);
    note!("$ {}", process::shown(&command));
    process::run(&mut command)?;
    if program.is_file() { Ok(()) } else { Err(ServerError::NotInstalled(program)) }
}

/// Where tests look for programs that are not on the path.
fn tools() -> PathBuf {
    workspace::root().join("target").join("tools")
}

/// Whether cargo's own list says that the right version is installed.
fn is_pinned(tools: &Path) -> bool {
    fs_err::read_to_string(tools.join(".crates.toml")).is_ok_and(|list| lists(&list))
}

fn lists(list: &str) -> bool {
    list.contains(&format!("\"{S3_PROGRAM} {S3_VERSION} "))
}

/// A program on the path, or where Debian puts servers.
fn found(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "what a shell would do to find the program")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}

fn is_root() -> bool {
    let asked: io::Result<_> = Command::new("id").arg("-u").output();
    asked.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::lists;

    #[test]
    fn other_versions_do_not_count() {
        let list = |version: &str| format!("[v1]\n\"s3s-fs {version} (registry+https://x)\" = [\"s3s-fs\"]\n");
        assert!(lists(&list("0.14.1")));
        assert!(!lists(&list("0.14.10")) && !lists(&list("0.13.0")) && !lists(""));
    }
}
