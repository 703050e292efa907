//! Secrets are in no message, no `Debug`, no log.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Mutex;

use data::remote::{self, Remote};
use data::transfer::{self, ToSend};
use rs_core::monitor::Monitor;

use super::faulty_server::{Fault, FaultyServer};
use super::{Store, bytes, environment, fetch, key_of, options, path_of, wanted};

const VARIABLES: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "AKIDHUNTERONE"),
    ("AWS_SECRET_ACCESS_KEY", "hunter-two-secret"),
    ("AWS_SESSION_TOKEN", "hunter-three-token"),
    ("http_proxy", ""),
];

/// What must not be said: keys, and what makes a signed URL a secret.
const SECRETS: [&str; 6] = ["AKIDHUNTERONE", "hunter-two", "hunter-three", "X-Amz", "Signature=", "Credential="];

/// What libraries log, at every level.
struct Log(Mutex<Vec<String>>);

static LOG: Log = Log(Mutex::new(Vec::new()));

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.0.lock().unwrap().push(format!("{} {}", record.target(), record.args()));
    }

    fn flush(&self) {}
}

#[track_caller]
fn check(said: &impl Debug, shown: &str) {
    let debug = format!("{said:?} {said:#?} {shown}");
    for secret in SECRETS {
        assert!(!debug.contains(secret), "`{secret}` is in: {debug}");
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}\n{error}\n{error:?}");
        cause = error.source();
    }
    text
}

#[test]
fn no_failure_tells_a_secret() {
    log::set_logger(&LOG).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let blob = bytes(80, 50_000);
    let place = || [(format!("blobs/{}", path_of(&key_of(&blob))), blob.clone())];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blob");
    fs_err::write(&path, &blob).unwrap();
    let to_send = ToSend { key: key_of(&blob), path, size_bytes: 1 + blob.len() as u64, what: "run".to_owned() };
    let options = remote::Options { n_retries: 1, multipart_from_bytes: 10, part_bytes: 20_000, ..options() };
    for fault in [
        Fault::Status(301, None),
        Fault::Status(400, None),
        Fault::Status(401, None),
        Fault::Status(403, None),
        Fault::Status(404, None),
        Fault::Status(409, None),
        Fault::Status(500, None),
        Fault::RedirectLoop,
        Fault::RedirectNowhere,
        Fault::RedirectTo("http://127.0.0.1:1/?X-Amz-Signature=0&X-Amz-Credential=".to_owned()),
        Fault::DropsAfter(10),
        Fault::Resets,
        Fault::WrongByte(3),
        Fault::Longer(3),
        Fault::NothingThere,
        Fault::NamelessRange,
        Fault::Gzip,
        Fault::Garbage,
        Fault::EndlessHead,
        Fault::Silent,
    ] {
        let server = FaultyServer::new(place(), std::slice::from_ref(&fault));
        let url = format!("s3://blobs?endpoint={}", server.url());
        let remote: Box<dyn Remote> = remote::open(&url, Path::new(""), &environment(&VARIABLES), &options).unwrap();
        check(&remote, &remote.shown());
        let error = fetch(&*remote, &wanted(&blob), &Store::new(), &options).unwrap_err();
        check(&error, &chain(&error));
        for sent in [&to_send, &ToSend { size_bytes: blob.len() as u64, ..to_send.clone() }] {
            let monitor = Monitor::default();
            let results = transfer::send_all(&*remote, std::slice::from_ref(sent), &options, &monitor);
            if let Err(error) = &results[0] {
                check(error, &chain(error));
            }
        }
        for result in [remote.list().map(drop), remote.test().map(drop), remote.size_of(&to_send.key).map(drop)] {
            if let Err(error) = result {
                check(&error, &chain(&error));
            }
        }
        let requests = server.seen();
        assert!(requests.iter().all(|request| request.target.contains("X-Amz-Signature=")), "{fault:?}");
        assert!(requests.iter().all(|request| !request.target.contains("hunter-two")), "{fault:?}");
    }
    assert_eq!(*LOG.0.lock().unwrap(), Vec::<String>::new());
}
