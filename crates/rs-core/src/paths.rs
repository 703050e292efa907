//! Paths that files name: checked so that they stay inside the project, and shown as the user would type them.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a path in a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathRefused {
    /// It is absolute.
    #[error("path `{0}` is absolute; it must be relative")]
    Absolute(String),
    /// It climbs out with `..`.
    #[error("path `{0}` climbs out with `..`")]
    ClimbsOut(String),
    /// It is empty.
    #[error("path is empty")]
    Empty,
}

/// How far a path may climb with `..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Climb {
    /// Not at all.
    Never,
    /// Out of the folder of the file that names it, into that folder's parent and what is below: from `data/` into the
    /// project, where `configs/` is.
    ToParent,
}

/// Checks a path that a file names and makes it plain (no `.`, `..` only at its start).
///
/// # Errors
/// It is empty, absolute, or climbs further than `climb` allows.
pub fn check_relative(path: &str, climb: Climb) -> Result<PathBuf, PathRefused> {
    if path.is_empty() {
        return Err(PathRefused::Empty);
    }
    let allowed = match climb {
        Climb::Never => 0,
        Climb::ToParent => 1,
    };
    let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
    let mut climbed = 0;
    for component in Path::new(path).components() {
        match component {
            Component::Prefix(_) | Component::RootDir => return Err(PathRefused::Absolute(path.to_owned())),
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part),
            Component::ParentDir => {
                if parts.pop().is_none() {
                    climbed += 1;
                }
            }
        }
        if climbed > allowed {
            return Err(PathRefused::ClimbsOut(path.to_owned()));
        }
    }
    let up = std::iter::repeat_n(Component::ParentDir.as_os_str(), climbed);
    Ok(up.chain(parts).collect())
}

/// Joins a checked relative path to a folder without leaving `..` in between where the folder's own name can go.
#[must_use]
pub fn join(folder: &Path, relative: &Path) -> PathBuf {
    let mut joined = folder.to_owned();
    for component in relative.components() {
        let ends_in_name = matches!(joined.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::ParentDir if ends_in_name => {
                joined.pop();
            }
            other => joined.push(other),
        }
    }
    joined
}

/// The absolute form of a path, plain (without `.` and `..`), links not followed.
///
/// # Errors
/// The path is empty and there is no current folder.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Ok(std::path::absolute(path)?.components().fold(PathBuf::new(), |mut plain, component| {
        match component {
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
        plain
    }))
}

/// The way from `folder` to `path`, both absolute and plain.
#[must_use]
pub fn relative_to(path: &Path, folder: &Path) -> PathBuf {
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(path.components().skip(shared)).collect()
}

/// A path for people: as given, with `/` between its parts and `.` for the empty one.
#[must_use]
pub fn show(path: &Path) -> String {
    if path.as_os_str().is_empty() { ".".to_owned() } else { path.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, climb: Climb, plain: Result<&str, PathRefused>) {
        assert_eq!(check_relative(path, climb), plain.map(PathBuf::from), "{path}");
    }

    #[test]
    fn paths_stay_inside() {
        check("rg/QwQ/evals.json", Climb::Never, Ok("rg/QwQ/evals.json"));
        check("./rg//QwQ/../Llama", Climb::Never, Ok("rg/Llama"));
        check("../configs/rg.yaml", Climb::ToParent, Ok("../configs/rg.yaml"));
        check("../configs/rg.yaml", Climb::Never, Err(PathRefused::ClimbsOut("../configs/rg.yaml".into())));
        check("a/../../..", Climb::ToParent, Err(PathRefused::ClimbsOut("a/../../..".into())));
        check("/etc/passwd", Climb::ToParent, Err(PathRefused::Absolute("/etc/passwd".into())));
        check("", Climb::Never, Err(PathRefused::Empty));
    }

    #[test]
    fn the_way_between_folders() {
        let way = |path: &str, folder: &str| relative_to(Path::new(path), Path::new(folder));
        assert_eq!(way("/a/b/run/x", "/a/b"), Path::new("run/x"));
        assert_eq!(way("/a/c/x", "/a/b"), Path::new("../c/x"));
        assert_eq!(absolute(Path::new("/a/./b/../c")).expect("is absolute"), Path::new("/a/c"));
    }

    #[test]
    fn joined_paths_are_short() {
        assert_eq!(join(Path::new("data"), Path::new("../configs/a")), Path::new("configs/a"));
        assert_eq!(join(Path::new(""), Path::new("../configs/a")), Path::new("../configs/a"));
        assert_eq!(join(Path::new(".."), Path::new("../a")), Path::new("../../a"));
    }
}
