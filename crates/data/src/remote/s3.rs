//! A remote in a bucket of any server that speaks S3. Requests are signed in their URL, for one host and a short time;
//! without credentials they are anonymous.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rs_cli::Environment;
use rs_core::store::{StoreError, hash_file};
use rusty_s3::actions::{
    AbortMultipartUpload, CompleteMultipartUploadResponse, CreateMultipartUpload, GetObject, HeadObject, ListObjectsV2,
    PutObject,
};
use rusty_s3::{Bucket, BucketError, S3Action, UrlStyle};
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_LENGTH, ETAG, LOCATION};
use url::Url;

use super::client::{Answer, Ask, Client, FilePart, Payload, Redirects, refused};
use super::location::{AddressStyle, LocationError, S3Location, endpoint, region};
use super::{Body, Capabilities, OpenError, Options, Remote, RemoteError, key_at, not_of_this_name, object_path};
use crate::credentials::{AwsSettings, Credentials};
use crate::retry::{Next, Patience};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;

/// How long a signed URL is good for; long uploads may go on after it.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// Parts of one upload, at most.
const MOST_PARTS: u64 = 10_000;
/// Where nothing says otherwise, as with AWS's own tools.
const USUAL_REGION: &str = "us-east-1";
/// Codes of failures that may pass, whatever the status.
const PASSING_CODES: [&str; 8] = [
    "SlowDown",
    "InternalError",
    "RequestTimeout",
    "ServiceUnavailable",
    "OperationAborted",
    "ThrottlingException",
    "RequestLimitExceeded",
    "BadDigest",
];
/// The object that shows whether one can write.
const TEST_OBJECT: &str = ".test-of-data";

/// A bucket, and the beginning of the keys in it.
#[derive(Debug)]
pub struct S3Remote {
    location: S3Location,
    bucket: Bucket,
    credentials: Option<Credentials>,
    client: Client,
    options: Options,
}

impl S3Remote {
    /// The remote in a bucket, with the credentials and settings that the environment names.
    ///
    /// # Errors
    /// The credentials are incomplete, or the endpoint, region or proxy is wrong.
    pub fn new(location: &S3Location, environment: &Environment, options: &Options) -> Result<Self, OpenError> {
        let settings = AwsSettings::of(environment)?;
        let malformed = |why: String| LocationError::Malformed { url: location.to_string(), why };
        let region = match location.region.clone().or(settings.region) {
            Some(text) => region(&text).map_err(|why| malformed(why.to_owned()))?,
            None => USUAL_REGION.to_owned(),
        };
        let own = match (&location.endpoint, settings.endpoint) {
            (Some(url), _) => Some(url.clone()),
            (None, Some(text)) => Some(endpoint(&text)?),
            (None, None) => None,
        };
        // AWS wants the bucket in the host; its certificates know no dots there. Others mostly have one host alone.
        let style = location.style.unwrap_or(match &own {
            None if !location.bucket.contains('.') => AddressStyle::Host,
            _ => AddressStyle::Path,
        });
        let style = match style {
            AddressStyle::Path => UrlStyle::Path,
            AddressStyle::Host => UrlStyle::VirtualHost,
        };
        let server = match own {
            Some(url) => url,
            None => endpoint(&format!("https://s3.{region}.amazonaws.com"))?,
        };
        let bucket = Bucket::new(server, style, location.bucket.clone(), region).map_err(|error| {
            malformed(match error {
                BucketError::UnsupportedScheme | BucketError::MissingHost => error.to_string(),
                BucketError::ParseError(_) => "the bucket's name cannot go into the host; add `style=path`".to_owned(),
            })
        })?;
        Ok(Self {
            location: location.clone(),
            bucket,
            credentials: settings.credentials,
            client: Client::new(environment, options, Redirects::NotFollowed)?,
            options: options.clone(),
        })
    }

    fn keys(&self) -> Option<&rusty_s3::Credentials> {
        self.credentials.as_ref().map(Credentials::keys)
    }

