//! Every fault, and what becomes of it: how often the remote is asked, and what is here in the end.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use data::remote::{self, Options, RemoteError};
use data::transfer::{self, Fetched, TransferError, Wanted};
use rs_core::monitor::Monitor;

use super::faulty_server::{Fault, FaultyServer};
use super::{Store, bytes, environment, fetch, key_of, options, path_of, wanted};
use crate::project::Project;

const N_BYTES: usize = 300_000;

/// What is here of the blob before.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    /// So many bytes, right ones.
    Some(usize),
    /// So many bytes, one of them wrong.
    Wrong(usize),
}

/// One row: what the server does with the first request, the second and so on; the last stays.
struct Row {
    name: &'static str,
    faults: Vec<Fault>,
    before: Before,
}

fn row(name: &'static str, faults: &[Fault], before: Before) -> Row {
    Row { name, faults: faults.to_vec(), before }
}

fn rows() -> Vec<Row> {
    use Before::{Nothing, Some as Here, Wrong};
    use Fault::None as Well;
    let once = |fault: Fault| [fault, Well];
    vec![
        row("no fault", &[Well], Nothing),
        row("no fault, a part is here", &[Well], Here(100_000)),
        row("no fault, all is here", &[Well], Here(N_BYTES)),
        row("no fault, a wrong part is here", &[Well], Wrong(100_000)),
        row("no fault, all is here and wrong", &[Well], Wrong(N_BYTES)),
        row("drops after 100,000 bytes, once", &once(Fault::DropsAfter(100_000)), Nothing),
        row("drops after 100,000 bytes, always", &[Fault::DropsAfter(100_000)], Nothing),
        row(
            "drops after 100,000 bytes, and ignores ranges",
            &[Fault::DropsAfter(100_000), Fault::IgnoresRange],
            Nothing,
        ),
        row("drops at once, always", &[Fault::DropsAfter(0)], Nothing),
        row("closes without an answer, once", &once(Fault::Closes), Nothing),
        row("resets, once", &once(Fault::Resets), Nothing),
        row("resets, always", &[Fault::Resets], Nothing),
        row("wrong byte, once", &once(Fault::WrongByte(150_000)), Nothing),
        row("wrong byte, always", &[Fault::WrongByte(150_000)], Nothing),
        row("wrong byte, always, a part is here", &[Fault::WrongByte(150_000)], Here(100_000)),
        row("short body, once", &once(Fault::Shorter(1)), Nothing),
        row("short body, always", &[Fault::Shorter(1)], Nothing),
        row("short body in chunks, once", &once(Fault::ShorterChunked(1)), Nothing),
        row("short body in chunks, always", &[Fault::ShorterChunked(1)], Nothing),
        row("long body, once", &once(Fault::Longer(1)), Nothing),
        row("long body, always", &[Fault::Longer(1)], Nothing),
        row("long body in chunks, once", &once(Fault::LongerChunked(1)), Nothing),
        row("long body in chunks, always", &[Fault::LongerChunked(1)], Nothing),
        row("416, once, a part is here", &once(Fault::NothingThere), Here(100_000)),
        row("416, always, a part is here", &[Fault::NothingThere], Here(100_000)),
        row("416, always", &[Fault::NothingThere], Nothing),
        row("500, once", &once(Fault::Status(500, None)), Nothing),
        row("500, always", &[Fault::Status(500, None)], Nothing),
        row("503, always, a part is here", &[Fault::Status(503, None)], Here(100_000)),
        row("429 with Retry-After, once", &once(Fault::Status(429, Some("1"))), Nothing),
        row("403", &[Fault::Status(403, None)], Nothing),
        row("404", &[Fault::Status(404, None)], Here(100_000)),
        row("418", &[Fault::Status(418, None)], Nothing),
        row("stalls after 100,000 bytes, once", &once(Fault::StallsAfter(100_000)), Nothing),
        row("stalls at once, always", &[Fault::StallsAfter(0)], Nothing),
        row("no answer, once", &once(Fault::Silent), Nothing),
        row("redirect loop", &[Fault::RedirectLoop], Nothing),
        row("redirect to nowhere", &[Fault::RedirectNowhere], Nothing),
        row("ignores the range, a part is here", &[Fault::IgnoresRange], Here(100_000)),
        row("ignores the range, a wrong part is here", &[Fault::IgnoresRange], Wrong(100_000)),
        row("another range, a part is here", &[Fault::OtherRange], Here(100_000)),
        row("a range without a name, a part is here", &[Fault::NamelessRange], Here(100_000)),
        row("gzip'd though not asked", &[Fault::Gzip], Nothing),
        row("gzip'd though not asked, a part is here", &[Fault::Gzip], Here(100_000)),
        row("chunked", &[Fault::Chunked], Nothing),
        row("chunked, a part is here", &[Fault::Chunked], Here(100_000)),
        row("no length, to the connection's end", &[Fault::UntilClosed], Nothing),
        row("slow trickle", &[Fault::Trickles(30_000, Duration::from_millis(100))], Nothing),
        row("no HTTP", &[Fault::Garbage], Nothing),
        row("a head without end", &[Fault::EndlessHead], Nothing),
    ]
}

