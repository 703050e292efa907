//! A web server that goes wrong in a way that is told for each request.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with a request for a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All is well: 206 where a range is asked for and is there, 416 where it is not, else 200.
    None,
    /// The connection ends after so many bytes of the body.
    DropsAfter(usize),
    /// The connection is closed before an answer.
    Closes,
    /// The connection is reset before an answer.
    Resets,
    /// Sent on to nowhere.
    RedirectNowhere,
    /// The byte at this place of the blob is another one.
    WrongByte(usize),
    /// The answer has so many bytes fewer at its end, and says so.
    Shorter(usize),
    /// So many bytes fewer, in chunks.
    ShorterChunked(usize),
    /// So many bytes more, and says so.
    Longer(usize),
    /// So many bytes more, in chunks.
    LongerChunked(usize),
    /// 416, whatever was asked.
    NothingThere,
    /// A status, and when to come back.
    Status(u16, Option<&'static str>),
    /// Nothing more after so many bytes of the body; the connection stays open.
    StallsAfter(usize),
    /// No answer at all.
    Silent,
    /// Sent on to itself.
    RedirectLoop,
    /// Sent on to another server.
    RedirectTo(String),
    /// A range is ignored: 200, and everything.
    IgnoresRange,
    /// A part that was not asked for.
    OtherRange,
    /// 206, and not said which part.
    NamelessRange,
    /// Compressed, though nobody asked.
    Gzip,
    /// In chunks, without a length.
    Chunked,
    /// Without a length, to the end of the connection.
    UntilClosed,
    /// A few bytes at a time.
    Trickles(usize, Duration),
    /// No HTTP.
    Garbage,
    /// A header without end.
    EndlessHead,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
}

struct Shared {
    blobs: HashMap<String, Vec<u8>>,
    /// For the first requests; then all is well.
    faults: Vec<Fault>,
    seen: Mutex<Vec<Seen>>,
    is_over: AtomicBool,
}

/// Serves until it is dropped.
pub(crate) struct FaultyServer {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyServer {
    /// A server of blobs by path. The n-th request meets the n-th fault; the last one stays if `Fault::None` does not
    /// follow it.
    pub(crate) fn new(blobs: impl IntoIterator<Item = (String, Vec<u8>)>, faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            blobs: blobs.into_iter().collect(),
            faults: faults.to_vec(),
            seen: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                if serving.is_over.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(connection), serving) = (connection, Arc::clone(&serving)) else { continue };
                // A client that goes away in the middle is no failure of a test.
                std::thread::spawn(move || drop(serving.serve(&connection)));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Drop for FaultyServer {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, connection: &TcpStream) -> std::io::Result<()> {
        connection.set_nodelay(true)?;
        let mut reader = BufReader::new(connection.try_clone()?);
        loop {
            let Some(request) = read_request(&mut reader)? else { return Ok(()) };
            let n_before = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(request.clone());
                seen.len() - 1
            };
            let fault = self.faults.get(n_before).or(self.faults.last()).cloned().unwrap_or(Fault::None);
            if !self.answer(connection, &request, &fault)? {
                return Ok(());
            }
        }
    }