    fn object(&self, name: &str) -> Object {
        let prefix = &self.location.prefix;
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        Object { shown: format!("s3://{}/{name}", self.location.bucket), name }
    }

    fn blob(&self, key: &BlobId) -> Object {
        self.object(&object_path(key))
    }

    /// Signs a request and sends it; any status is an answer.
    fn ask<'a, A: S3Action<'a>>(&self, action: &A, shown: &str, more: Ask<'_>) -> Result<Answer, RemoteError> {
        self.ask_by(&self.client, action, shown, more)
    }

    fn ask_by<'a, A: S3Action<'a>>(
        &self,
        client: &Client,
        action: &A,
        shown: &str,
        more: Ask<'_>,
    ) -> Result<Answer, RemoteError> {
        let url = action.sign(SIGNED_FOR);
        client.send(Ask { method: A::METHOD.to_str(), url: &url, shown, ..more })
    }

    /// A request without a body.
    fn ask_plainly<'a, A: S3Action<'a>>(&self, action: &A, shown: &str) -> Result<Answer, RemoteError> {
        self.ask(action, shown, Ask::new("", self.bucket.base_url(), shown))
    }

    /// What an answer that is no success means.
    fn error(&self, answer: Answer, shown: &str) -> RemoteError {
        let (status, is_redirect) = (answer.status, answer.status.is_redirection());
        let region = answer.headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok().map(str::to_owned));
        let elsewhere = answer.headers.get(LOCATION).and_then(|value| host_of(value.to_str().ok()?));
        let passes = answer.transient();
        answer.into_error(|text| {
            let code = code_of(text);
            // Some servers say it in a header, some in the text.
            let region = region.or_else(|| inside(text, "Region").map(str::to_owned)).and_then(|name| {
                let is_news = (is_redirect || status == StatusCode::BAD_REQUEST) && name != self.bucket.region();
                super::location::region(&name).ok().filter(|_| is_news)
            });
            if let Some(region) = region {
                let why = format!("the bucket is in region `{region}`: add `region={region}` to the remote's URL");
                return Some(refused(shown, why));
            }
            if is_redirect {
                let elsewhere = elsewhere.unwrap_or_else(|| "another host".to_owned());
                let why = format!("the server sends on to {elsewhere}, and signed requests go to one host alone");
                return Some(refused(shown, why));
            }
            let code = code?;
            if PASSING_CODES.contains(&code) {
                return Some(passes);
            }
            if code == "NoSuchBucket" {
                return Some(RemoteError::NotFound { url: format!("s3://{}", self.location.bucket) });
            }
            if let Some(why) = self.denial(code, status) {
                return Some(RemoteError::Denied { url: shown.to_owned(), why });
            }
            // Of the others the status says enough, unless it is one for everything.
            (status == StatusCode::BAD_REQUEST).then(|| refused(shown, format!("the server answers {status} ({code})")))
        })
    }

    /// Why one may not, in words, if the code is about that.
    fn denial(&self, code: &str, status: StatusCode) -> Option<String> {
        let Some(credentials) = &self.credentials else {
            let help = "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE`";
            return [401, 403].contains(&status.as_u16()).then(|| format!("there are no credentials ({code}): {help}"));
        };
        let source = credentials.source();
        match code {
            "SignatureDoesNotMatch" => {
                Some(format!("the secret key does not belong to the access key of {source} ({code})"))
            }
            "InvalidAccessKeyId" | "NotSignedUp" => {
                Some(format!("the server does not know the access key of {source} ({code})"))
            }
            "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
                Some(format!("the session of {source} is over or unknown ({code})"))
            }
            "RequestTimeTooSkewed" => Some(format!("this computer's clock is wrong ({code})")),
            // S3 says so also of what is not there, to those who may not list.
            _ if [401, 403].contains(&status.as_u16()) => {
                Some(format!("{source} may not do this, or it is not there ({code})"))
            }
            _ => None,
        }
    }

    /// An answer to HEAD has no text that would say why; the same question by GET has.
    fn explained(&self, object: &Object, answer: Answer) -> RemoteError {
        let head = self.error(answer, &object.shown);
        if head.is_transient() {
            return head;
        }
        let action = GetObject::new(&self.bucket, self.keys(), &object.name);
        match self.ask_plainly(&action, &object.shown) {
            Ok(answer) if !answer.status.is_success() => self.error(answer, &object.shown),
            _ => head,
        }
    }

    fn size_of_object(&self, object: &Object) -> Result<Option<u64>, RemoteError> {
        let action = HeadObject::new(&self.bucket, self.keys(), &object.name);
        let answer = self.ask_plainly(&action, &object.shown)?;
        match answer.status {
            StatusCode::OK => match answer.number(CONTENT_LENGTH) {
                Some(size_bytes) => Ok(Some(size_bytes)),
                None => Err(refused(&object.shown, "the server does not say how many bytes it has")),
            },
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.explained(object, answer)),
        }
    }

    fn put_whole(&self, object: &Object, payload: Payload, monitor: Option<&Monitor>) -> Result<(), RemoteError> {
        let action = PutObject::new(&self.bucket, self.keys(), &object.name);
        let more = Ask { payload, monitor, ..Ask::new("", self.bucket.base_url(), "") };
        let answer = self.ask(&action, &object.shown, more)?;
        if answer.status.is_success() { Ok(()) } else { Err(self.error(answer, &object.shown)) }
    }

    /// One page of the list, from a token on: the text of the answer.
    fn page(&self, token: Option<String>, most: Option<usize>) -> Result<String, RemoteError> {
        let mut action = ListObjectsV2::new(&self.bucket, self.keys());
        if !self.location.prefix.is_empty() {
            action.with_prefix(format!("{}/", self.location.prefix));
        }
        if let Some(token) = token {
            action.with_continuation_token(token);
        }
        if let Some(most) = most {
            action.with_max_keys(most);
        }
        let shown = self.shown();
        let mut answer = self.ask_plainly(&action, &shown)?;
        if answer.status.is_success() { answer.text() } else { Err(self.error(answer, &shown)) }
    }
}

