//! What the real binary says to people, where saying it is not plain sailing.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

fn scan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailer"));
    command.arg("scan");
    command
}

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

    let mut command = scan();
    command.arg(format!("127.0.0.1:{port}=ftp")).arg("-o").arg(&output).stderr(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
    server.join().unwrap().unwrap();
    assert_eq!(fs::read_to_string(&output).unwrap().lines().count(), 1);
}

/// A list of targets may come from anywhere.
#[test]
fn what_an_error_quotes_is_escaped() {
    let mut run = scan().arg("-").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(b"10.0.0.1\n\x1b]0;owned\x07\n").unwrap();
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let words = String::from_utf8(ended.stderr).unwrap();
    assert!(words.starts_with(r"hailer: stdin:2:1: '\x1b]0;owned\x07': "), "{words:?}");
}
