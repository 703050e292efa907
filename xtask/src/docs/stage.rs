//! Where the commands of a document run: on copies of the data, which its commands may change.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use rs_fixtures::{DEFAULT_SEED, FixtureModel, Scale};

use super::console::Data;
use crate::copy;
use crate::workspace::{self, Profile};

/// Columns that documents show.
const COLUMNS: &str = "80";
/// Where commands write the pictures that documents show; the same folder in the checkout keeps them.
const PICTURES: &str = "docs/images";
/// The folder of the copy of the real data.
const REAL: &str = "real";

/// Why a command of a document is not what it should be.
#[derive(Debug, thiserror::Error)]
enum StageError {
    /// It ended with another exit code than 0.
    #[error("it ended with {status}, and said: {said}")]
    Failed { status: std::process::ExitStatus, said: String },
    /// Documents with real data are always checked in CI.
    #[error("CI is set, and the real data is not at {}", .path.display())]
    NoRealData { path: PathBuf },
}

/// The copies of one document, each made once a command needs it.
pub(super) struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// With nothing in it, in a folder that is emptied.
    pub(super) fn new(name: &str) -> Result<Self, Box<dyn Error>> {
        let folder = workspace::root().join("target").join("docs").join(name);
        if folder.is_dir() {
            fs_err::remove_dir_all(&folder)?;
        }
        Ok(Self { folder })
    }

    /// What a command prints on a screen of 80 columns; `None` without the real data that it needs.
    pub(super) fn output(&self, data: Data, command: &str) -> Result<Option<String>, Box<dyn Error>> {
        let folder = match data {
            Data::Fixtures => Some(self.fixtures()?),
            Data::Real => self.real()?,
        };
        folder.map(|folder| output(&folder, command)).transpose()
    }

    /// The pictures that commands on real data wrote, in the order of their names: place in the checkout, and content.
    pub(super) fn pictures(&self) -> Result<Vec<(PathBuf, String)>, Box<dyn Error>> {
        let folder = self.folder.join(REAL).join(PICTURES);
        let mut pictures = Vec::new();
        if folder.is_dir() {
            for entry in fs_err::read_dir(folder)? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default();
                pictures.push((workspace::root().join(PICTURES).join(name), fs_err::read_to_string(&path)?));
            }
        }
        pictures.sort();
        Ok(pictures)
    }

    fn fixtures(&self) -> Result<PathBuf, Box<dyn Error>> {
        let folder = self.folder.join("fixtures");
        if !folder.is_dir() {
            fs_err::create_dir_all(&folder)?;
            FixtureModel::new(Scale::Small, DEFAULT_SEED).write(&folder)?;
        }
        Ok(folder)
    }

    /// Not everybody has the real data, which lies beside the checkout; CI must.
    fn real(&self) -> Result<Option<PathBuf>, Box<dyn Error>> {
        let source = workspace::root().join("../shared/real");
        if !source.join("expected.json").is_file() {
            #[expect(clippy::disallowed_methods, reason = "whether this is CI")]
            let is_ci = std::env::var_os("CI").is_some();
            return if is_ci { Err(StageError::NoRealData { path: source }.into()) } else { Ok(None) };
        }
        let folder = self.folder.join(REAL);
        if !folder.is_dir() {
            copy::folders(&source, &folder, &["configs", "data"], is_no_database)?;
            fs_err::create_dir_all(folder.join(PICTURES))?;
        }
        Ok(Some(folder))
    }
}

fn is_no_database(path: &Path) -> bool {
    path.extension().is_none_or(|extension| extension != "db")
}

/// What a command line prints in a folder, with the programs as they were built last.
fn output(folder: &Path, command: &str) -> Result<String, Box<dyn Error>> {
    #[expect(clippy::disallowed_methods, reason = "the shell's own commands are found there")]
    let others = std::env::var_os("PATH").unwrap_or_default();
    let path: OsString =
        std::env::join_paths(std::iter::once(Profile::Dev.folder()?).chain(std::env::split_paths(&others)))?;
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", path)
        .env("RS_COLUMNS", COLUMNS)
        .env_remove("RS_LOG")
        .output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(StageError::Failed { status: output.status, said }.into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
