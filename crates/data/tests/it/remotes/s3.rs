//! Buckets of a server that speaks S3, and of one that goes wrong.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use data::remote::{self, Capabilities, Options, Remote, RemoteError};
use data::transfer::{self, Fetched, Sent, ToSend, TransferError};
use rs_core::monitor::Monitor;

use super::breaker::Breaker;
use super::faulty_server::{Fault, FaultyServer};
use super::servers::{Server, program};
use super::{Store, bytes, environment, fetch, key_of, options, path_of, wanted};

const ACCESS_KEY: &str = "AKTESTACCESS";
const SECRET: &str = "very/secret+key=";

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET)];

/// A server of buckets, and a folder for files to be sent.
struct Buckets {
    folder: tempfile::TempDir,
    server: Server,
}

impl Buckets {
    fn start() -> Option<Self> {
        let program = program("s3s-fs")?;
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("buckets/blobs")).unwrap();
        let server = Server::start(|port| {
            let mut command = Command::new(&program);
            command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--access-key", ACCESS_KEY, "--secret-key", SECRET]).arg(folder.path().join("buckets"));
            command
        });
        Some(Self { folder, server })
    }

    fn remote(&self, place: &str, options: &Options) -> Box<dyn Remote> {
        self.remote_as(place, options, &KEYS)
    }

    fn remote_as(&self, place: &str, options: &Options, variables: &[(&str, &str)]) -> Box<dyn Remote> {
        remote_at(self.server.port, place, options, variables)
    }

    fn file(&self, blob: &[u8]) -> PathBuf {
        let path = self.folder.path().join(key_of(blob).to_string());
        fs_err::write(&path, blob).unwrap();
        path
    }

    fn to_send(&self, blob: &[u8]) -> ToSend {
        let (key, path, size_bytes) = (key_of(blob), self.file(blob), blob.len() as u64);
        ToSend { key, path, size_bytes, what: "cohort r12/M, run a".to_owned() }
    }

    fn stored(&self, place: &str, blob: &[u8]) -> PathBuf {
        self.folder.path().join("buckets").join(place).join(path_of(&key_of(blob)))
    }
}

fn remote_at(port: u16, place: &str, options: &Options, variables: &[(&str, &str)]) -> Box<dyn Remote> {
    let url = format!("s3://{place}?endpoint=http://127.0.0.1:{port}");
    remote::open(&url, Path::new(""), &environment(variables), options).unwrap()
}

fn send(remote: &dyn Remote, blob: &ToSend, options: &Options, monitor: &Monitor) -> Result<Sent, TransferError> {
    transfer::send_all(remote, std::slice::from_ref(blob), options, monitor).remove(0)
}

#[test]
fn blobs_go_and_come_back() {
    let Some(buckets) = Buckets::start() else { return };
    let (options, monitor) = (options(), Monitor::default());
    for place in ["blobs", "blobs/deep/er"] {
        let remote = buckets.remote(place, &options);
        let blob = bytes(60, 700_000);
        let to_send = buckets.to_send(&blob);
        assert_eq!(remote.size_of(&to_send.key).unwrap(), None);
        assert_eq!(send(&*remote, &to_send, &options, &monitor).unwrap(), Sent::Stored { n_tries: 1 });
        assert_eq!(send(&*remote, &to_send, &options, &monitor).unwrap(), Sent::AlreadyThere);
        assert_eq!(fs_err::read(buckets.stored(place, &blob)).unwrap(), blob);
        assert_eq!(remote.list().unwrap(), [(to_send.key, 700_000)]);

        let store = Store::new();
        let fetched = fetch(&*remote, &wanted(&blob), &store, &options).unwrap();
        assert_eq!(fetched, Fetched { received_bytes: 700_000, n_tries: 1 });
        assert_eq!(store.read(&to_send.key).as_deref(), Some(&blob[..]));
        let store = Store::new();
        store.write_partial(&to_send.key, &blob[..500_000]);
        let fetched = fetch(&*remote, &wanted(&blob), &store, &options).unwrap();
        assert_eq!(fetched, Fetched { received_bytes: 200_000, n_tries: 1 });
        assert_eq!(store.read(&to_send.key).as_deref(), Some(&blob[..]));
        fs_err::remove_file(buckets.stored(place, &blob)).unwrap();
        assert!(matches!(remote.get(&to_send.key, 0), Err(RemoteError::NotFound { .. })));
    }
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 4 * 700_000);
}

