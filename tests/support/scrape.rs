//! A scraper: one request at a time over a connection that the test holds.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use flowtop::netns::Namespace;

use super::exposition::Page;

/// The port that tests serve at: each has a namespace of its own.
pub const PORT: u16 = 9788;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The code of the status line.
    pub status: u16,
    /// The head, status line included.
    pub head: String,
    /// What came behind it.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut found = lines.filter_map(|line| line.split_once(": "));
        found.find_map(|(its_name, value)| its_name.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// Connects to a port of the namespace's loopback, which is up then. Fails where nobody listens.
pub fn connect(namespace: &Namespace, port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let outcome = namespace.within(|| Ok(TcpStream::connect(address)));
    let stream = outcome.expect("enter the namespace")?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Sends a request and reads its answer, as long as that says it is.
pub fn ask(stream: &mut TcpStream, request: &str) -> std::io::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    read_answer(stream, request.starts_with("HEAD"))
}

/// Reads an answer.
pub fn read_answer(stream: &mut TcpStream, is_head: bool) -> std::io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head of text");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let mut answer = Answer {
        status: status.expect("a status"),
        head,
        body: Vec::new(),
    };
    if !is_head {
        let length = answer.header("Content-Length").expect("a length");
        answer.body = vec![0; length.parse().expect("a number")];
        stream.read_exact(&mut answer.body)?;
    }
    Ok(answer)
}

/// Asks for a path over a connection of its own.
pub fn get(namespace: &Namespace, path: &str, headers: &str) -> Answer {
    let mut stream = connect(namespace, PORT).expect("connect");
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    ask(&mut stream, &request).expect("an answer")
}

/// The page of metrics now.
pub fn page(namespace: &Namespace) -> Page {
    let answer = get(
        namespace,
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    assert_eq!(answer.status, 200, "{}", answer.head);
    Page::read(std::str::from_utf8(&answer.body).expect("UTF-8"))
}
