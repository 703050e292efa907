//! `cargo xtask servers`: the programs that the tests of remotes start on loopback: nginx, and one that speaks S3.

use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use crate::process::ProcessError;
use crate::tools::{Speed, Tool};
use crate::{Outcome, process, workspace};

/// The server that speaks S3.
const S3: Tool = Tool { program: "s3s-fs", version: "0.14.1", features: &["binary"], speed: Speed::Build };

/// Installs what is missing. What cannot be installed here is told: its tests are skipped, or fail in CI.
pub(crate) fn run() -> Outcome {
    nginx()?;
    let program = S3.install()?;
    note!("servers: {} is there ({})", workspace::shown(&program), S3.version);
    Ok(ExitCode::SUCCESS)
}

fn nginx() -> Result<(), ProcessError> {
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