#[test]
fn large_blobs_go_in_parts() {
    let Some(buckets) = Buckets::start() else { return };
    let in_parts = Options { multipart_from_bytes: 1 << 20, part_bytes: 5 << 20, ..options() };
    let remote = buckets.remote("blobs/x", &in_parts);
    for n_bytes in [1 << 20, 10 << 20, (20 << 20) + 17] {
        let (blob, monitor) = (bytes(61, n_bytes), Monitor::default());
        let to_send = buckets.to_send(&blob);
        assert_eq!(send(&*remote, &to_send, &in_parts, &monitor).unwrap(), Sent::Stored { n_tries: 1 });
        assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), n_bytes as u64);
        assert!(fs_err::read(buckets.stored("blobs/x", &blob)).unwrap() == blob, "other bytes");
        let store = Store::new();
        fetch(&*remote, &wanted(&blob), &store, &in_parts).unwrap();
        assert!(store.read(&to_send.key).unwrap() == blob, "other bytes");
    }
}

#[test]
fn a_blob_of_another_size_is_sent_again() {
    let Some(buckets) = Buckets::start() else { return };
    let (blob, options) = (bytes(62, 10_000), options());
    let (remote, to_send) = (buckets.remote("blobs", &options), buckets.to_send(&blob));
    let stored = buckets.stored("blobs", &blob);
    fs_err::create_dir_all(stored.parent().unwrap()).unwrap();
    fs_err::write(&stored, &blob[..9_000]).unwrap();
    assert_eq!(send(&*remote, &to_send, &options, &Monitor::default()).unwrap(), Sent::Stored { n_tries: 1 });
    assert_eq!(fs_err::read(&stored).unwrap(), blob);
    let short = ToSend { size_bytes: 9_999, ..to_send };
    let error = send(&*remote, &short, &options, &Monitor::default()).unwrap_err().to_string();
    assert!(error.ends_with(" has 10000 bytes, not 9999"), "{error}");
}

#[test]
fn what_is_damaged_here_is_not_sent() {
    let Some(buckets) = Buckets::start() else { return };
    for n_bytes in [1000, 12 << 20] {
        let options = Options { multipart_from_bytes: 6 << 20, part_bytes: 5 << 20, ..options() };
        let (remote, mut blob) = (buckets.remote("blobs", &options), bytes(1, n_bytes));
        let to_send = buckets.to_send(&blob);
        blob[7] ^= 1;
        fs_err::write(&to_send.path, &blob).unwrap();
        let error = send(remote.as_ref(), &to_send, &options, &Monitor::default()).unwrap_err().to_string();
        assert!(error.contains("does not hold the bytes of this name"), "{error}");
        assert_eq!(remote.size_of(&to_send.key).unwrap(), None);
    }
}

#[test]
fn lists_have_pages() {
    let Some(buckets) = Buckets::start() else { return };
    let mut expected = Vec::new();
    for number in 0_u64..2_345 {
        let blob = number.to_le_bytes();
        let path = buckets.stored("blobs/many", &blob);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, blob).unwrap();
        expected.push((key_of(&blob), 8));
    }
    expected.sort();
    fs_err::write(buckets.folder.path().join("buckets/blobs/many/README"), "a stranger").unwrap();
    let listed = buckets.remote("blobs/many", &options()).list().unwrap();
    assert!(listed == expected, "{} blobs, not {}", listed.len(), expected.len());
    assert_eq!(buckets.remote("blobs/man", &options()).list().unwrap(), []);
}

