//! A way to a server on which connections break.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Listens at a port and passes everything on to another. The first connections end once so many bytes went up.
pub(crate) struct Breaker {
    pub(crate) port: u16,
    is_over: Arc<AtomicBool>,
}

impl Breaker {
    pub(crate) fn new(to_port: u16, n_broken: usize, after_bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, broken) = (Arc::clone(&is_over), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(client), broken) = (client, Arc::clone(&broken)) else { continue };
                // Connections that break are what this is for.
                std::thread::spawn(move || {
                    pass(&client, to_port, after_bytes, || broken.fetch_add(1, Ordering::Relaxed) < n_broken)
                });
            }
        });
        Self { port, is_over }
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Passes on what comes; asks once `after_bytes` went up whether to break.
fn pass(mut client: &TcpStream, to_port: u16, after_bytes: u64, is_to_break: impl Fn() -> bool) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", to_port))?;
    let (mut back, mut to) = (server.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let copied = io::copy(&mut back, &mut to);
        to.shutdown(Shutdown::Both).and(copied.map(drop))
    });
    let (mut buffer, mut n_up) = (vec![0; 64 << 10], 0);
    loop {
        let n_bytes = client.read(&mut buffer)?;
        if n_bytes == 0 {
            return server.shutdown(Shutdown::Write);
        }
        let n_before = n_up;
        n_up += n_bytes as u64;
        if n_before < after_bytes && n_up >= after_bytes && is_to_break() {
            client.shutdown(Shutdown::Both)?;
            return server.shutdown(Shutdown::Both);
        }
        (&server).write_all(&buffer[..n_bytes])?;
    }
}
