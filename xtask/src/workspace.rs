//! Where things lie.

use std::io;
use std::path::{Path, PathBuf};

/// The programs of the workspace.
pub(crate) const BINARIES: [&str; 5] = ["cohort", "data", "evaluate", "analyze", "probe"];

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// What a build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// The arguments that tell cargo.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    /// Where cargo puts what it builds: beside this program's own folder, wherever the target folder may be.
    pub(crate) fn folder(self) -> io::Result<PathBuf> {
        let own = std::env::current_exe()?;
        let target = own.parent().and_then(Path::parent).unwrap_or(&own);
        Ok(target.join(match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }))
    }
}

/// A path as one would type it from the current folder, if it lies below.
pub(crate) fn shown(path: &Path) -> String {
    let from_here = std::env::current_dir().ok().and_then(|here| path.strip_prefix(here).ok().map(Path::to_path_buf));
    from_here.unwrap_or_else(|| path.to_path_buf()).display().to_string()
}
