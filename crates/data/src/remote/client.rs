//! Requests over HTTP that can be stopped, and what becomes of their failures. Signed URLs come in here and never get
//! out: every error is made with the URL for people, and none repeats what a server or a library says of a URL.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rs_cli::Environment;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, RANGE, RETRY_AFTER};
use ureq::http::{HeaderMap, Request, StatusCode};
use ureq::{Agent, Proxy, ProxyProtocol, SendBody, Timeout};
use url::Url;

use super::{Body, OpenError, Options, RemoteError};
use crate::retry::TICK;
use rs_core::monitor::Monitor;

// ureq logs whole URLs, and signed ones hold session tokens: whoever listens one day must hear nothing.
const _: () = assert!(matches!(log::STATIC_MAX_LEVEL, log::LevelFilter::Off));

/// How often a web server may send on to another place.
const MOST_REDIRECTS: u32 = 5;
/// Who stops the program waits no longer than that for tidying up.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(700);
/// Bytes of an answer that is no blob.
const MOST_TEXT_BYTES: u64 = 16 << 20;

/// What becomes of an answer that sends to another place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// It is followed, a few times, and never from `https` to `http`.
    Followed(Encryption),
    /// It is an answer like others: the request carries a signature, which is for one host alone.
    NotFollowed,
}

/// Whether requests are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    /// All of them.
    Always,
    /// As the URL says.
    AsGiven,
}

/// What a request carries.
pub(super) enum Payload {
    Nothing,
    Text(String),
    File(FilePart),
}

/// Bytes of a file.
pub(super) struct FilePart {
    file: fs_err::File,
    n_bytes: u64,
}

impl FilePart {
    /// `n_bytes` of a file, from one of them on.
    pub(super) fn open(path: &Path, from: u64, n_bytes: u64) -> io::Result<Self> {
        let mut file = fs_err::File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { file, n_bytes })
    }
}

/// A request.
pub(super) struct Ask<'a> {
    pub(super) method: &'static str,
    pub(super) url: &'a Url,
    /// The URL for people.
    pub(super) shown: &'a str,
    /// The first byte that is wanted.
    pub(super) from: u64,
    pub(super) payload: Payload,
    /// Counts sent bytes, and stops.
    pub(super) monitor: Option<&'a Monitor>,
}

impl<'a> Ask<'a> {
    pub(super) fn new(method: &'static str, url: &'a Url, shown: &'a str) -> Self {
        Self { method, url, shown, from: 0, payload: Payload::Nothing, monitor: None }
    }
}

/// An answer, whatever its status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    reader: Reader,
    shown: String,
}

/// Sends requests.
pub(super) struct Client {
    agent: Agent,
    is_stopped: Arc<AtomicBool>,
    options: Options,
}