/// An object of the bucket: its name, and its URL for people.
struct Object {
    name: String,
    shown: String,
}

impl Remote for S3Remote {
    fn shown(&self) -> String {
        self.location.to_string()
    }

    fn size_of(&self, key: &BlobId) -> Result<Option<u64>, RemoteError> {
        self.size_of_object(&self.blob(key))
    }

    fn get(&self, key: &BlobId, from: u64) -> Result<Body, RemoteError> {
        let object = self.blob(key);
        let action = GetObject::new(&self.bucket, self.keys(), &object.name);
        let answer = self.ask(&action, &object.shown, Ask { from, ..Ask::new("", self.bucket.base_url(), "") })?;
        match answer.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => answer.into_body(from),
            _ => Err(self.error(answer, &object.shown)),
        }
    }

    fn put(&self, key: &BlobId, file: &Path, monitor: &Monitor) -> Result<(), RemoteError> {
        let object = self.blob(key);
        // A name in a store means verified; hashing takes a fraction of sending.
        let hashing = Monitor::default();
        match hash_file(file, &hashing) {
            Ok(found) if found.to_string() == key.to_string() => {}
            Ok(_) => return Err(refused(&object.shown, not_of_this_name(file))),
            Err(StoreError::Io(error)) => return Err(error.into()),
            Err(StoreError::Cancelled) => return Err(RemoteError::Cancelled),
        }
        let size_bytes = fs_err::metadata(file)?.len();
        if size_bytes < self.options.multipart_from_bytes {
            let payload = Payload::File(FilePart::open(file, 0, size_bytes)?);
            return self.put_whole(&object, payload, Some(monitor));
        }
        Upload::begin(self, &object, file, size_bytes, monitor)?.run()
    }

    fn list(&self) -> Result<Vec<(BlobId, u64)>, RemoteError> {
        let shown = self.shown();
        let prefix = if self.location.prefix.is_empty() { String::new() } else { format!("{}/", self.location.prefix) };
        let (mut blobs, mut token) = (Vec::new(), None);
        loop {
            let page = ListObjectsV2::parse_response(&self.page(token.clone(), None)?)
                .map_err(|_| refused(&shown, "the server's list cannot be understood"))?;
            for object in page.contents {
                let key = object.key.strip_prefix(&prefix).and_then(key_at);
                blobs.extend(key.zip(object.size));
            }
            if page.next_continuation_token.is_none() {
                break;
            }
            if page.next_continuation_token == token {
                return Err(refused(&shown, "the server's list goes round in circles"));
            }
            token = page.next_continuation_token;
        }
        blobs.sort();
        Ok(blobs)
    }

    fn test(&self) -> Result<Capabilities, RemoteError> {
        let object = self.object(TEST_OBJECT);
        let denied = |result: Result<bool, RemoteError>| match result {
            Err(error @ RemoteError::Denied { .. }) => Ok(Err(error)),
            other => other.map(Ok),
        };
        let listed = denied(self.page(None, Some(1)).map(|_| true))?;
        // Where one may not list, S3 answers 403 for what is not there: then nobody knows.
        let read = denied(self.size_of_object(&object).map(|_| true))?;
        let written = denied(self.put_whole(&object, Payload::Nothing, None).map(|()| true))?;
        if written.is_ok() {
            let action = rusty_s3::actions::DeleteObject::new(&self.bucket, self.keys(), &object.name);
            // Who may not delete leaves an empty object behind, which no list shows.
            self.ask_plainly(&action, &object.shown)?;
        }
        match (&listed, &read, &written) {
            (Err(error), Err(_), Err(_)) => Err(error.clone()),
            _ => Ok(Capabilities { can_read: read.is_ok(), can_write: written.is_ok(), can_list: listed.is_ok() }),
        }
    }

    fn interrupt(&self) {
        self.client.stop();
    }
}

