//! `openssl s_server`, one process a connection, behind a relay that speaks for it.
//!
//! The server itself only encrypts. The relay takes the connections, holds the talk before STARTTLS or AUTH TLS, says inside
//! TLS what `dialogue` wants said, and cuts what is on the wire into other pieces where that is asked for.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use super::configuration::{Configuration, Server, Shape};
use super::dialogue::{Answer, Dialogue};
use super::keys::Keys;

/// What could not be served.
type Complaints = Arc<Mutex<Vec<String>>>;

/// One configuration, as its connections need it.
struct Plan {
    arguments: Vec<String>,
    folder: PathBuf,
    dialogue: Dialogue,
    shape: Shape,
    needed_name: Option<String>,
    complaints: Complaints,
}

/// Serves until the test ends, and tells at which ports.
pub(crate) fn serve(configurations: &[Configuration], keys: &Keys, ports: &mut HashMap<usize, u16>) -> Complaints {
    let complaints = Complaints::default();
    for configuration in configurations {
        let Server::OpenSsl(arguments) = &configuration.server else { continue };
        let mut arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
        if let Some(key) = &configuration.key {
            arguments.extend(["-cert".to_owned(), format!("{key}.pem"), "-key".to_owned(), format!("{key}.key")]);
        }
        let plan = Arc::new(Plan {
            arguments,
            folder: keys.folder.clone(),
            dialogue: Dialogue::of(configuration),
            shape: configuration.shape,
            needed_name: configuration.needs_name.clone(),
            complaints: Arc::clone(&complaints),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ports.insert(configuration.id, listener.local_addr().unwrap().port());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let plan = Arc::clone(&plan);
                thread::spawn(move || {
                    // A connection that breaks is for the program to tell of.
                    drop(plan.converse(client));
                });
            }
        });
    }
    complaints
}

impl Plan {
    fn converse(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        if !self.dialogue.is_implicit && !self.open_the_door(&mut client)? {
            return Ok(());
        }
        let hello = read_record(&mut client)?;
        if let Some(name) = &self.needed_name
            && !hello.windows(name.len()).any(|window| window == name.as_bytes())
        {
            // unrecognized_name, fatal.
            return client.write_all(&[21, 3, 1, 0, 2, 2, 112]);
        }
        let Some((process, mut server)) = self.start() else { return Ok(()) };
        server.write_all(&hello)?;
        self.relay(&client, server, process)
    }

    /// The talk in clear, up to where a handshake is due.
    fn open_the_door(&self, client: &mut TcpStream) -> io::Result<bool> {
        client.write_all(self.dialogue.greeting().as_bytes())?;
        loop {
            let line = read_line(client)?;
            match self.dialogue.answer(&line, false) {
                Answer::Words(words) => client.write_all(words.as_bytes())?,
                Answer::Upgrade(words) => return client.write_all(words.as_bytes()).map(|()| true),
                Answer::End => return client.write_all(b"221 bye\r\n").map(|()| false),
            }
        }
    }

    /// A server for one connection, and the connection.
    fn start(&self) -> Option<(Process, TcpStream)> {
        let child = Command::new("openssl")
            .current_dir(&self.folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1"])
            .args(&self.arguments)
            // A system's own may forbid what is old.
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = Ended(child.unwrap());
        let (input, output, mut errors) = (child.0.stdin.take()?, child.0.stdout.take()?, child.0.stderr.take()?);
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).is_ok_and(|count| count > 0) {
            if let Some(port) = line.strip_prefix("ACCEPT 127.0.0.1:").and_then(|port| port.trim().parse::<u16>().ok())
            {
                // It would wait for somebody to read what it says.
                thread::spawn(move || io::copy(&mut errors, &mut io::sink()));
                let server = TcpStream::connect(("127.0.0.1", port)).ok()?;
                return Some((Process { child, input, output }, server));
            }
            line.clear();
        }
        let mut words = String::new();
        // What can be read of it is better than nothing.
        drop(errors.read_to_string(&mut words));
        let complaint = format!("openssl s_server {} does not serve: {words}", self.arguments.join(" "));
        self.complaints.lock().unwrap().push(complaint);
        None
    }

    /// Passes on what both sides say until the server has ended.
    fn relay(&self, client: &TcpStream, server: TcpStream, process: Process) -> io::Result<()> {
        server.set_nodelay(true)?;
        let Process { child, mut input, output } = process;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            drop(io::copy(&mut from_client, &mut to_server));
            // It may be gone already.
            drop(to_server.shutdown(Shutdown::Write));
        });
        if self.dialogue.is_implicit {
            // It waits in the pipe for the end of the handshake.
            drop(input.write_all(self.dialogue.greeting().as_bytes()));
        }
        let dialogue = self.dialogue.clone();
        thread::spawn(move || talk(&dialogue, output, input, child));
        drop(pass_on(server, client, self.shape));
        client.shutdown(Shutdown::Both)
    }
}

/// A server that waits for its connection.
struct Process {
    child: Ended,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Answers what comes out of the session, among other things that the server says.
fn talk(dialogue: &Dialogue, output: BufReader<ChildStdout>, mut input: ChildStdin, _child: Ended) {
    for line in output.split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if !["EHLO ", "FEAT", "SYST", "QUIT"].iter().any(|command| line.starts_with(command)) {
            continue;
        }
        let Answer::Words(words) = dialogue.answer(&line, true) else { return };
        if input.write_all(words.as_bytes()).is_err() {
            return;
        }
    }
}

/// What the server says, cut as it is to be.
fn pass_on(mut server: TcpStream, mut client: &TcpStream, shape: Shape) -> io::Result<()> {
    if shape == Shape::Fragmented {
        loop {
            let record = read_record(&mut server)?;
            // After ChangeCipherSpec a record is what was encrypted, and has to stay whole.
            if record.first() != Some(&22) {
                client.write_all(&record)?;
                break;
            }
            for piece in record[5..].chunks(7) {
                let length = u8::try_from(piece.len()).map_err(io::Error::other)?;
                client.write_all(&[&[22, record[1], record[2], 0, length], piece].concat())?;
            }
        }
    }
    let mut chunk = [0; 16 * 1024];
    loop {
        let count = server.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        let size = if shape == Shape::Dribbled { 1 } else { count };
        for piece in chunk[..count].chunks(size) {
            client.write_all(piece)?;
        }
    }
}

/// One TLS record, whole.
pub(crate) fn read_record(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 5];
    stream.read_exact(&mut record)?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    stream.read_exact(&mut record[5..])?;
    Ok(record)
}

/// One line, and nothing after it.
pub(crate) fn read_line(stream: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
