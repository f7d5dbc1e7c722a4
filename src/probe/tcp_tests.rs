//! What only real sockets do, on loopback: a peer that has come, spoken and gone before we come to look.

use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::super::network::{How, Network, System};
use super::*;

/// What a peer does with a connection, after which it is closed.
type Deed = fn(TcpStream);

/// What is read of a peer that does this at once, and what then: the end, or an error.
fn met(deed: Deed) -> (Vec<u8>, Option<io::ErrorKind>, bool) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let to = listener.local_addr().unwrap();
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        deed(listener.accept().unwrap().0);
        done.send(()).unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let network = System::default();
        let how = How { deadline: Instant::now() + Duration::from_secs(4), nodelay: false, listens: true };
        // The runtime comes to look when all has been done.
        let connected = tokio::join!(network.connect(to, how), async { is_done.recv().unwrap() }).0;
        let mut stream = connected.unwrap();
        let is_timed = stream.handshake().is_some_and(|time| time < Duration::from_secs(1));
        let mut said = Vec::new();
        let end = stream.read_to_end(&mut said).await;
        (said, end.err().map(|error| error.kind()), is_timed)
    })
}

#[test]
fn what_was_said_before_the_end_is_heard() {
    let table: [(&str, Deed, &[u8], Option<io::ErrorKind>); 5] = [
        ("words and FIN", |mut stream| stream.write_all(b"220 hi\r\n").unwrap(), b"220 hi\r\n", None),
        ("FIN", drop, b"", None),
        (
            "words and RST",
            |mut stream| {
                stream.write_all(b"220 hi\r\n").unwrap();
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            },
            b"220 hi\r\n",
            Some(io::ErrorKind::ConnectionReset),
        ),
        (
            "RST",
            |stream| SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
            b"",
            Some(io::ErrorKind::ConnectionReset),
        ),
        (
            "words, FIN and RST",
            |mut stream| {
                stream.write_all(b"220 hi\r\n").unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
            },
            b"220 hi\r\n",
            None,
        ),
    ];
    for (what, deed, said, error) in table {
        assert_eq!(met(deed), (said.to_vec(), error, true), "{what}");
    }
}
