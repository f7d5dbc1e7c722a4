//! Playing the scripts: one task a listener, one a connection, all on one thread.
//!
//! A client that goes away ends its scene, whatever remains of it; there is nobody to tell. A connection is never held
//! for longer than [`PATIENCE`], and keeps no more of what it hears than one line.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::cast::{End, Script, Step};
use super::certificates::{Authority, Identity};
use super::dialogue::{Lines, MAX_COMPLAINTS, Manner, Reply};

/// How long a client is kept: longer than any client waits for a greeting, as five minutes are what RFC 5321 §4.5.3.2
/// asks of clients.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long to wait after a connection could not be accepted, mostly for want of open files.
const RESPITE: Duration = Duration::from_millis(10);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Theatre {
    pub(super) authority: Authority,
    pub(super) pause: Duration,
}

/// A listener and what is played there.
#[derive(Debug)]
pub(super) struct Endpoint {
    listener: TcpListener,
    scripts: Vec<Arc<Script>>,
}

impl Endpoint {
    /// The scripts take turns.
    pub(super) fn new(listener: TcpListener, scripts: Vec<Script>) -> Self {
        Self { listener, scripts: scripts.into_iter().map(Arc::new).collect() }
    }

    /// Accepts for as long as the runtime lives.
    pub(super) async fn serve(self, theatre: Arc<Theatre>) {
        for script in self.scripts.iter().cycle() {
            let stream = loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => break stream,
                    // The connection that could not be taken waits in the queue.
                    Err(_) => sleep(RESPITE).await,
                }
            };
            let (script, theatre) = (Arc::clone(script), Arc::clone(&theatre));
            tokio::spawn(async move {
                // Gone, or put out: either way it is over.
                drop(timeout(PATIENCE, theatre.play(stream, &script)).await);
            });
        }
    }
}

impl Theatre {
    async fn play(&self, mut stream: TcpStream, script: &Script) -> io::Result<()> {
        let mut scene = Some(script);
        while let Some(script) = scene {
            scene = match &script.tls {
                None => self.perform(&mut stream, script).await?,
                // Seldom, and far larger than the rest.
                Some(identity) => {
                    stream = Box::pin(self.inside_tls(stream, identity, script)).await?;
                    None
                }
            };
        }
        if script.end == End::Reset {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    async fn inside_tls(&self, stream: TcpStream, identity: &Identity, script: &Script) -> io::Result<TcpStream> {
        stream.set_nodelay(true)?;
        let config = self.authority.server(identity).map_err(io::Error::other)?;
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
        self.perform(&mut stream, script).await?;
        Ok(stream.into_inner().0)
    }

    /// Plays one scene, up to another that it leads to.
    async fn perform<'a, S>(&self, stream: &mut S, script: &'a Script) -> io::Result<Option<&'a Script>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        for step in &script.steps {
            match step {
                Step::Say(words) => say(stream, words).await?,
                Step::Pause => sleep(self.pause).await,
                Step::Hear => drop(stream.read(&mut [0; 512]).await?),
            }
        }
        match &script.end {
            End::Dialogue(manner) => {
                if let Some(behind) = converse(stream, manner).await? {
                    return Ok(Some(behind));
                }
                close(stream).await?;
            }
            End::Hold => hear_out(stream).await?,
            End::Close => close(stream).await?,
            End::Reset => {}
        }
        Ok(None)
    }
}

/// Answers until QUIT, until the client has gone or said too much that is not understood, or up to what is behind a door.
async fn converse<'a, S>(stream: &mut S, manner: &'a Manner) -> io::Result<Option<&'a Script>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut lines, mut complaints) = (Lines::default(), 0);
    loop {
        let mut buffer = [0; 512];
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(None);
        }
        let mut heard = &buffer[..count];
        while let Some(line) = lines.next(&mut heard) {
            match manner.reply(&line) {
                Reply::Farewell(words) => return say(stream, words).await.map(|()| None),
                Reply::Answer(words) => say(stream, words).await?,
                Reply::Door(words, behind) => return say(stream, words).await.map(|()| Some(behind)),
                Reply::Complaint(words) if complaints < MAX_COMPLAINTS => {
                    complaints += 1;
                    say(stream, words).await?;
                }
                Reply::Complaint(_) => return say(stream, b"421 Too many errors\r\n").await.map(|()| None),
            }
        }
    }
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, words: &[u8]) -> io::Result<()> {
    stream.write_all(words).await?;
    stream.flush().await
}

/// FIN, and not RST: what the client still says is heard (RFC 1122 §4.2.2.13).
async fn close<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.shutdown().await?;
    hear_out(stream).await
}

/// Listens until the client has closed.
async fn hear_out<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut buffer = [0; 512];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}
