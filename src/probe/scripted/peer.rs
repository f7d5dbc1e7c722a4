//! The other side of a scripted connection.

use super::*;

pub(super) struct Peer {
    pub(super) shared: Arc<Shared>,
    pub(super) reset: Arc<AtomicBool>,
}

impl Peer {
    pub(super) async fn play(self, script: Script, pipe: DuplexStream) {
        let mut pipe: Pipe = Box::new(pipe);
        let begins = script.tls.map(Step::Secure);
        let mut keys = None;
        for step in begins.into_iter().chain(script.steps) {
            match step {
                Step::Secure(peer) => {
                    let Some(session) = secure(pipe, peer).await else { return };
                    pipe = session;
                }
                Step::Shake(shake) => {
                    let Some(agreed) = shake.play(&mut pipe).await else { return };
                    keys = Some(agreed);
                }
                step => {
                    if !self.step(step, &mut pipe, keys.as_mut()).await {
                        return;
                    }
                }
            }
        }
    }

    /// Whether the peer goes on.
    async fn step(&self, step: Step, pipe: &mut Pipe, keys: Option<&mut Keys>) -> bool {
        match step {
            Step::Secure(_) | Step::Shake(_) => unreachable!("they change what the others are played on"),
            Step::Sealed(kind, words) => say(pipe, &keys.expect("there was a handshake").seal(kind, &words)).await,
            Step::SealedFlood(kind, words) => {
                let keys = keys.expect("there was a handshake");
                flood(pipe, |out| out.extend(keys.seal(kind, &words))).await;
                false
            }
            Step::Flood(words) => {
                flood(pipe, |out| out.extend(words.bytes())).await;
                false
            }
            Step::Send(words) => say(pipe, words.as_bytes()).await,
            Step::SendBase64(words) => {
                use base64::Engine;
                say(pipe, &base64::engine::general_purpose::STANDARD.decode(words).unwrap()).await
            }
            Step::Repeat(words, times) => {
                for _ in 0..times {
                    if !say(pipe, words.as_bytes()).await {
                        return false;
                    }
                }
                true
            }
            Step::Drip(words, pause) => {
                for byte in words.bytes() {
                    if !say(pipe, &[byte]).await {
                        return false;
                    }
                    sleep(Duration::from_secs_f64(pause)).await;
                }
                true
            }
            Step::Wait(seconds) => {
                sleep(Duration::from_secs_f64(seconds)).await;
                true
            }
            Step::Expect(words) => {
                let mut heard = vec![0; words.len()];
                let complete = pipe.read_exact(&mut heard).await.is_ok();
                assert!(!complete || heard == words.as_bytes(), "the script expects {words:?}");
                self.shared.heard.lock().unwrap().extend(heard.iter().take(if complete { usize::MAX } else { 0 }));
                complete
            }
            Step::Hear => {
                let mut heard = [0; 4096];
                let count = pipe.read(&mut heard).await.unwrap_or(0);
                self.shared.heard.lock().unwrap().extend(&heard[..count]);
                count > 0
            }
            Step::Fin => {
                let finished = pipe.shutdown().await.is_ok();
                self.listen(pipe).await;
                finished
            }
            Step::Reset => {
                self.reset.store(true, Ordering::Relaxed);
                false
            }
            Step::Hold => {
                self.listen(pipe).await;
                true
            }
        }
    }

    async fn listen(&self, pipe: &mut (impl AsyncRead + Unpin)) {
        let mut heard = Vec::new();
        // However it ends, it has ended.
        let _ = pipe.read_to_end(&mut heard).await;
        self.shared.heard.lock().unwrap().extend(heard);
        *self.shared.hung_up_at.lock().unwrap() = Some(Instant::now());
    }
}

/// Says this over and over, until nobody is there to hear it. What is heard meanwhile is left where it is.
async fn flood(pipe: &mut (impl AsyncWrite + Unpin), mut more: impl FnMut(&mut Vec<u8>)) {
    loop {
        let mut words = Vec::new();
        while words.len() < FLOOD {
            more(&mut words);
        }
        if !say(pipe, &words).await {
            return;
        }
        sleep(BETWEEN_FLOODS).await;
    }
}

pub(super) async fn say(pipe: &mut (impl AsyncWrite + Unpin), words: &[u8]) -> bool {
    pipe.write_all(words).await.is_ok() && pipe.flush().await.is_ok()
}
