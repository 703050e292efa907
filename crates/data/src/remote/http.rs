//! A remote on a web server: read with ranges, never written or listed.

use std::path::Path;

use rs_cli::Environment;
use url::Url;

use super::{Body, Capabilities, OpenError, Options, Remote, RemoteError};
use crate::key::Key;
use crate::monitor::Monitor;

/// A folder of a web server.
#[derive(Debug)]
pub struct HttpRemote {
    base: Url,
}

impl HttpRemote {
    /// The remote below a URL.
    ///
    /// # Errors
    /// The environment names a proxy that is none.
    pub fn new(base: Url, _environment: &Environment, _options: &Options) -> Result<Self, OpenError> {
        Ok(Self { base })
    }

    fn not_yet<T>(&self) -> Result<T, RemoteError> {
        Err(RemoteError::Unsupported { url: self.shown(), what: "cannot be used yet".to_owned() })
    }
}

impl Remote for HttpRemote {
    fn shown(&self) -> String {
        self.base.to_string()
    }

    fn size_of(&self, _key: &Key) -> Result<Option<u64>, RemoteError> {
        self.not_yet()
    }

    fn get(&self, _key: &Key, _from: u64) -> Result<Body, RemoteError> {
        self.not_yet()
    }

    fn put(&self, _key: &Key, _file: &Path, _monitor: &Monitor) -> Result<(), RemoteError> {
        self.not_yet()
    }

    fn list(&self) -> Result<Vec<(Key, u64)>, RemoteError> {
        self.not_yet()
    }

    fn test(&self) -> Result<Capabilities, RemoteError> {
        self.not_yet()
    }
}
