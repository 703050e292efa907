//! A remote on a web server: read with ranges, never written or listed.

use std::path::Path;

use rs_cli::Environment;
use ureq::http::StatusCode;
use ureq::http::header::CONTENT_LENGTH;
use url::Url;

use super::client::{Ask, Client, Encryption, Redirects, refused};
use super::{Body, Capabilities, OpenError, Options, Remote, RemoteError, object_path};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

/// A folder of a web server.
#[derive(Debug)]
pub struct HttpRemote {
    base: Url,
    client: Client,
}

impl HttpRemote {
    /// The remote below a URL, whose path ends with `/`.
    ///
    /// # Errors
    /// The environment names a proxy that is none.
    pub fn new(base: Url, environment: &Environment, options: &Options) -> Result<Self, OpenError> {
        let encryption = if base.scheme() == "https" { Encryption::Always } else { Encryption::AsGiven };
        let client = Client::new(environment, options, Redirects::Followed(encryption))?;
        Ok(Self { base, client })
    }

    fn url_of(&self, key: &BlobId) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), object_path(key)));
        url
    }
}

impl Remote for HttpRemote {
    fn shown(&self) -> String {
        self.base.to_string()
    }

    fn size_of(&self, key: &BlobId) -> Result<Option<u64>, RemoteError> {
        let url = self.url_of(key);
        let shown = url.to_string();
        let answer = self.client.send(Ask::new("HEAD", &url, &shown))?;
        match answer.status {
            StatusCode::OK => match answer.number(CONTENT_LENGTH) {
                Some(size_bytes) => Ok(Some(size_bytes)),
                None => Err(refused(&shown, "the server does not say how many bytes it has: no `Content-Length`")),
            },
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => Err(answer.into_error(|_| None)),
        }
    }

    fn get(&self, key: &BlobId, from: u64) -> Result<Body, RemoteError> {
        let url = self.url_of(key);
        let shown = url.to_string();
        self.client.send(Ask { from, ..Ask::new("GET", &url, &shown) })?.into_body(from)
    }

    fn put(&self, _key: &BlobId, _file: &Path, _monitor: &Monitor) -> Result<(), RemoteError> {
        let what = "cannot be written: web servers are read only; push to a folder or to `s3://`".to_owned();
        Err(RemoteError::Unsupported { url: self.shown(), what })
    }

    fn list(&self) -> Result<Vec<(BlobId, u64)>, RemoteError> {
        let what = "cannot be listed: web servers have no lists of blobs".to_owned();
        Err(RemoteError::Unsupported { url: self.shown(), what })
    }

    /// Asks for the folder itself: what a server says to that is up to it, as long as it is no failure. Where it knows of
    /// no such folder, only blobs tell whether it can be read.
    fn test(&self) -> Result<Capabilities, RemoteError> {
        let shown = self.shown();
        let answer = self.client.send(Ask::new("HEAD", &self.base, &shown))?;
        if answer.status == StatusCode::UNAUTHORIZED || answer.status.is_server_error() {
            return Err(answer.into_error(|_| None));
        }
        // Servers that list no folders say so, or that there is none; the blobs may be there all the same.
        let can_read = !answer.status.is_client_error();
        Ok(Capabilities { can_read, can_write: false, can_list: false })
    }

    fn interrupt(&self) {
        self.client.stop();
    }
}