/// Without settings: a proxy's may hold a password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(environment: &Environment, options: &Options, redirects: Redirects) -> Result<Self, OpenError> {
        let (most_redirects, encryption) = match redirects {
            Redirects::Followed(encryption) => (MOST_REDIRECTS, encryption),
            Redirects::NotFollowed => (0, Encryption::AsGiven),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(encryption == Encryption::Always)
            .max_redirects(most_redirects)
            .proxy(proxy(environment)?)
            // Blobs are compressed; an encoding on top would only hide their size.
            .accept_encoding("identity")
            .user_agent(concat!("reasonscape-data/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(options.connect_timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_per_read(Some(options.stall_timeout))
            .timeout_per_write(Some(options.stall_timeout))
            .max_idle_connections_per_host(options.parallel.saturating_mul(options.parallel).clamp(1, 64))
            .max_idle_connections(64)
            .build();
        Ok(Self { agent: config.new_agent(), is_stopped: Arc::default(), options: options.clone() })
    }

    /// A client for last words: not stopped, and done soon whatever happens.
    pub(super) fn farewell(&self) -> Self {
        let config = self.agent.config();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(config.https_only())
            .max_redirects(config.max_redirects())
            .proxy(config.proxy().cloned())
            .timeout_global(Some(FAREWELL_TIMEOUT))
            .build();
        Self { agent: config.new_agent(), is_stopped: Arc::default(), options: self.options.clone() }
    }

    /// Ends all requests and readers, and allows no more.
    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.agent.clone().shutdown();
    }

    /// Sends a request and waits for the head of the answer, in a thread of its own: looking for a host and connecting
    /// cannot be stopped, but need not be waited for.
    ///
    /// Sent bytes are counted while they go, and taken back unless the answer says that all is well.
    pub(super) fn send(&self, ask: Ask<'_>) -> Result<Answer, RemoteError> {
        let Ask { method, url, shown, from, payload, monitor } = ask;
        let mut request = Request::builder().method(method).uri(url.as_str());
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        match &payload {
            Payload::Nothing if ["PUT", "POST"].contains(&method) => request = request.header(CONTENT_LENGTH, 0),
            Payload::Nothing => {}
            Payload::Text(text) => request = request.header(CONTENT_LENGTH, text.len()),
            Payload::File(part) => request = request.header(CONTENT_LENGTH, part.n_bytes),
        }
        let Ok(request) = request.body(()) else { return Err(refused(shown, "it is no valid URL")) };
        let (sender, receiver) = mpsc::sync_channel(1);
        let sending = Sending { n_bytes: Arc::default(), is_given_up: Arc::default() };
        let counted = Counted { sending: sending.clone(), monitor, n_counted: 0 };
        let agent = self.agent.clone();
        let thread = std::thread::Builder::new().name("request".to_owned()).spawn(move || {
            // If nobody waits any more, nobody needs the answer.
            let _ = sender.send(agent.run(request.map(|()| payload.into_body(sending))));
        });
        if let Err(error) = thread {
            return Err(error.into());
        }
        self.wait(&receiver, counted, shown)
    }

    fn wait(
        &self,
        receiver: &mpsc::Receiver<Result<ureq::http::Response<ureq::Body>, ureq::Error>>,
        mut counted: Counted<'_>,
        shown: &str,
    ) -> Result<Answer, RemoteError> {
        let response = loop {
            let received = receiver.recv_timeout(TICK);
            counted.update();
            match received {
                Ok(Ok(response)) => break response,
                Ok(Err(_)) | Err(_) if self.is_stopped.load(Ordering::Relaxed) || counted.is_cancelled() => {
                    return Err(RemoteError::Cancelled);
                }
                Ok(Err(error)) => return Err(self.failure(shown, error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(refused(shown, "the request came to no end")),
            }
        };
        if response.status().is_success() {
            counted.keep();
        }
        let (head, body) = response.into_parts();
        let reader = Reader {
            inner: body.into_with_config().limit(u64::MAX).reader(),
            is_stopped: Arc::clone(&self.is_stopped),
            stall_timeout: self.options.stall_timeout,
        };
        Ok(Answer { status: head.status, headers: head.headers, reader, shown: shown.to_owned() })
    }

    /// What a failure of the library means. Its own words may hold a URL.
    fn failure(&self, shown: &str, error: ureq::Error) -> RemoteError {
        match error {
            ureq::Error::TooManyRedirects => {
                refused(shown, format!("the server sends on from place to place, more than {MOST_REDIRECTS} times"))
            }
            ureq::Error::RequireHttpsOnly(_) => refused(shown, "the server sends on from `https` to `http`"),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => refused(shown, "it is no valid URL"),
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => {
                refused(shown, format!("no safe connection: {error}"))
            }
            ureq::Error::LargeResponseHeader(..) => refused(shown, "the head of the answer is too long"),
            other => transient(shown, transport_words(&other, &self.options)),
        }
    }
}

impl Answer {
    /// The bytes of a blob, for a request for its bytes from `from` on.
    pub(super) fn into_body(self, from: u64) -> Result<Body, RemoteError> {
        if let Some(encoding) = self.headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            let why = format!("the server sends it as `{}`, which was not asked for", plain(encoding.as_bytes()));
            return Err(refused(&self.shown, why));
        }
        let (from, total_bytes) = match self.status {
            StatusCode::OK => (0, self.number(CONTENT_LENGTH)),
            StatusCode::PARTIAL_CONTENT => self.content_range().ok_or_else(|| {
                refused(&self.shown, "the server sends a part, and does not say which: no `Content-Range`")
            })?,
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(RemoteError::PastEnd { url: self.shown, from }),
            _ => return Err(self.into_error(|_| None)),
        };
        Ok(Body { reader: Box::new(self.reader), from, total_bytes })
    }

    /// A header that is a number.
    pub(super) fn number(&self, name: ureq::http::HeaderName) -> Option<u64> {
        self.headers.get(name)?.to_str().ok()?.trim().parse().ok()
    }

    /// First byte, and bytes in all, of `bytes 5-9/10`.
    fn content_range(&self) -> Option<(u64, Option<u64>)> {
        let range = self.headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
        let (part, total) = range.split_once('/')?;
        let (first, _) = part.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.trim().parse().ok()?) };
        Some((first.trim().parse().ok()?, total))
    }

    /// The text of the answer; of a long one the beginning.
    pub(super) fn text(&mut self) -> Result<String, RemoteError> {
        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(MOST_TEXT_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| transient(&self.shown, format!("the answer broke off: {error}")))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// What an answer that is no success means; `known` knows more of the text of the answer than the status says.
    pub(super) fn into_error(mut self, known: impl FnOnce(&str) -> Option<RemoteError>) -> RemoteError {
        // Read to its end also so that the connection can be used again.
        let text = self.text().unwrap_or_default();
        if let Some(error) = known(&text) {
            return error;
        }
        let url = self.shown.clone();
        match self.status.as_u16() {
            404 | 410 => RemoteError::NotFound { url },
            401 | 403 | 407 => RemoteError::Denied { url, why: format!("the server answers {}", self.status) },
            408 | 425 | 429 | 500 | 502 | 503 | 504 | 509 | 520..=599 => self.transient(),
            _ => refused(&url, format!("the server answers {}", self.status)),
        }
    }

    /// The answer as a failure that may pass.
    pub(super) fn transient(&self) -> RemoteError {
        RemoteError::Transient {
            url: self.shown.clone(),
            what: format!("the server answers {}", self.status),
            retry_after: self.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?)),
        }
    }
}

