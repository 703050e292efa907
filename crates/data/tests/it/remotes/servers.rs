//! Real servers on loopback, each in a process of its own that ends with the test.

use std::io::{BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server's program: on the path, or where `cargo xtask ci` puts those it installs. Not everybody has it; CI must.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "whether this is CI; why nothing was tested")]
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([tools, "/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI is set, and `{name}` is not there: `cargo xtask servers`");
        eprintln!("nothing is tested: `{name}` is not there; `cargo xtask servers` installs it");
    }
    found
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a server that is told its port, and waits until it listens. Another process may take the port in between:
    /// then there is another try.
    pub(crate) fn start(mut command: impl FnMut(u16) -> Command) -> Self {
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child =
                command(port).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(10) && child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    drain(&mut child);
                    return Self { child, port };
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            // It may be gone already.
            let _ = child.kill();
            child.wait().unwrap();
        }
        panic!("the server does not listen");
    }
}

/// Reads what the server says, so that it can go on.
fn drain(child: &mut Child) {
    if let Some(stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            // Until the server ends.
            let _ = BufReader::new(stderr).read_to_end(&mut said);
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