#[test]
fn who_may_not_is_told_why() {
    let Some(buckets) = Buckets::start() else { return };
    let (blob, options) = (bytes(63, 1000), options());
    let key = key_of(&blob);
    let url = format!("s3://blobs/{}", path_of(&key));
    let wrong =
        buckets.remote_as("blobs", &options, &[("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", "no")]);
    let denied = "the secret key does not belong to the access key of `AWS_ACCESS_KEY_ID` (SignatureDoesNotMatch)";
    let expected = format!("`{url}`: access denied: {denied}");
    assert_eq!(wrong.size_of(&key).unwrap_err().to_string(), expected);
    assert_eq!(wrong.get(&key, 0).unwrap_err().to_string(), expected);
    let to_send = buckets.to_send(&blob);
    assert_eq!(wrong.put(&key, &to_send.path, &Monitor::default()).unwrap_err().to_string(), expected);
    assert_eq!(wrong.list().unwrap_err().to_string(), format!("`s3://blobs`: access denied: {denied}"));
    assert!(matches!(wrong.test(), Err(RemoteError::Denied { .. })));

    let unknown =
        buckets.remote_as("blobs", &options, &[("AWS_ACCESS_KEY_ID", "me"), ("AWS_SECRET_ACCESS_KEY", SECRET)]);
    let error = unknown.get(&key, 0).unwrap_err().to_string();
    assert!(error.starts_with(&format!("`{url}`: access denied: ")) && error.contains("AWS_ACCESS_KEY_ID"), "{error}");
    let nobody = buckets.remote_as("blobs", &options, &[]);
    let error = nobody.get(&key, 0).unwrap_err().to_string();
    assert!(error.contains("there are no credentials (AccessDenied): set `AWS_ACCESS_KEY_ID`"), "{error}");
    let error = buckets.remote("other", &options).list().unwrap_err().to_string();
    assert_eq!(error, "`s3://other` is not there");
}

#[test]
fn a_test_leaves_nothing_behind() {
    let Some(buckets) = Buckets::start() else { return };
    let remote = buckets.remote("blobs", &options());
    assert_eq!(remote.test().unwrap(), Capabilities { can_read: true, can_write: true, can_list: true });
    assert_eq!(fs_err::read_dir(buckets.folder.path().join("buckets/blobs")).unwrap().count(), 0);
}

#[test]
fn a_stopped_upload_leaves_nothing_behind() {
    let Some(buckets) = Buckets::start() else { return };
    let in_parts = Options { multipart_from_bytes: 1 << 20, part_bytes: 5 << 20, parallel: 2, ..options() };
    let (remote, blob, monitor) = (buckets.remote("blobs", &in_parts), bytes(64, 80 << 20), Monitor::default());
    let to_send = buckets.to_send(&blob);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            while monitor.done_bytes.load(Ordering::Relaxed) < 6 << 20 && began.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            monitor.cancel.store(true, Ordering::Relaxed);
        });
        let result = send(&*remote, &to_send, &in_parts, &monitor);
        assert!(matches!(result, Err(TransferError::Cancelled)), "{result:?}");
    });
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 0);
    check_empty(&buckets);
}

/// The server tidies up after it has answered. As S3's reference has it, a part that was on its way while its upload was
/// aborted may still be written, and this server then leaves it; of an upload that is not aborted it leaves more than parts.
#[track_caller]
fn check_empty(buckets: &Buckets) {
    let is_part = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with(".upload_id-");
    let left = || -> Vec<PathBuf> {
        walk(&buckets.folder.path().join("buckets")).into_iter().filter(|path| !is_part(path)).collect()
    };
    let began = Instant::now();
    while !left().is_empty() && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(left(), Vec::<PathBuf>::new());
}

#[test]
fn connections_break_while_blobs_go() {
    let Some(buckets) = Buckets::start() else { return };
    let whole = Options { multipart_from_bytes: u64::MAX, ..options() };
    let in_parts = Options { multipart_from_bytes: 0, part_bytes: 5 << 20, ..options() };
    // Parts are tried again each on its own; a blob that goes whole is tried again whole.
    for (options, n_broken, n_tries) in [(&in_parts, 3, 1), (&whole, 1, 2), (&whole, 3, 4)] {
        let breaker = Breaker::new(buckets.server.port, n_broken, 2 << 20);
        let remote = remote_at(breaker.port, "blobs", options, &KEYS);
        let (blob, monitor) = (bytes(68, 12 << 20), Monitor::default());
        let sent = send(&*remote, &buckets.to_send(&blob), options, &monitor).unwrap();
        assert_eq!(sent, Sent::Stored { n_tries });
        assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 12 << 20);
        assert!(fs_err::read(buckets.stored("blobs", &blob)).unwrap() == blob, "other bytes");
        fs_err::remove_file(buckets.stored("blobs", &blob)).unwrap();
    }
}

