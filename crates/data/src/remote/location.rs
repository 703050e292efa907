//! What a remote's URL says, and which URLs are refused: the manifest is in git, so they must hold no secret.

use std::fmt;
use std::path::{Path, PathBuf};

use rs_core::paths;
use url::{Url, form_urlencoded};

/// What a remote's URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder.
    Folder(PathBuf),
    /// A folder of a web server; its path ends with `/`.
    Http(Url),
    /// A bucket, and the beginning of the keys in it.
    S3(S3Location),
}

/// What an `s3://bucket/prefix?endpoint=URL&region=NAME&style=path` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The server, if the URL names one.
    pub endpoint: Option<Url>,
    /// The region, if the URL names one.
    pub region: Option<String>,
    /// Where the bucket's name goes, if the URL says.
    pub style: Option<AddressStyle>,
}

/// Where the bucket's name goes in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressStyle {
    /// Into the path: `https://host/bucket/key`.
    Path,
    /// Into the host: `https://bucket.host/key`.
    Host,
}

/// Why a text is no remote's URL. What it shows of the text is without secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It is empty.
    #[error("the remote's URL is empty: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`")]
    Empty,
    /// Another kind of URL.
    #[error("`{0}:` is no kind of remote: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`")]
    Scheme(String),
    /// It cannot be understood.
    #[error("`{url}` is no remote's URL: {why}")]
    Malformed {
        /// What was given.
        url: String,
        /// A lower-case fragment.
        why: String,
    },
    /// It holds a secret.
    #[error("`{url}` holds {what}; URLs of remotes are for everybody who has the project: {instead}")]
    Secret {
        /// What was given.
        url: String,
        /// What must not be there.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
}

/// How S3 takes a name and a password.
const S3_INSTEAD: &str = "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE`";
/// There is no way to give a web server a name and a password.
const HTTP_INSTEAD: &str = "use a server that needs none, or `s3://`";

impl Location {
    /// Understands the URL of a remote. A path that is relative is relative to `folder`, the manifest's.
    ///
    /// # Errors
    /// It is no URL of a remote, or holds a secret.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, LocationError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(malformed(text, "it holds control characters"));
        }
        match scheme_of(text).as_deref() {
            None => Ok(Self::Folder(paths::join(folder, Path::new(text)))),
            Some("file") => file_url(text, folder).map(Self::Folder),
            Some("http" | "https") => http_url(text).map(Self::Http),
            Some("s3") => S3Location::parse(text).map(Self::S3),
            Some(scheme) => Err(LocationError::Scheme(scheme.to_owned())),
        }
    }
}

impl S3Location {
    fn parse(text: &str) -> Result<Self, LocationError> {
        let rest = &text["s3://".len()..];
        if rest.contains('#') {
            return Err(malformed(text, "`#` cannot be in it"));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.contains('@') {
            return Err(secret(text, "a name or a password", S3_INSTEAD));
        }
        // A bucket's name goes into a host and a path.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._".contains(letter);
        if bucket.is_empty() || !bucket.chars().all(is_plain) || bucket.starts_with('.') || bucket.contains("..") {
            return Err(malformed(text, "a bucket's name is made of letters, digits, `-`, `.` and `_`"));
        }
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() && prefix.split('/').any(|part| ["", ".", ".."].contains(&part)) {
            return Err(malformed(text, "its path has an empty part, `.` or `..`"));
        }
        let mut location =
            Self { bucket: bucket.to_owned(), prefix: prefix.to_owned(), endpoint: None, region: None, style: None };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "endpoint" => location.endpoint = Some(endpoint(&value)?),
                "region" => location.region = Some(region(&value).map_err(|why| malformed(text, why))?),
                "style" => {
                    location.style = Some(match &*value {
                        "path" => AddressStyle::Path,
                        "host" => AddressStyle::Host,
                        _ => return Err(malformed(text, "`style` is `path` or `host`")),
                    });
                }
                // The value of an unknown one may be a secret.
                _ => return Err(malformed(text, "after `?` there may be `endpoint`, `region` and `style`")),
            }
        }
        Ok(location)
    }
}

/// `s3://bucket/prefix`.
impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// The URL of a server that speaks S3.
///
/// # Errors
/// It is none, or holds a secret.
pub(crate) fn endpoint(text: &str) -> Result<Url, LocationError> {
    let url = Url::parse(text).map_err(|error| malformed(text, error))?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(malformed(text, "an endpoint begins with `http://` or `https://`"));
    }
    check_public(text, &url, S3_INSTEAD)?;
    Ok(url)
}

/// A region's name; it goes into a host.
pub(crate) fn region(text: &str) -> Result<String, &'static str> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("a region's name is made of letters, digits and `-`")
    }
}

/// The scheme in lower case, if the text is a URL and no path.
fn scheme_of(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(':')?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_letter);
    let scheme = scheme.to_ascii_lowercase();
    (is_scheme && (rest.starts_with("//") || scheme == "file")).then_some(scheme)
}

fn file_url(text: &str, folder: &Path) -> Result<PathBuf, LocationError> {
    let rest = &text["file:".len()..];
    if rest.is_empty() {
        return Err(malformed(text, "it names no folder"));
    }
    if !rest.starts_with('/') {
        // No URL of the standard's, but what people write: the path is taken as it is.
        return Ok(paths::join(folder, Path::new(rest)));
    }
    let url = Url::parse(text).map_err(|error| malformed(text, error))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(malformed(text, "`?` and `#` in a path are written `%3F` and `%23`"));
    }
    url.to_file_path().map_err(|()| malformed(text, "it names a folder of another host; write `file:///folder`"))
}