impl Payload {
    fn into_body(self, sending: Sending) -> SendBody<'static> {
        match self {
            Self::Nothing => SendBody::none(),
            Self::Text(text) => SendBody::from_owned_reader(io::Cursor::new(text)),
            Self::File(part) => SendBody::from_owned_reader(Upload { file: part.file.take(part.n_bytes), sending }),
        }
    }
}

/// What the thread that sends and the one that waits tell each other.
#[derive(Debug, Clone)]
struct Sending {
    n_bytes: Arc<AtomicU64>,
    is_given_up: Arc<AtomicBool>,
}

/// A file on its way.
struct Upload {
    file: io::Take<fs_err::File>,
    sending: Sending,
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sending.is_given_up.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        let n_bytes = self.file.read(buffer)?;
        self.sending.n_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

/// Sent bytes in the monitor; taken back when dropped, unless kept.
struct Counted<'a> {
    sending: Sending,
    monitor: Option<&'a Monitor>,
    n_counted: u64,
}

impl Counted<'_> {
    fn update(&mut self) {
        let n_bytes = self.sending.n_bytes.load(Ordering::Relaxed);
        if let Some(monitor) = self.monitor {
            monitor.done_bytes.fetch_add(n_bytes - self.n_counted, Ordering::Relaxed);
        }
        self.n_counted = n_bytes;
    }

    fn is_cancelled(&self) -> bool {
        self.monitor.is_some_and(Monitor::is_cancelled)
    }

    fn keep(mut self) {
        self.update();
        self.n_counted = 0;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.sending.is_given_up.store(true, Ordering::Relaxed);
        if let Some(monitor) = self.monitor {
            monitor.done_bytes.fetch_sub(self.n_counted, Ordering::Relaxed);
        }
    }
}

/// The bytes of an answer, with errors in our words.
struct Reader {
    inner: ureq::BodyReader<'static>,
    is_stopped: Arc<AtomicBool>,
    stall_timeout: Duration,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| {
            if self.is_stopped.load(Ordering::Relaxed) {
                return io::Error::other("stopped before the end");
            }
            let words = match ureq::Error::from(error) {
                ureq::Error::Timeout(_) => stalled(self.stall_timeout),
                ureq::Error::Io(error) => io_words(&error),
                _ => "the answer breaks the rules of HTTP".to_owned(),
            };
            io::Error::other(words)
        })
    }
}

