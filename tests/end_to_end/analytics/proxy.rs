//! What stands between ANALYTICS and ClickHouse, and loses answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Passes everything on, but for some answers: then the connection ends, and what was asked has happened.
pub struct Proxy {
    port: u16,
    lost: Arc<AtomicU64>,
}

impl Proxy {
    /// Loses one answer in so many.
    pub fn start(to: u16, lost_one_in: u64) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (lost, answers) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let counted = lost.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                // Nobody behind it: whoever asks finds a closed connection.
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let (asking, asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass_on(asking, asked, || false));
                let (counted, answers) = (counted.clone(), answers.clone());
                std::thread::spawn(move || {
                    pass_on(server, client, || {
                        let loses = answers.fetch_add(1, Ordering::Relaxed) % lost_one_in == 0;
                        counted.fetch_add(u64::from(loses), Ordering::Relaxed);
                        loses
                    });
                });
            }
        });
        Proxy { port, lost }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many answers were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Until one side ends, or something is to be lost.
fn pass_on(mut from: TcpStream, mut to: TcpStream, mut loses: impl FnMut() -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || loses() || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Either may have ended by itself.
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