fn http_url(text: &str) -> Result<Url, LocationError> {
    let mut url = Url::parse(text).map_err(|error| malformed(text, error))?;
    check_public(text, &url, HTTP_INSTEAD)?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

fn check_public(text: &str, url: &Url, instead: &'static str) -> Result<(), LocationError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(secret(text, "a name or a password", instead));
    }
    if url.query().is_some() || url.fragment().is_some() {
        // Where there is a query after a folder, it is a token.
        return Err(secret(text, "a query", instead));
    }
    Ok(())
}

fn malformed(text: &str, why: impl fmt::Display) -> LocationError {
    LocationError::Malformed { url: without_secrets(text), why: why.to_string() }
}

fn secret(text: &str, what: &'static str, instead: &'static str) -> LocationError {
    LocationError::Secret { url: without_secrets(text), what, instead }
}

/// The text without what may be a secret: query, fragment, and all before the last `@`, for a password may hold slashes.
fn without_secrets(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    if scheme.is_empty() { rest.to_owned() } else { format!("{scheme}://{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, LocationError> {
        Location::parse(text, Path::new("/project/data"))
    }

    #[track_caller]
    fn check_folder(text: &str, folder: &str) {
        assert_eq!(parse(text), Ok(Location::Folder(folder.into())), "{text}");
    }

    #[track_caller]
    fn check_refused(text: &str, message: &str) {
        assert_eq!(parse(text).expect_err("is refused").to_string(), message, "{text}");
    }

    #[test]
    fn folders() {
        check_folder("/mnt/blobs", "/mnt/blobs");
        check_folder("../blobs", "/project/blobs");
        check_folder("blobs:old/x", "/project/data/blobs:old/x");
        check_folder("file:///mnt/my%20blobs", "/mnt/my blobs");
        check_folder("file:/mnt/blobs", "/mnt/blobs");
        check_folder("file:../blobs", "/project/blobs");
        check_refused(
            "file://nas/blobs",
            "`file://nas/blobs` is no remote's URL: it names a folder of another host; write `file:///folder`",
        );
        check_refused(
            " ",
            "the remote's URL is empty: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`",
        );
        check_refused(
            "gs://b/x",
            "`gs:` is no kind of remote: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`",
        );
    }

    #[test]
    fn web_servers() {
        let base = |text: &str| match parse(text) {
            Ok(Location::Http(url)) => url.to_string(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(base("https://example.org"), "https://example.org/");
        assert_eq!(base("HTTP://example.org:8080/a/b"), "http://example.org:8080/a/b/");
        check_refused("http://", "`http://` is no remote's URL: empty host");
    }

    #[test]
    fn buckets() {
        let plain =
            S3Location { bucket: "b.1".into(), prefix: String::new(), endpoint: None, region: None, style: None };
        assert_eq!(parse("s3://b.1"), Ok(Location::S3(plain.clone())));
        assert_eq!(parse("s3://b.1//"), Ok(Location::S3(plain.clone())));
        let whole = parse("s3://b.1/x/y/?endpoint=http://127.0.0.1:9000&region=eu-west-1&style=path");
        let Ok(Location::S3(whole)) = whole else { panic!("{whole:?}") };
        assert_eq!(whole.to_string(), "s3://b.1/x/y");
        assert_eq!(whole.endpoint.as_ref().map(Url::as_str), Some("http://127.0.0.1:9000/"));
        assert_eq!((whole.region.as_deref(), whole.style), (Some("eu-west-1"), Some(AddressStyle::Path)));
        let name = "a bucket's name is made of letters, digits, `-`, `.` and `_`";
        check_refused("s3:///x", &format!("`s3:///x` is no remote's URL: {name}"));
        check_refused("s3://b:9/x", &format!("`s3://b:9/x` is no remote's URL: {name}"));
        check_refused("s3://b/x/../y", "`s3://b/x/../y` is no remote's URL: its path has an empty part, `.` or `..`");
        check_refused("s3://b/x?style=odd", "`s3://b/x` is no remote's URL: `style` is `path` or `host`");
        check_refused(
            "s3://b/x?region=a.evil.org/",
            "`s3://b/x` is no remote's URL: a region's name is made of letters, digits and `-`",
        );
    }

    #[test]
    fn secrets_are_refused_and_not_repeated() {
        for text in [
            "https://user:hunter2@example.org/x",
            "https://user:hun/ter2@example.org:port/x",
            "https://hunter2@example.org/x",
            "https://example.org/x?token=hunter2",
            "https://example.org/x#hunter2",
            "s3://key:hunter2@bucket/x",
            "s3://key:hun/ter2@bucket/x",
            "s3://bucket/x?secret=hunter2",
            "s3://bucket/x?endpoint=http://key:hunter2@host",
            "s3://bucket/x?endpoint=http://host/?hunter2",
            "s3://bucket/x?region=hunter2@",
            "s3://bucket/x#hunter2",
        ] {
            let error = parse(text).expect_err("is refused");
            let said = format!("{error} {error:?}");
            assert!(!said.contains("hunter2") && !said.contains("ter2"), "{text}: {said}");
        }
        check_refused(
            "s3://key:hunter2@bucket/x",
            "`s3://bucket/x` holds a name or a password; URLs of remotes are for everybody who has the project: \
             set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE`",
        );
    }
}