/// Runs a row: requests, bytes that came, and the outcome.
fn outcome(row: &Row) -> (usize, u64, String) {
    let blob = bytes(1, N_BYTES);
    let server = FaultyServer::new([(path_of(&key_of(&blob)), blob.clone())], &row.faults);
    let (store, wanted) = (Store::new(), wanted(&blob));
    match row.before {
        Before::Nothing => {}
        Before::Some(n_bytes) => store.write_partial(&wanted.key, &blob[..n_bytes]),
        Before::Wrong(n_bytes) => {
            let mut part = blob[..n_bytes].to_vec();
            part[n_bytes / 2] ^= 1;
            store.write_partial(&wanted.key, &part);
        }
    }
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    let monitor = Monitor::default();
    let result = transfer::fetch_all(&*remote, std::slice::from_ref(&wanted), &store, &options(), &monitor).remove(0);
    let done_bytes = monitor.done_bytes.load(Ordering::Relaxed);
    let (partial, stored) = (store.partial(&wanted.key), store.read(&wanted.key));
    let n_requests = server.seen().len();
    for request in server.seen() {
        assert_eq!(request.headers.get("accept-encoding").map(String::as_str), Some("identity"), "{}", row.name);
    }
    match result {
        Ok(Fetched { received_bytes, n_tries }) => {
            assert!(stored == Some(blob) && partial.is_none(), "{}: not what was asked for", row.name);
            assert_eq!(done_bytes, N_BYTES as u64, "{}", row.name);
            assert_eq!(n_tries as usize, n_requests, "{}", row.name);
            (n_requests, received_bytes, "whole".to_owned())
        }
        Err(error) => {
            assert_eq!((stored, done_bytes), (None, 0), "{}", row.name);
            let kept = partial.map_or(0, |partial| {
                assert!(blob.starts_with(&partial) && !partial.is_empty(), "{}: the part is not of the blob", row.name);
                partial.len()
            });
            let is_refused = matches!(error, TransferError::Refused { .. });
            assert!(!is_refused || kept == 0, "{}: damaged bytes stay", row.name);
            let digits = wanted.key.to_string();
            let text = error.to_string().replace(&server.url(), "URL/").replace(&path_of(&wanted.key), "KEY");
            let text = text.replace(&digits, "KEY").replace("cohort r12/M, run a: ", "");
            (n_requests, kept as u64, format!("kept {kept}; {}", scrubbed(&text)))
        }
    }
}

