//! A folder behind nginx, as somebody would set it up.

use std::path::Path;
use std::process::Command;

use data::remote::{self, RemoteError};
use data::transfer::Fetched;

use super::servers::{Server, program};
use super::{Store, bytes, environment, fetch, key_of, options, path_of, wanted};

/// A web server of a folder.
struct Site {
    folder: tempfile::TempDir,
    server: Server,
}

impl Site {
    /// `more` goes into the server's block.
    fn start(more: &str) -> Option<Self> {
        let program = program("nginx")?;
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("blobs")).unwrap();
        let server = Server::start(|port| {
            let conf = folder.path().join("nginx.conf");
            fs_err::write(&conf, configuration(folder.path(), port, more)).unwrap();
            let mut command = Command::new(&program);
            command.arg("-p").arg(folder.path()).arg("-c").arg(conf).args(["-e", "stderr"]);
            command
        });
        Some(Self { folder, server })
    }

    fn put(&self, blob: &[u8]) {
        let path = self.folder.path().join("blobs").join(path_of(&key_of(blob)));
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, blob).unwrap();
    }

    fn remote(&self) -> Box<dyn remote::Remote> {
        let url = format!("http://127.0.0.1:{}/blobs", self.server.port);
        remote::open(&url, Path::new(""), &environment(&[]), &options()).unwrap()
    }
}

/// In the foreground and one process, so that it ends when it is killed; all it writes is in the folder.
fn configuration(folder: &Path, port: u16, more: &str) -> String {
    let folder = folder.display();
    // Started by root, nginx would read files as nobody; started by others, it warns that it cannot.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "{user} daemon off; master_process off; pid {folder}/pid; error_log stderr;\n\
         events {{}}\n\
         http {{\n\
           access_log off;\n\
           client_body_temp_path {folder}/tmp; proxy_temp_path {folder}/tmp; fastcgi_temp_path {folder}/tmp;\n\
           uwsgi_temp_path {folder}/tmp; scgi_temp_path {folder}/tmp;\n\
           server {{ listen 127.0.0.1:{port}; root {folder}; {more} }}\n\
         }}\n"
    )
}

#[test]
fn blobs_come_whole_and_from_where_they_broke_off() {
    let Some(site) = Site::start("") else { return };
    let (blob, remote, store) = (bytes(40, 3_000_000), site.remote(), Store::new());
    site.put(&blob);
    assert_eq!(remote.size_of(&key_of(&blob)).unwrap(), Some(3_000_000));
    assert_eq!(remote.size_of(&key_of(b"not there")).unwrap(), None);
    let fetched = fetch(&*remote, &wanted(&blob), &store, &options()).unwrap();
    assert_eq!(fetched, Fetched { received_bytes: 3_000_000, n_tries: 1 });
    assert_eq!(store.read(&key_of(&blob)).as_deref(), Some(&blob[..]));

    let store = Store::new();
    store.write_partial(&key_of(&blob), &blob[..2_000_000]);
    let fetched = fetch(&*remote, &wanted(&blob), &store, &options()).unwrap();
    assert_eq!(fetched, Fetched { received_bytes: 1_000_000, n_tries: 1 });
    assert_eq!(store.read(&key_of(&blob)).as_deref(), Some(&blob[..]));

    assert!(matches!(remote.get(&key_of(&blob), 3_000_000), Err(RemoteError::PastEnd { .. })));
    assert!(matches!(remote.get(&key_of(b"not there"), 0), Err(RemoteError::NotFound { .. })));
    // It lists no folders: only blobs tell.
    assert!(!remote.test().unwrap().can_read);
}

#[test]
fn damage_at_the_server_is_found() {
    let Some(site) = Site::start("") else { return };
    let (blob, remote) = (bytes(41, 100_000), site.remote());
    let path = site.folder.path().join("blobs").join(path_of(&key_of(&blob)));
    site.put(&blob);
    let mut damaged = blob.clone();
    damaged[50_000] ^= 1;
    for (bytes, message) in [
        (damaged.as_slice(), "its bytes are wrong"),
        (&blob[..99_999], "it has 99999 bytes there, not 100000"),
        (&[&blob[..], b"x"].concat(), "it has 100001 bytes there, not 100000"),
    ] {
        fs_err::write(&path, bytes).unwrap();
        let store = Store::new();
        let error = fetch(&*remote, &wanted(&blob), &store, &options()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!((store.read(&key_of(&blob)), store.partial(&key_of(&blob))), (None, None));
    }
}

#[test]
fn servers_that_compress_or_know_no_ranges() {
    let settings = "gzip on; gzip_types *; gzip_min_length 1; max_ranges 0;";
    let Some(site) = Site::start(settings) else { return };
    let (blob, remote, store) = (vec![7; 500_000], site.remote(), Store::new());
    site.put(&blob);
    store.write_partial(&key_of(&blob), &blob[..200_000]);
    let fetched = fetch(&*remote, &wanted(&blob), &store, &options()).unwrap();
    assert_eq!(fetched, Fetched { received_bytes: 500_000, n_tries: 1 });
    assert_eq!(store.read(&key_of(&blob)).as_deref(), Some(&blob[..]));
}

#[test]
fn locked_doors_are_named() {
    let Some(site) = Site::start("deny all;") else { return };
    let (blob, remote) = (bytes(42, 1000), site.remote());
    site.put(&blob);
    let error = fetch(&*remote, &wanted(&blob), &Store::new(), &options()).unwrap_err().to_string();
    assert!(error.ends_with("access denied: the server answers 403 Forbidden"), "{error}");
    assert!(matches!(remote.size_of(&key_of(&blob)), Err(RemoteError::Denied { .. })));
}