    /// Whether the connection stays open.
    fn answer(&self, mut out: &TcpStream, request: &Seen, fault: &Fault) -> std::io::Result<bool> {
        let path = request.target.trim_start_matches('/').split('?').next().unwrap_or_default();
        let Some(blob) = self.blobs.get(path) else {
            out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            return Ok(true);
        };
        let from = request
            .headers
            .get("range")
            .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        let total = blob.len();
        let whole = |more: &str| format!("HTTP/1.1 200 OK\r\n{more}");
        let (head, body) = match from {
            Some(from) if from < total => {
                let range =
                    format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{total}\r\n", total - 1);
                (range, blob[from..].to_vec())
            }
            Some(_) => {
                let head = format!(
                    "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\nContent-Length: 0\r\n\r\n"
                );
                out.write_all(head.as_bytes())?;
                return Ok(true);
            }
            None => (whole(""), blob.clone()),
        };
        let length = |n_bytes: usize| format!("Content-Length: {n_bytes}\r\n\r\n");
        let sound = format!("{head}{}", length(body.len()));
        let mut send = |head: &str, body: &[u8]| out.write_all(head.as_bytes()).and_then(|()| out.write_all(body));
        match fault {
            Fault::None => send(&sound, &body)?,
            Fault::DropsAfter(n_bytes) => {
                send(&sound, &body[..body.len().min(*n_bytes)])?;
                return Ok(false);
            }
            Fault::Closes => return Ok(false),
            Fault::RedirectNowhere => send("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", b"")?,
            Fault::Resets => {
                // With no time to linger, closing is a reset.
                rustix::net::sockopt::set_socket_linger(out, Some(Duration::ZERO))?;
                return Ok(false);
            }
            Fault::WrongByte(place) => {
                let (mut body, place) = (body, place - from.unwrap_or(0));
                body[place] ^= 1;
                send(&sound, &body)?;
            }
            Fault::Shorter(n_fewer) => {
                let body = &body[..body.len() - n_fewer];
                send(&whole(&length(body.len())), body)?;
            }
            Fault::ShorterChunked(n_fewer) => {
                send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"), &chunked(&body[..body.len() - n_fewer]))?;
            }
            Fault::Longer(n_more) => {
                let body = [body, vec![7; *n_more]].concat();
                send(&whole(&length(body.len())), &body)?;
            }
            Fault::LongerChunked(n_more) => {
                let body = [body, vec![7; *n_more]].concat();
                send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"), &chunked(&body))?;
            }
            Fault::NothingThere => send("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n", b"")?,
            Fault::Status(status, retry_after) => {
                let after = retry_after.map(|value| format!("Retry-After: {value}\r\n")).unwrap_or_default();
                send(&format!("HTTP/1.1 {status} Odd\r\n{after}Content-Length: 0\r\n\r\n"), b"")?;
            }
            Fault::StallsAfter(n_bytes) => {
                send(&sound, &body[..body.len().min(*n_bytes)])?;
                self.wait();
                return Ok(false);
            }
            Fault::Silent => {
                self.wait();
                return Ok(false);
            }
            Fault::RedirectLoop => {
                let head = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", request.target);
                send(&head, b"")?;
            }
            Fault::RedirectTo(base) => {
                let head = format!("HTTP/1.1 307 Moved\r\nLocation: {base}{path}\r\nContent-Length: 0\r\n\r\n");
                send(&head, b"")?;
            }
            Fault::IgnoresRange => send(&whole(&length(total)), blob)?,
            Fault::OtherRange => {
                let head = format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-{}/{total}\r\n", total - 1);
                send(&format!("{head}{}", length(total - 5)), &blob[5..])?;
            }
            Fault::NamelessRange => {
                send(&format!("HTTP/1.1 206 Partial Content\r\n{}", length(body.len())), &body)?;
            }
            Fault::Gzip => {
                let packed = gzip_stored(&body);
                send(&format!("{head}Content-Encoding: gzip\r\n{}", length(packed.len())), &packed)?;
            }
            Fault::Chunked => send(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"), &chunked(&body))?,
            Fault::UntilClosed => {
                send(&format!("{head}Connection: close\r\n\r\n"), &body)?;
                return Ok(false);
            }
            Fault::Trickles(n_bytes, pause) => {
                send(&sound, b"")?;
                for piece in body.chunks(*n_bytes) {
                    send("", piece)?;
                    std::thread::sleep(*pause);
                }
            }
            Fault::Garbage => {
                send("I speak no HTTP\r\n\r\n", &body)?;
                return Ok(false);
            }
            Fault::EndlessHead => {
                send("HTTP/1.1 200 OK\r\n", b"")?;
                loop {
                    send("X-More: and more and more and more and more and more and more\r\n", b"")?;
                }
            }
        }
        Ok(true)
    }

    /// Until the test is over.
    fn wait(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Seen>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(Seen { method, target, headers }))
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for piece in body.chunks(3000) {
        text.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        text.extend_from_slice(piece);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"0\r\n\r\n");
    text
}

/// Gzip without compression; nobody reads far enough to miss the right checksum.
fn gzip_stored(body: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut pieces = body.chunks(0xffff).peekable();
    while let Some(piece) = pieces.next() {
        let n_bytes = u16::try_from(piece.len()).unwrap();
        packed.push(u8::from(pieces.peek().is_none()));
        packed.extend_from_slice(&n_bytes.to_le_bytes());
        packed.extend_from_slice(&(!n_bytes).to_le_bytes());
        packed.extend_from_slice(piece);
    }
    packed.extend_from_slice(&[0; 8]);
    packed
}
