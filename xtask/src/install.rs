//! `cargo xtask install`: the programs, the library they need, completions and man pages, where they run from anywhere.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::workspace::{self, BINARIES, Profile};
use crate::{Outcome, process, setup};

/// Install the programs, the DuckDB library, completions and man pages below a folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where to: programs go to `bin`, the library to `lib`, completions and man pages to `share`.
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Build without optimisation.
    #[arg(long)]
    debug: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    setup::run()?;
    let prefix = std::path::absolute(&arguments.prefix)?;
    let profile = if arguments.debug { Profile::Dev } else { Profile::Release };
    let build = [&["build", "--workspace", "--bins"], profile.arguments()].concat();
    process::run(&mut process::cargo(&build))?;

    let library = setup::library_name();
    replace_file(&workspace::root().join(".duckdb").join(library), &prefix.join("lib").join(library))?;
    let built = profile.folder()?;
    for binary in BINARIES {
        replace_file(&built.join(binary), &prefix.join("bin").join(binary))?;
        write_extras(binary, &prefix)?;
    }
    for binary in BINARIES {
        let version = process::output(installed(binary, &prefix).arg("-V"))?;
        say!("installed {} ({})", workspace::shown(&prefix.join("bin").join(binary)), version.trim());
    }
    say!("\nPut {} on your PATH.", workspace::shown(&prefix.join("bin")));
    Ok(ExitCode::SUCCESS)
}

/// An installed program as a stranger would start it: from elsewhere, with nothing in the environment.
fn installed(binary: &str, prefix: &Path) -> Command {
    let mut command = Command::new(prefix.join("bin").join(binary));
    command.env_clear().current_dir(std::env::temp_dir());
    command
}

/// Completions and the man page, as the installed program prints them.
fn write_extras(binary: &str, prefix: &Path) -> Outcome {
    let share = prefix.join("share");
    for (shell, path) in [
        ("bash", share.join("bash-completion/completions").join(binary)),
        ("zsh", share.join("zsh/site-functions").join(format!("_{binary}"))),
        ("fish", share.join("fish/vendor_completions.d").join(format!("{binary}.fish"))),
    ] {
        write(&path, &process::output(installed(binary, prefix).args(["completions", shell]))?)?;
    }
    let page = process::output(installed(binary, prefix).arg("man"))?;
    write(&share.join("man/man1").join(format!("{binary}.1")), &page)?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(path, content)
}

/// Copies beside the place and renames: a program that runs is replaced, not overwritten.
fn replace_file(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let new = to.with_extension(format!("new-{}", std::process::id()));
    fs_err::copy(from, &new)?;
    fs_err::rename(&new, to)
}