/// A blob on its way in parts.
struct Upload<'a> {
    remote: &'a S3Remote,
    object: &'a Object,
    file: &'a Path,
    size_bytes: u64,
    part_bytes: u64,
    id: String,
    monitor: &'a Monitor,
}

impl<'a> Upload<'a> {
    fn begin(
        remote: &'a S3Remote,
        object: &'a Object,
        file: &'a Path,
        size_bytes: u64,
        monitor: &'a Monitor,
    ) -> Result<Self, RemoteError> {
        let action = CreateMultipartUpload::new(&remote.bucket, remote.keys(), &object.name);
        let mut answer = remote.ask_plainly(&action, &object.shown)?;
        if !answer.status.is_success() {
            return Err(remote.error(answer, &object.shown));
        }
        let id = CreateMultipartUpload::parse_response(&answer.text()?)
            .map_err(|_| refused(&object.shown, "the server's answer to an upload in parts cannot be understood"))?;
        let part_bytes = remote.options.part_bytes.max(1).max(size_bytes.div_ceil(MOST_PARTS));
        Ok(Self { remote, object, file, size_bytes, part_bytes, id: id.upload_id().to_owned(), monitor })
    }

    /// Sends the parts and puts them together; what was sent is thrown away if that fails.
    fn run(&self) -> Result<(), RemoteError> {
        // Counted apart: a part that is sent stays counted until the whole upload fails.
        let own = Monitor::default();
        let result = self.send_parts(&own).and_then(|etags| self.complete(&etags));
        if result.is_err() {
            self.monitor.done_bytes.fetch_sub(own.done_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
            let action =
                AbortMultipartUpload::new(&self.remote.bucket, self.remote.keys(), &self.object.name, &self.id);
            let last = self.remote.client.farewell();
            // The failure itself matters more; a bucket's rules end uploads that nobody completes.
            let _ = self.remote.ask_by(&last, &action, "", Ask::new("", self.remote.bucket.base_url(), ""));
        }
        result
    }

    /// The tags of the parts, in order.
    fn send_parts(&self, own: &Monitor) -> Result<Vec<String>, RemoteError> {
        let n_parts = self.size_bytes.div_ceil(self.part_bytes).max(1);
        let (next, has_failed) = (AtomicU64::new(0), AtomicBool::new(false));
        let results = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..(self.remote.options.parallel.max(1) as u64).min(n_parts) {
                scope.spawn(|| {
                    while !has_failed.load(Ordering::Relaxed) {
                        let part = next.fetch_add(1, Ordering::Relaxed);
                        if part >= n_parts {
                            break;
                        }
                        let result = self.send_part(part, own);
                        has_failed.fetch_or(result.is_err(), Ordering::Relaxed);
                        results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((part, result));
                    }
                });
            }
        });
        let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.sort_by_key(|(part, _)| *part);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Sends a part, counted from 0, as often as it takes.
    fn send_part(&self, part: u64, own: &Monitor) -> Result<String, RemoteError> {
        let mut patience = Patience::new(&self.remote.options);
        loop {
            let error = match self.try_part(part) {
                Ok((etag, n_bytes)) => {
                    own.done_bytes.fetch_add(n_bytes, Ordering::Relaxed);
                    return Ok(etag);
                }
                Err(error) if error.is_transient() => error,
                Err(error) => return Err(error),
            };
            match patience.pause(error.retry_after(), self.monitor) {
                Next::Again => {}
                Next::Stopped => return Err(RemoteError::Cancelled),
                Next::GiveUp => return Err(given_up(error, self.remote.options.n_retries + 1)),
            }
        }
    }