#[test]
fn what_never_arrives_leaves_nothing_behind() {
    let Some(buckets) = Buckets::start() else { return };
    let whole = Options { multipart_from_bytes: u64::MAX, ..options() };
    let in_parts = Options { multipart_from_bytes: 0, part_bytes: 5 << 20, ..options() };
    for options in [&in_parts, &whole] {
        let breaker = Breaker::new(buckets.server.port, usize::MAX, 2 << 20);
        let remote = remote_at(breaker.port, "blobs", options, &KEYS);
        let (blob, monitor) = (bytes(68, 12 << 20), Monitor::default());
        let error = send(&*remote, &buckets.to_send(&blob), options, &monitor).unwrap_err().to_string();
        assert!(error.contains("the connection was ") && error.ends_with("(after 4 tries)"), "{error}");
        assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 0);
        check_empty(&buckets);
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    fs_err::read_dir(folder)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path) } else { vec![path] }
        })
        .collect()
}

/// A bucket at a server that goes wrong.
fn faulty(server: &FaultyServer, options: &Options) -> Box<dyn Remote> {
    let url = format!("s3://blobs?endpoint={}", server.url());
    let variables =
        [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", "session-token")];
    remote::open(&url, Path::new(""), &environment(&variables), options).unwrap()
}

#[test]
fn signed_requests_go_to_one_host_alone() {
    let blob = bytes(65, 1000);
    let place = || [(format!("blobs/{}", path_of(&key_of(&blob))), blob.clone())];
    let other = FaultyServer::new(place(), &[Fault::None]);
    let server = FaultyServer::new(place(), &[Fault::RedirectTo(other.url())]);
    let remote = faulty(&server, &options());
    let error = fetch(&*remote, &wanted(&blob), &Store::new(), &options()).unwrap_err().to_string();
    assert!(error.ends_with("the server sends on to `127.0.0.1`, and signed requests go to one host alone"), "{error}");
    let error = remote.size_of(&key_of(&blob)).unwrap_err().to_string();
    assert!(error.contains("signed requests go to one host alone"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    fs_err::write(&file, &blob).unwrap();
    assert!(remote.put(&key_of(&blob), &file, &Monitor::default()).is_err());
    assert_eq!(other.seen(), []);
    let asked = server.seen();
    assert!(asked.iter().all(|request| request.target.contains("X-Amz-Signature=")), "{asked:?}");
    assert!(asked.iter().all(|request| !request.headers.contains_key("authorization")), "{asked:?}");
}

#[test]
fn failures_that_pass_are_tried_again() {
    let blob = bytes(66, 100_000);
    let place = || [(format!("blobs/{}", path_of(&key_of(&blob))), blob.clone())];
    for (fault, n_tries) in [
        (Fault::Status(503, None), 2),
        (Fault::Status(429, Some("1")), 2),
        (Fault::DropsAfter(40_000), 2),
        (Fault::Closes, 2),
        (Fault::IgnoresRange, 1),
        (Fault::WrongByte(5), 2),
    ] {
        let server = FaultyServer::new(place(), &[fault.clone(), Fault::None]);
        let (remote, store) = (faulty(&server, &options()), Store::new());
        let fetched = fetch(&*remote, &wanted(&blob), &store, &options()).unwrap();
        assert_eq!((fetched.n_tries, store.read(&key_of(&blob)).as_deref()), (n_tries, Some(&blob[..])), "{fault:?}");
    }
}

#[test]
fn uploads_are_tried_again() {
    let blob = bytes(67, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    fs_err::write(&path, &blob).unwrap();
    let to_send =
        ToSend { key: key_of(&blob), path, size_bytes: blob.len() as u64, what: "cohort r12/M, run a".to_owned() };
    // Nothing is at the server, so all requests get 404 unless there is a fault.
    let monitor = Monitor::default();
    let place = [(format!("blobs/{}", path_of(&key_of(&blob))), blob[..10].to_vec())];
    let faults = [Fault::Status(500, None), Fault::None, Fault::Status(503, None), Fault::None, Fault::None];
    let server = FaultyServer::new(place, &faults);
    let sent = send(&*faulty(&server, &options()), &to_send, &options(), &monitor).unwrap();
    let methods: Vec<String> = server.seen().into_iter().map(|request| request.method).collect();
    assert_eq!((sent, methods.join(" ").as_str()), (Sent::Stored { n_tries: 2 }, "HEAD HEAD PUT HEAD PUT"));
    assert_eq!(monitor.done_bytes.load(Ordering::Relaxed), 100_000, "what failed is not counted");
}
