//! A server that answers what it was told to, in order, and keeps what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

pub struct Canned {
    pub port: u16,
    thread: JoinHandle<Vec<String>>,
}

impl Canned {
    /// One connection for each answer: a status line with headers, and a body. An empty one closes it.
    pub fn new(answers: &[(&str, &str)]) -> Canned {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers: Vec<(String, String)> =
            answers.iter().map(|(head, body)| ((*head).to_owned(), (*body).to_owned())).collect();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (head, body) in answers {
                let (stream, _) = listener.accept().unwrap();
                let mut reader = BufReader::new(stream);
                let (mut request, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    if let Some(bytes) = line.strip_prefix("content-length: ") {
                        length = bytes.trim().parse().unwrap();
                    }
                    request.push_str(&line);
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut sent = vec![0; length];
                reader.read_exact(&mut sent).unwrap();
                request.push_str(&String::from_utf8(sent).unwrap());
                asked.push(request);
                if !head.is_empty() {
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    reader.get_mut().write_all(answer.as_bytes()).unwrap();
                }
            }
            asked
        });
        Canned { port, thread }
    }

    /// What it was asked, once all its answers are given.
    pub fn asked(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}
