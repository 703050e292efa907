//! Programs of others that cargo can install: into the target folder, where they outlive builds.

use std::path::{Path, PathBuf};

use crate::{process, workspace};

/// A program, pinned.
pub(crate) struct Tool {
    pub(crate) program: &'static str,
    pub(crate) version: &'static str,
    /// Features of its package; may be empty.
    pub(crate) features: &'static [&'static str],
    pub(crate) speed: Speed,
}

/// What a program is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speed {
    /// To be measured: as its author says.
    Run,
    /// To be there soon: tests wait for it.
    Build,
}

/// Why a program could not be installed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error(transparent)]
    Process(#[from] process::ProcessError),
    #[error("`cargo install` ended well, and {} is not there", .0.display())]
    NotInstalled(PathBuf),
}

impl Tool {
    /// Installs the program if it is missing or of another version; it may take minutes. Returns where it is.
    pub(crate) fn install(&self) -> Result<PathBuf, ToolError> {
        let tools = workspace::root().join("target").join("tools");
        let program = tools.join("bin").join(self.program);
        if self.is_pinned(&tools) && program.is_file() {
            return Ok(program);
        }
        let mut command = process::cargo(&["install", self.program, "--version", self.version, "--locked", "--force"]);
        if !self.features.is_empty() {
            command.arg("--features").arg(self.features.join(","));
        }
        command.arg("--root").arg(&tools);
        if self.speed == Speed::Build {
            command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0").env("CARGO_PROFILE_RELEASE_LTO", "off");
        }
        note!("$ {}", process::shown(&command));
        process::run(&mut command)?;
        if program.is_file() { Ok(program) } else { Err(ToolError::NotInstalled(program)) }
    }

    /// Whether cargo's own list says that the right version is installed.
    fn is_pinned(&self, tools: &Path) -> bool {
        fs_err::read_to_string(tools.join(".crates.toml")).is_ok_and(|list| self.is_in(&list))
    }

    fn is_in(&self, list: &str) -> bool {
        list.contains(&format!("\"{} {} ", self.program, self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::{Speed, Tool};

    #[test]
    fn other_versions_do_not_count() {
        let tool = Tool { program: "s3s-fs", version: "0.14.1", features: &[], speed: Speed::Build };
        let list = |version: &str| format!("[v1]\n\"s3s-fs {version} (registry+https://x)\" = [\"s3s-fs\"]\n");
        assert!(tool.is_in(&list("0.14.1")));
        assert!(!tool.is_in(&list("0.14.10")) && !tool.is_in(&list("0.13.0")) && !tool.is_in(""));
    }
}