/// Hashes differ with what the server sends; their values say nothing here.
fn scrubbed(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let digits = word.trim_matches('`');
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) { "`HASH`" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn fault_table() {
    let rows = rows();
    let mut table = String::new();
    std::thread::scope(|scope| {
        let running: Vec<_> = rows.iter().map(|row| (row.name, scope.spawn(|| outcome(row)))).collect();
        for (name, running) in running {
            let (n_requests, n_bytes, text) = running.join().unwrap_or_else(|_| panic!("{name}"));
            let text = if text == "whole" { format!("whole; received {n_bytes}") } else { text };
            table.push_str(&format!("{name} | {n_requests} | {text}\n"));
        }
    });
    insta::assert_snapshot!(table, @r"
    no fault | 1 | whole; received 300000
    no fault, a part is here | 1 | whole; received 200000
    no fault, all is here | 0 | whole; received 0
    no fault, a wrong part is here | 2 | whole; received 500000
    no fault, all is here and wrong | 1 | whole; received 300000
    drops after 100,000 bytes, once | 2 | whole; received 300000
    drops after 100,000 bytes, always | 3 | whole; received 300000
    drops after 100,000 bytes, and ignores ranges | 2 | whole; received 400000
    drops at once, always | 4 | kept 0; `URL/`: blob `KEY` broke off after 0 of 300000 bytes: the connection was closed (after 4 tries)
    closes without an answer, once | 2 | whole; received 300000
    resets, once | 2 | whole; received 300000
    resets, always | 4 | kept 0; `URL/KEY`: the connection was reset (after 4 tries)
    wrong byte, once | 2 | whole; received 600000
    wrong byte, always | 2 | kept 0; blob `KEY` of `URL/` is refused: its bytes are wrong: they have the hash `HASH`
    wrong byte, always, a part is here | 2 | kept 0; blob `KEY` of `URL/` is refused: its bytes are wrong: they have the hash `HASH`
    short body, once | 2 | whole; received 300000
    short body, always | 2 | kept 0; blob `KEY` of `URL/` is refused: it has 299999 bytes there, not 300000
    short body in chunks, once | 2 | whole; received 300000
    short body in chunks, always | 4 | kept 299999; `URL/`: blob `KEY` broke off after 299999 of 300000 bytes: the answer ended (after 4 tries)
    long body, once | 2 | whole; received 300000
    long body, always | 2 | kept 0; blob `KEY` of `URL/` is refused: it has 300001 bytes there, not 300000
    long body in chunks, once | 2 | whole; received 600001
    long body in chunks, always | 2 | kept 0; blob `KEY` of `URL/` is refused: it has more than its 300000 bytes there
    416, once, a part is here | 2 | whole; received 300000
    416, always, a part is here | 2 | kept 0; `URL/KEY`: the remote has nothing from byte 0 on (after 2 tries)
    416, always | 1 | kept 0; `URL/KEY`: the remote has nothing from byte 0 on
    500, once | 2 | whole; received 300000
    500, always | 4 | kept 0; `URL/KEY`: the server answers 500 Internal Server Error (after 4 tries)
    503, always, a part is here | 4 | kept 100000; `URL/KEY`: the server answers 503 Service Unavailable (after 4 tries)
    429 with Retry-After, once | 2 | whole; received 300000
    403 | 1 | kept 0; `URL/KEY`: access denied: the server answers 403 Forbidden
    404 | 1 | kept 100000; `URL/KEY` is not there
    418 | 1 | kept 0; `URL/KEY`: the server answers 418 I'm a teapot
    stalls after 100,000 bytes, once | 2 | whole; received 300000
    stalls at once, always | 4 | kept 0; `URL/`: blob `KEY` broke off after 0 of 300000 bytes: not a byte for 1 s (after 4 tries)
    no answer, once | 2 | whole; received 300000
    redirect loop | 6 | kept 0; `URL/KEY`: the server sends on from place to place, more than 5 times
    redirect to nowhere | 4 | kept 0; `URL/KEY`: the answer breaks the rules of HTTP (after 4 tries)
    ignores the range, a part is here | 1 | whole; received 300000
    ignores the range, a wrong part is here | 1 | whole; received 300000
    another range, a part is here | 1 | kept 100000; `URL/`: the server sends blob `KEY` from byte 5 on, which was not asked for
    a range without a name, a part is here | 1 | kept 100000; `URL/KEY`: the server sends a part, and does not say which: no `Content-Range`
    gzip'd though not asked | 1 | kept 0; `URL/KEY`: the server sends it as `gzip`, which was not asked for
    gzip'd though not asked, a part is here | 1 | kept 100000; `URL/KEY`: the server sends it as `gzip`, which was not asked for
    chunked | 1 | whole; received 300000
    chunked, a part is here | 1 | whole; received 200000
    no length, to the connection's end | 1 | whole; received 300000
    slow trickle | 1 | whole; received 300000
    no HTTP | 4 | kept 0; `URL/KEY`: the answer breaks the rules of HTTP (after 4 tries)
    a head without end | 4 | kept 0; `URL/KEY`: the answer breaks the rules of HTTP (after 4 tries)
    ");
}

#[test]
fn retry_after_is_obeyed_within_reason() {
    let blob = bytes(2, 1000);
    for (asked, at_least, at_most) in [("1", 1000, 2500), ("3600", 1200, 2700)] {
        let faults = [Fault::Status(503, Some(asked)), Fault::None];
        let server = FaultyServer::new([(path_of(&key_of(&blob)), blob.clone())], &faults);
        let options = Options { longest_pause: Duration::from_millis(1200), ..options() };
        let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options).unwrap();
        let began = Instant::now();
        let fetched = fetch(&*remote, &wanted(&blob), &Store::new(), &options).unwrap();
        let took = began.elapsed().as_millis();
        assert_eq!(fetched.n_tries, 2);
        assert!((at_least..at_most).contains(&took), "asked for {asked} s, took {took} ms");
    }
}

#[test]
fn other_hosts_may_serve_the_blob() {
    let blob = bytes(3, 50_000);
    let other = FaultyServer::new([(path_of(&key_of(&blob)), blob.clone())], &[Fault::None]);
    let place = [(path_of(&key_of(&blob)), blob.clone())];
    let server = FaultyServer::new(place, &[Fault::RedirectTo(other.url())]);
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    let (store, wanted) = (Store::new(), wanted(&blob));
    store.write_partial(&wanted.key, &blob[..20_000]);
    let fetched = fetch(&*remote, &wanted, &store, &options()).unwrap();
    assert_eq!(fetched, Fetched { received_bytes: 30_000, n_tries: 1 });
    assert_eq!(store.read(&wanted.key), Some(blob));
    assert_eq!(other.seen()[0].headers.get("range").map(String::as_str), Some("bytes=20000-"));
}

#[test]
fn one_that_fails_stops_no_other() {
    let blobs: Vec<Vec<u8>> = (10..30).map(|seed| bytes(seed, 20_000)).collect();
    // One is not there, one is another.
    let mut served: Vec<(String, Vec<u8>)> = blobs.iter().map(|blob| (path_of(&key_of(blob)), blob.clone())).collect();
    served[4].1[7] ^= 1;
    served.remove(9);
    let server = FaultyServer::new(served, &[Fault::None]);
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    let store = Store::new();
    let mut all: Vec<Wanted> = blobs.iter().map(|blob| wanted(blob)).collect();
    // The same blob for two runs.
    all.push(all[0].clone());
    let monitor = Monitor::default();
    let results = transfer::fetch_all(&*remote, &all, &store, &options(), &monitor);
    assert_eq!(results.len(), 21);
    for (at, result) in results.iter().enumerate() {
        match at {
            4 => assert!(matches!(result, Err(TransferError::Refused { .. })), "{result:?}"),
            9 => assert!(
                matches!(result, Err(TransferError::Remote { source: RemoteError::NotFound { .. }, n_tries: 1, .. })),
                "{result:?}"
            ),
            _ => assert!(matches!(result, Ok(Fetched { received_bytes: 20_000, n_tries: 1 })), "{at}: {result:?}"),
        }
    }
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 18 * 20_000, "the one wanted twice is counted once");
    assert_eq!(server.seen().len(), 21, "20 blobs, one of them twice");
}

