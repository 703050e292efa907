//! A remote in a bucket of any server that speaks S3.

use std::path::Path;

use rs_cli::Environment;

use super::{Body, Capabilities, OpenError, Options, Remote, RemoteError, S3Location};
use crate::key::Key;
use crate::monitor::Monitor;

/// A bucket.
#[derive(Debug)]
pub struct S3Remote {
    location: S3Location,
}

impl S3Remote {
    /// The remote in a bucket, with the credentials and settings that the environment names.
    ///
    /// # Errors
    /// The credentials are incomplete, or the endpoint is wrong.
    pub fn new(location: &S3Location, _environment: &Environment, _options: &Options) -> Result<Self, OpenError> {
        Ok(Self { location: location.clone() })
    }

    fn not_yet<T>(&self) -> Result<T, RemoteError> {
        Err(RemoteError::Unsupported { url: self.shown(), what: "cannot be used yet".to_owned() })
    }
}

impl Remote for S3Remote {
    fn shown(&self) -> String {
        format!("s3://{}/{}", self.location.bucket, self.location.prefix)
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