pub(super) fn refused(shown: &str, why: impl Into<String>) -> RemoteError {
    RemoteError::Refused { url: shown.to_owned(), why: why.into() }
}

fn transient(shown: &str, what: impl Into<String>) -> RemoteError {
    RemoteError::Transient { url: shown.to_owned(), what: what.into(), retry_after: None }
}

fn transport_words(error: &ureq::Error, options: &Options) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            format!("no connection within {}", seconds(options.connect_timeout))
        }
        ureq::Error::Timeout(_) => stalled(options.stall_timeout),
        ureq::Error::HostNotFound => "the host is not found".to_owned(),
        ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => "the proxy does not connect".to_owned(),
        ureq::Error::Io(error) => io_words(error),
        ureq::Error::RedirectFailed => "the server sends on to a place that it does not name".to_owned(),
        _ => "the answer breaks the rules of HTTP".to_owned(),
    }
}

fn stalled(timeout: Duration) -> String {
    format!("not a byte for {}", seconds(timeout))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there: connection refused".to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            "the connection was reset".to_owned()
        }
        kind => kind.to_string(),
    }
}

/// A header's text, for people.
fn plain(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(char::is_ascii_graphic).take(40).collect()
}

/// Seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // Servers that err about the day of the week still know the date.
    let parser = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let date = parser.parse_timestamp(value).ok()?;
    // A date that has passed asks for no pause.
    Some(Duration::try_from(date.duration_since(jiff::Timestamp::now())).unwrap_or_default())
}

/// The proxy that the environment names.
fn proxy(environment: &Environment) -> Result<Option<Proxy>, OpenError> {
    // `HTTP_PROXY` in capitals may be a header of a request to a CGI program.
    let variables = ["https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"];
    let Some((variable, text)) = variables.into_iter().find_map(|name| Some((name, environment.text(name)?))) else {
        return Ok(None);
    };
    let given = Proxy::new(&text).map_err(|_| OpenError::Proxy { variable })?;
    if ![ProxyProtocol::Http, ProxyProtocol::Https].contains(&given.protocol()) {
        return Err(OpenError::Proxy { variable });
    }
    let mut builder = Proxy::builder(given.protocol()).host(given.host()).port(given.port());
    if let Some(username) = given.username() {
        builder = builder.username(username);
    }
    if let Some(password) = given.password() {
        builder = builder.password(password);
    }
    for host in environment.first_text(&["no_proxy", "NO_PROXY"]).unwrap_or_default().split(',') {
        builder = builder.no_proxy(host.trim());
    }
    builder.build().map(Some).map_err(|_| OpenError::Proxy { variable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_when_in_two_ways() {
        assert_eq!(retry_after(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = retry_after("Fri, 21 Oct 2999 07:28:00 GMT").expect("is a date");
        assert!(later > Duration::from_secs(1_000_000), "{later:?}");
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-3"), None);
    }

    #[test]
    fn proxies_come_from_the_environment() {
        let asked = |variables: &[(&'static str, &'static str)]| proxy(&Environment::of(variables.iter().copied()));
        assert!(asked(&[]).expect("none").is_none());
        assert!(asked(&[("HTTP_PROXY", "http://evil")]).expect("none").is_none());
        let given = asked(&[("https_proxy", "http://me:hunter2@proxy:3128"), ("NO_PROXY", "localhost, .inside.org")]);
        let given = given.expect("is right").expect("is there");
        assert_eq!((given.host(), given.port(), given.password()), ("proxy", 3128, Some("hunter2")));
        assert!(given.is_no_proxy(&"http://localhost/x".parse().expect("a URL")));
        assert!(given.is_no_proxy(&"http://a.inside.org/x".parse().expect("a URL")));
        assert!(!given.is_no_proxy(&"http://example.org/x".parse().expect("a URL")));
        for wrong in ["hunter2 x", "socks5://me:hunter2@host"] {
            let error = asked(&[("ALL_PROXY", wrong)]).expect_err("is wrong");
            assert_eq!(error.to_string(), "`ALL_PROXY` is no proxy's URL, like `http://host:port`");
        }
        let environment = Environment::of([("https_proxy", "http://me:hunter2@proxy:3128")]);
        let client = Client::new(&environment, &Options::default(), Redirects::NotFollowed).expect("is right");
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