#[test]
fn a_stop_is_heard_within_a_second() {
    let blob = bytes(4, N_BYTES);
    for (fault, kept) in [(Fault::StallsAfter(100_000), Some(100_000)), (Fault::Silent, None)] {
        let server = FaultyServer::new([(path_of(&key_of(&blob)), blob.clone())], &[fault]);
        let patient = Options { stall_timeout: Duration::from_secs(60), ..options() };
        let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &patient).unwrap();
        let (store, wanted, monitor) = (Store::new(), wanted(&blob), Monitor::default());
        let stopped = std::thread::scope(|scope| {
            let stopper = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(500));
                monitor.cancel.store(true, Ordering::Relaxed);
                Instant::now()
            });
            let result =
                transfer::fetch_all(&*remote, std::slice::from_ref(&wanted), &store, &patient, &monitor).remove(0);
            let ended = Instant::now();
            assert!(matches!(result, Err(TransferError::Cancelled)), "{result:?}");
            ended - stopper.join().unwrap()
        });
        assert!(stopped < Duration::from_secs(1), "{stopped:?}");
        assert_eq!(store.partial(&wanted.key).map(|partial| partial.len()), kept, "what came stays");
    }
}

#[test]
fn a_stop_is_heard_while_connecting_and_pausing() {
    // Nobody answers at this address, which is for documentation; or the network says at once that it is nowhere, and
    // then the pause is long.
    let patient = Options {
        connect_timeout: Duration::from_secs(60),
        first_pause: Duration::from_secs(60),
        longest_pause: Duration::from_secs(60),
        ..options()
    };
    let remote = remote::open("http://192.0.2.1/", Path::new(""), &environment(&[]), &patient).unwrap();
    let (store, monitor) = (Store::new(), Monitor::default());
    let began = Instant::now();
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            monitor.cancel.store(true, Ordering::Relaxed);
        });
        transfer::fetch_all(&*remote, &[wanted(b"x")], &store, &patient, &monitor).remove(0)
    });
    assert!(matches!(result, Err(TransferError::Cancelled)), "{result:?}");
    assert!(began.elapsed() < Duration::from_millis(1300), "{:?}", began.elapsed());
}

