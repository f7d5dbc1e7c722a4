//! What the real binary says to people, where saying it is not plain sailing.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::program::scan;

/// As after `hailer … 2>&1 | head -1`, or when the terminal is closed: nobody reads the words any longer, the rows are
/// written all the same.
#[test]
fn rows_outlive_whoever_reads_the_words() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || listener.accept().unwrap().0.write_all(b"220 (vsFTPd 3.0.5)\r\n"));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = folder.path().join("rows.ndjson");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let mut command = scan([format!("127.0.0.1:{port}=ftp")]);
    command.arg("-o").arg(&output).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
    server.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(&output).unwrap().lines().count(), 1);
}

/// Ctrl-S, or a connection that stalls: the bar cannot be drawn, and neither the probes nor a signal wait for it.
#[test]
fn a_terminal_that_takes_nothing_stops_no_clock() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let output = folder.path().join("rows.ndjson");
    let terminal = openpty(None, None).unwrap();
    let mut filler = File::from(terminal.slave.try_clone().unwrap());

    let mut command = scan([format!("127.0.0.1:{port}=ftp")]);
    command.arg("-o").arg(&output).env("TERM", "xterm").stderr(terminal.slave);
    let mut run = command.spawn().unwrap();
    drop(command);
    let mut client = listener.accept().unwrap().0;
    // Nobody reads the terminal; this ends with it.
    let filler = thread::spawn(move || while filler.write_all(&[b' '; 4096]).is_ok() {});
    // Several drawings of the bar.
    thread::sleep(Duration::from_secs(1));
    client.write_all(b"220 (vsFTPd 3.0.5)\r\n").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut words = [0; 6];
    client.read_exact(&mut words).expect("the probe goes on");
    assert_eq!(&words, b"QUIT\r\n");
    drop(client);

    // What it came to waits for the terminal, unless it is asked to leave.
    let written = || fs::read_to_string(&output).is_ok_and(|rows| rows.ends_with('\n'));
    let begun = Instant::now();
    while !written() && begun.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(written(), "the row reaches its file");
    kill(Pid::from_raw(i32::try_from(run.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    drop(terminal.master);
    filler.join().unwrap();
}

/// A list of targets may come from anywhere.
#[test]
fn what_an_error_quotes_is_escaped() {
    let mut run = scan(["-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"10.0.0.1\n\x1b]0;owned\x07\n").unwrap();
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.starts_with(r"hailer: stdin:2:1: '\x1b]0;owned\x07': "), "{words:?}");
}