    fn try_part(&self, part: u64) -> Result<(String, u64), RemoteError> {
        let (remote, shown) = (self.remote, &self.object.shown);
        let from = part * self.part_bytes;
        let n_bytes = self.part_bytes.min(self.size_bytes - from);
        // There are no more than 10,000.
        let number = u16::try_from(part + 1).unwrap_or(u16::MAX);
        let action = remote.bucket.upload_part(remote.keys(), &self.object.name, number, &self.id);
        let payload = Payload::File(FilePart::open(self.file, from, n_bytes)?);
        let more = Ask { payload, monitor: Some(self.monitor), ..Ask::new("", remote.bucket.base_url(), "") };
        let answer = remote.ask(&action, shown, more)?;
        if !answer.status.is_success() {
            return Err(remote.error(answer, shown));
        }
        match answer.headers.get(ETAG).and_then(|etag| etag.to_str().ok()) {
            Some(etag) => Ok((etag.to_owned(), n_bytes)),
            None => Err(refused(shown, "the server gives a part no `ETag`")),
        }
    }

    fn complete(&self, etags: &[String]) -> Result<(), RemoteError> {
        let (remote, shown) = (self.remote, &self.object.shown);
        let tags = || etags.iter().map(String::as_str);
        let mut patience = Patience::new(&remote.options);
        loop {
            let action = remote.bucket.complete_multipart_upload(remote.keys(), &self.object.name, &self.id, tags());
            let text =
                remote.bucket.complete_multipart_upload(remote.keys(), &self.object.name, &self.id, tags()).body();
            let more = Ask { payload: Payload::Text(text), ..Ask::new("", remote.bucket.base_url(), "") };
            let completed = remote.ask(&action, shown, more).and_then(|mut answer| {
                if !answer.status.is_success() {
                    return Err(remote.error(answer, shown));
                }
                // A failure comes with status 200 too.
                let text = answer.text()?;
                CompleteMultipartUploadResponse::parse(&text).map(drop).map_err(|_| {
                    let (url, code) = (shown.clone(), code_of(&text).unwrap_or("no answer"));
                    let what = format!("the server could not put the parts together ({code})");
                    RemoteError::Transient { url, what, retry_after: None }
                })
            });
            let error = match completed {
                Ok(()) => return self.check(),
                Err(RemoteError::Cancelled) => return Err(RemoteError::Cancelled),
                Err(error) => error,
            };
            // The upload may be complete, and only the answer lost.
            if self.check().is_ok() {
                return Ok(());
            }
            if !error.is_transient() {
                return Err(error);
            }
            match patience.pause(error.retry_after(), self.monitor) {
                Next::Again => {}
                Next::Stopped => return Err(RemoteError::Cancelled),
                Next::GiveUp => return Err(given_up(error, remote.options.n_retries + 1)),
            }
        }
    }