#[test]
fn remotes_are_checked_without_keeping_anything() {
    let blobs: Vec<Vec<u8>> = (50..55).map(|seed| bytes(seed, 20_000)).collect();
    let mut served: Vec<(String, Vec<u8>)> = blobs.iter().map(|blob| (path_of(&key_of(blob)), blob.clone())).collect();
    served[2].1[7] ^= 1;
    served.remove(3);
    let server = FaultyServer::new(served, &[Fault::DropsAfter(5_000), Fault::Status(503, None), Fault::None]);
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    let (all, monitor): (Vec<Wanted>, _) = (blobs.iter().map(|blob| wanted(blob)).collect(), Monitor::default());
    let results = transfer::check_all(&*remote, &all, &options(), &monitor);
    let outcomes: Vec<&str> = results
        .iter()
        .map(|result| match result {
            Ok(_) => "whole",
            Err(TransferError::Refused { .. }) => "refused",
            Err(TransferError::Remote { source: RemoteError::NotFound { .. }, .. }) => "missing",
            Err(_) => "failed",
        })
        .collect();
    assert_eq!(outcomes, ["whole", "whole", "refused", "missing", "whole"]);
    let keys: Vec<_> = all.iter().map(|blob| blob.key).collect();
    let sizes = transfer::sizes_of(&*remote, &keys, &options(), &Monitor::default());
    let sizes: Vec<Option<u64>> = sizes.into_iter().map(Result::unwrap).collect();
    assert_eq!(sizes, [Some(20_000), Some(20_000), Some(20_000), None, Some(20_000)]);
}

#[test]
fn two_processes_do_not_write_one_partial() {
    let blob = bytes(5, 1000);
    let server = FaultyServer::new([(path_of(&key_of(&blob)), blob.clone())], &[Fault::None]);
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    let (store, wanted) = (Store::new(), wanted(&blob));
    store.write_partial(&wanted.key, &blob[..10]);
    let other = fs_err::File::open(transfer::Destination::partial_of(&store, &wanted.key)).unwrap();
    other.file().lock().unwrap();
    let result = fetch(&*remote, &wanted, &store, &options());
    assert!(matches!(result, Err(TransferError::Busy { .. })), "{result:?}");
    drop(other);
    assert!(fetch(&*remote, &wanted, &store, &options()).is_ok());
}

/// A server that knows no folders: whether blobs can be read is told by blobs.
#[test]
fn a_web_server_on_which_nothing_is() {
    let project = Project::pushed();
    let empty = FaultyServer::new([], &[Fault::None]);
    project.data(&["remote", "add", "web", &empty.url()]).succeeds();
    let run = project.data(&["remote", "test", "web"]).without(&[(&empty.url(), "URL")]);
    insta::assert_snapshot!(run, @"
    exit code 1
    ----- stdout
    web (URL)
    read no, write no, list no
    ----- stderr
    nothing is there: web (URL) has neither such a folder nor blobs of the manifest
    ");
    let (blob, path) = project.blobs("remote").pop_first().unwrap();
    let full = FaultyServer::new([(path_of(&blob.parse().unwrap()), fs_err::read(path).unwrap())], &[Fault::None]);
    project.data(&["remote", "add", "web", &full.url()]).succeeds();
    assert!(project.data(&["remote", "test", "web"]).succeeds().stdout.contains("read yes, write no, list no"));
}

#[test]
fn web_servers_are_asked_and_not_written() {
    let blob = bytes(6, 1000);
    let key = key_of(&blob);
    let server = FaultyServer::new([(path_of(&key), blob.clone())], &[Fault::None]);
    let remote = remote::open(&server.url(), Path::new(""), &environment(&[]), &options()).unwrap();
    assert_eq!(remote.size_of(&key_of(b"x")).unwrap(), None);
    let error = remote.list().unwrap_err().to_string();
    assert!(error.ends_with("/` cannot be listed: web servers have no lists of blobs"), "{error}");
    let error = remote.put(&key, Path::new("x"), &Monitor::default()).unwrap_err().to_string();
    assert!(error.ends_with("push to a folder or to `s3://`"), "{error}");
    let capabilities = remote.test().unwrap();
    assert!(!capabilities.can_write && !capabilities.can_list);
}
