//! What the way of an endpoint begins with: its place in the order, the bare loop over connections, the reply grammar.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use socket2::{Domain, Socket, Type};

use crate::ROWS;
use crate::permutation::Permutation;
use crate::range::Range;
use crate::reply::{Progress, ReplyReader};
use crate::yardstick::{self, Counts, Job, Leave};

/// The permutation alone: a whole round, and lengths just above and at a power of two.
const LENGTHS: [u64; 3] = [1 << 16, (1 << 32) + 1, 5 << 32];

#[divan::bench(args = LENGTHS)]
fn permute(bencher: Bencher, len: u64) {
    let permutation = Permutation::new(len, 42);
    let mut index = 0;
    bencher.counter(ItemsCount::new(ROWS)).bench_local(move || {
        for _ in 0..ROWS {
            divan::black_box(permutation.at(divan::black_box(index)));
            index = (index + 1) % len;
        }
    });
}

/// A greeting of one line, an answer to EHLO, and one that has no end.
const REPLIES: [&str; 3] = ["line", "lines", "endless"];

#[divan::bench(args = REPLIES)]
fn read_a_reply(bencher: Bencher, kind: &str) {
    let (bytes, is_whole) = match kind {
        "line" => (b"220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n".to_vec(), true),
        "lines" => {
            let words = "250-mail.example.com\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n";
            (format!("{words}250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n").into(), true)
        }
        _ => ([&b"220-"[..], &[b'x'; 4092]].concat(), false),
    };
    bencher.counter(BytesCount::new(bytes.len())).bench_local(|| {
        let progress = ReplyReader::default().read(divan::black_box(&bytes));
        assert_eq!(matches!(progress, Progress::Complete { .. }), is_whole);
    });
}

/// The floor of a sweep, connect, read and close, with a peer on the other core: 256 endpoints a round.
#[divan::bench(sample_size = 1)]
fn connect_and_read(bencher: Bencher) {
    let (range, port) = (Range::new(24), greet());
    let job = Job { range, port, concurrency: 64, leave: Leave::Close, deadline: None };
    let expected = Counts { greeted: range.len(), ..Counts::default() };
    bencher.counter(ItemsCount::new(range.len())).bench_local(|| {
        assert_eq!(yardstick::run(job).expect("a sweep"), expected);
    });
}

/// A listener on every loopback address and no other, which greets one after the other as long as this process lives; its
/// port.
fn greet() -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind_device(Some(b"lo")).expect("the loopback interface");
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into()).expect("a port");
    socket.listen(1024).expect("a listener");
    let listener = std::net::TcpListener::from(socket);
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            // A client that is gone already is nobody's concern.
            if client.write_all(b"220 (vsFTPd 3.0.5)\r\n").is_ok() {
                let _ = client.read(&mut [0; 64]);
            }
        }
    });
    port
}