    /// The object is there, and as long as the file.
    fn check(&self) -> Result<(), RemoteError> {
        match self.remote.size_of_object(self.object)? {
            Some(size_bytes) if size_bytes == self.size_bytes => Ok(()),
            Some(size_bytes) => {
                let why = format!("it has {size_bytes} bytes there, not {}", self.size_bytes);
                Err(refused(&self.object.shown, why))
            }
            None => Err(RemoteError::NotFound { url: self.object.shown.clone() }),
        }
    }
}

/// A failure that was met often enough: another try would send all parts once more.
fn given_up(error: RemoteError, n_tries: u32) -> RemoteError {
    match error {
        RemoteError::Transient { url, what, .. } => refused(&url, format!("{what} (after {n_tries} tries)")),
        other => other,
    }
}

/// The code in an error's XML. The message is left alone: it may repeat the signed URL.
fn code_of(text: &str) -> Option<&str> {
    inside(text, "Code").filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The text of the first element of a name.
fn inside<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    (!inside.is_empty()).then_some(inside)
}

/// The host of an absolute URL, without what else it holds.
fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(|host| format!("`{host}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Location;

    fn remote(url: &str, variables: &[(&str, &str)]) -> Result<S3Remote, OpenError> {
        let Location::S3(location) = Location::parse(url, Path::new(""))? else { panic!("{url} is no bucket") };
        S3Remote::new(
            &location,
            &Environment::of(variables.iter().map(|(name, value)| (*name, *value))),
            &Options::default(),
        )
    }

    #[track_caller]
    fn check(url: &str, variables: &[(&str, &str)], base: &str, region: &str) {
        let remote = remote(url, variables).expect("is right");
        assert_eq!((remote.bucket.base_url().as_str(), remote.bucket.region()), (base, region));
    }

    #[test]
    fn url_comes_before_variables() {
        let server = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000");
        check("s3://b", &[], "https://b.s3.us-east-1.amazonaws.com/", "us-east-1");
        check("s3://b.c/x", &[], "https://s3.us-east-1.amazonaws.com/b.c/", "us-east-1");
        check("s3://b?style=path", &[("AWS_REGION", "r-1")], "https://s3.r-1.amazonaws.com/b/", "r-1");
        check("s3://b?region=r-2", &[("AWS_REGION", "r-1")], "https://b.s3.r-2.amazonaws.com/", "r-2");
        check("s3://b", &[server], "http://127.0.0.1:9000/b/", "us-east-1");
        check("s3://b?endpoint=https://host/s3", &[server], "https://host/s3/b/", "us-east-1");
        check("s3://b?endpoint=https://host&style=host", &[server], "https://b.host/", "us-east-1");
        let error = remote("s3://b?style=host", &[server]).expect_err("no host").to_string();
        assert_eq!(error, "`s3://b` is no remote's URL: the bucket's name cannot go into the host; add `style=path`");
        let secret = remote("s3://b", &[("AWS_ENDPOINT_URL", "http://me:hunter2@host")]).expect_err("is refused");
        assert!(!secret.to_string().contains("hunter2"), "{secret}");
        let region = remote("s3://b", &[("AWS_REGION", "evil.org/")]).expect_err("is refused").to_string();
        assert_eq!(region, "`s3://b` is no remote's URL: a region's name is made of letters, digits and `-`");
    }

    #[test]
    fn only_codes_are_taken_from_errors() {
        assert_eq!(code_of("<Error><Code>NoSuchKey</Code><Message>x</Message></Error>"), Some("NoSuchKey"));
        for text in ["", "<Code></Code>", "<Code>a b</Code>", "<Code>x", "<Code>&lt;\u{1b}</Code>"] {
            assert_eq!(code_of(text), None, "{text}");
        }
        assert_eq!(host_of("https://a.org:1/x?X-Amz-Signature=y").as_deref(), Some("`a.org`"));
        assert_eq!(host_of("/x"), None);
    }
}
