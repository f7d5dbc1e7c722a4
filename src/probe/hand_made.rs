//! A TLS server made by hand, for tests: it stops before any message of its handshake, and says under its keys what no
//! library would.
//!
//! It speaks TLS 1.2 and 1.3 with X25519, AES-128-GCM and SHA-256, and nothing else. Its certificates are whatever bytes it
//! is given, and it signs with nothing: who observes does not mind. What is wrong here fails the handshakes that are
//! played to their end.

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::rand::SystemRandom;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::scripted::Pipe;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Tls12,
    Tls13,
}

/// A part of the server's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    ServerHello,
    ChangeCipherSpec,
    EncryptedExtensions,
    Certificate,
    CertificateVerify,
    ServerKeyExchange,
    ServerHelloDone,
    Finished,
    /// What follows the handshake.
    Session,
}

impl Version {
    /// What a server says, in order.
    pub(crate) const fn parts(self) -> &'static [Part] {
        use Part::{
            Certificate, CertificateVerify, ChangeCipherSpec, EncryptedExtensions, Finished, ServerHello,
            ServerHelloDone, ServerKeyExchange, Session,
        };
        match self {
            Self::Tls12 => {
                &[ServerHello, Certificate, ServerKeyExchange, ServerHelloDone, ChangeCipherSpec, Finished, Session]
            }
            Self::Tls13 => {
                &[ServerHello, ChangeCipherSpec, EncryptedExtensions, Certificate, CertificateVerify, Finished, Session]
            }
        }
    }
}

/// A handshake, as far as it goes.
#[derive(Debug, Clone)]
pub(crate) struct Shake {
    pub(crate) version: Version,
    /// The first part that is not said.
    pub(crate) before: Part,
    pub(crate) chain: Vec<Vec<u8>>,
}

/// What the server writes with: nothing, as long as it writes in clear.
#[derive(Debug)]
pub(crate) struct Keys {
    version: Version,
    key: Option<LessSafeKey>,
    iv: Vec<u8>,
    sequence: u64,
    /// What the next keys are made of (RFC 8446 §7.2).
    secret: Vec<u8>,
}

/// What kinds of records there are.
pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// After it the next keys hold (RFC 8446 §4.6.3).
const KEY_UPDATE: u8 = 24;

/// What the server's hello has in place of chance.
const RANDOM: [u8; 32] = [7; 32];

impl Shake {
    /// None where the client leaves or is no match.
    pub(super) async fn play(&self, pipe: &mut Pipe) -> Option<Keys> {
        let (kind, hello) = hear(pipe).await?;
        let hello = ClientHello::read(&hello).filter(|_| kind == HANDSHAKE)?;
        let mut talk = Talk { pipe, transcript: hello.message.clone(), keys: Keys::none(self.version) };
        let parts = self.version.parts().iter().take_while(|part| **part != self.before);
        let own = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let public = own.compute_public_key().unwrap().as_ref().to_vec();
        match self.version {
            Version::Tls12 => self.play_12(parts, &mut talk, &hello, Half { own, public }).await?,
            Version::Tls13 => self.play_13(parts, &mut talk, &hello, Half { own, public }).await?,
        }
        Some(talk.keys)
    }

    async fn play_13(
        &self,
        parts: impl Iterator<Item = &Part>,
        talk: &mut Talk<'_>,
        hello: &ClientHello,
        Half { own, public }: Half,
    ) -> Option<()> {
        let shared = agree(own, hello.share.as_deref()?);
        let early = authenticate(&[0; 32], &[&[0; 32]]);
        let secret = authenticate(&expand(&early, "derived", &hash(&[])), &[&shared]);
        let mut own = Vec::new();
        for part in parts {
            match part {
                Part::ServerHello => {
                    let share = [&[0, 51, 0, 36, 0, 29, 0, 32][..], &public].concat();
                    let body = [
                        server_hello(&hello.session, [0x13, 0x01]),
                        vector(2, &[&[0, 43, 0, 2, 3, 4][..], &share].concat()),
                    ];
                    talk.say_message(2, &body.concat()).await?;
                    own = expand(&secret, "s hs traffic", &hash(&talk.transcript));
                }
                Part::ChangeCipherSpec => talk.say(CHANGE_CIPHER_SPEC, &[1]).await?,
                Part::EncryptedExtensions => {
                    talk.keys = Keys::of_13(&own);
                    talk.say_message(8, &[0, 0]).await?;
                }
                Part::Certificate => {
                    let list: Vec<u8> =
                        self.chain.iter().flat_map(|der| [vector(3, der), vec![0, 0]].concat()).collect();
                    talk.say_message(11, &[vec![0], vector(3, &list)].concat()).await?;
                }
                // ECDSA with P-256, and no signature.
                Part::CertificateVerify => talk.say_message(15, &[4, 3, 0, 4, 9, 9, 9, 9]).await?,
                Part::Finished => {
                    let proof = authenticate(&expand(&own, "finished", &[]), &[&hash(&talk.transcript)]);
                    talk.say_message(20, &proof).await?;
                    let master = authenticate(&expand(&secret, "derived", &hash(&[])), &[&[0; 32]]);
                    talk.keys = Keys::of_13(&expand(&master, "s ap traffic", &hash(&talk.transcript)));
                }
                Part::ServerKeyExchange | Part::ServerHelloDone | Part::Session => unreachable!("not in TLS 1.3"),
            }
        }
        Some(())
    }

    async fn play_12(
        &self,
        parts: impl Iterator<Item = &Part>,
        talk: &mut Talk<'_>,
        hello: &ClientHello,
        Half { own, public }: Half,
    ) -> Option<()> {
        let (mut own, mut master) = (Some(own), Vec::new());
        for part in parts {
            match part {
                Part::ServerHello => talk.say_message(2, &server_hello(&[], [0xC0, 0x2F])).await?,
                Part::Certificate => {
                    let list: Vec<u8> = self.chain.iter().flat_map(|der| vector(3, der)).collect();
                    talk.say_message(11, &vector(3, &list)).await?;
                }
                // RSA with SHA-256, and no signature.
                Part::ServerKeyExchange => {
                    talk.say_message(12, &[&[3, 0, 29, 32][..], &public, &[4, 1, 1, 0], &[0; 256]].concat()).await?;
                }
                Part::ServerHelloDone => talk.say_message(14, &[]).await?,
                Part::ChangeCipherSpec => {
                    let (kind, said) = hear(talk.pipe).await?;
                    assert_eq!((kind, said.first()), (HANDSHAKE, Some(&16)), "the client's half");
                    let premaster = agree(own.take()?, said.get(5..37)?);
                    master = prf(&premaster, b"master secret", &[&hello.random, &RANDOM], 48);
                    talk.transcript.extend(said);
                    let (change, finished) = (hear(talk.pipe).await?, hear(talk.pipe).await?);
                    assert_eq!((change.0, finished.0), (CHANGE_CIPHER_SPEC, HANDSHAKE));
                    let proof = prf(&master, b"client finished", &[&hash(&talk.transcript)], 12);
                    talk.transcript.extend([vec![20], vector(3, &proof)].concat());
                    talk.say(CHANGE_CIPHER_SPEC, &[1]).await?;
                }
                Part::Finished => {
                    let block = prf(&master, b"key expansion", &[&RANDOM, &hello.random], 40);
                    talk.keys = Keys::new(Version::Tls12, &block[16..32], &block[36..40]);
                    let proof = prf(&master, b"server finished", &[&hash(&talk.transcript)], 12);
                    talk.say_message(20, &proof).await?;
                }
                Part::EncryptedExtensions | Part::CertificateVerify | Part::Session => unreachable!("not in TLS 1.2"),
            }
        }
        Some(())
    }
}

/// The server's half of the key exchange.
struct Half {
    own: EphemeralPrivateKey,
    public: Vec<u8>,
}

/// A server's side of a handshake.
struct Talk<'a> {
    pipe: &'a mut Pipe,
    transcript: Vec<u8>,
    keys: Keys,
}

impl Talk<'_> {
    /// In as many records as it takes.
    async fn say(&mut self, kind: u8, words: &[u8]) -> Option<()> {
        for part in words.chunks(1 << 14) {
            let record = self.keys.seal(kind, part);
            self.pipe.write_all(&record).await.ok()?;
        }
        self.pipe.flush().await.ok()
    }

    async fn say_message(&mut self, kind: u8, body: &[u8]) -> Option<()> {
        let message = [vec![kind], vector(3, body)].concat();
        self.transcript.extend(&message);
        self.say(HANDSHAKE, &message).await
    }
}

impl Keys {
    fn none(version: Version) -> Self {
        Self { version, key: None, iv: Vec::new(), sequence: 0, secret: Vec::new() }
    }

    fn new(version: Version, key: &[u8], iv: &[u8]) -> Self {
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).unwrap());
        Self { version, key: Some(key), iv: iv.to_vec(), sequence: 0, secret: Vec::new() }
    }

    fn of_13(secret: &[u8]) -> Self {
        let keys = Self::new(Version::Tls13, &expand(secret, "key", &[])[..16], &expand(secret, "iv", &[])[..12]);
        Self { secret: secret.to_vec(), ..keys }
    }

    /// One record.
    pub(super) fn seal(&mut self, kind: u8, words: &[u8]) -> Vec<u8> {
        let Some(key) = self.key.as_ref().filter(|_| kind != CHANGE_CIPHER_SPEC) else {
            return record(kind, words);
        };
        let number = self.sequence.to_be_bytes();
        self.sequence += 1;
        match self.version {
            Version::Tls12 => {
                let nonce = [&self.iv[..], &number].concat().try_into().unwrap();
                let header = [&number[..], &[kind, 3, 3], &length(2, words.len())].concat();
                let mut body = words.to_vec();
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut body)
                    .unwrap();
                record(kind, &[&number[..], &body].concat())
            }
            Version::Tls13 => {
                let mut nonce: [u8; 12] = self.iv.clone().try_into().unwrap();
                nonce[4..].iter_mut().zip(number).for_each(|(byte, number)| *byte ^= number);
                let mut body = [words, &[kind]].concat();
                let header = [&[APPLICATION_DATA, 3, 3][..], &length(2, body.len() + 16)].concat();
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut body)
                    .unwrap();
                if (kind, words.first()) == (HANDSHAKE, Some(&KEY_UPDATE)) {
                    *self = Self::of_13(&expand(&self.secret, "traffic upd", &[]));
                }
                record(APPLICATION_DATA, &body)
            }
        }
    }
}

/// What of a client's hello is needed.
struct ClientHello {
    message: Vec<u8>,
    random: Vec<u8>,
    session: Vec<u8>,
    /// Its half over X25519, where it sent one.
    share: Option<Vec<u8>>,
}

impl ClientHello {
    fn read(message: &[u8]) -> Option<Self> {
        let random = message.get(6..38)?.to_vec();
        let (session, rest) = split(1, message.get(38..)?)?;
        let (_suites, rest) = split(2, rest)?;
        let (_compressions, rest) = split(1, rest)?;
        let mut share = None;
        let (mut extensions, _) = split(2, rest).unwrap_or_default();
        while let Some(([kind @ .., _, _], _)) = extensions.split_at_checked(4) {
            let (body, rest) = split(2, &extensions[2..])?;
            if kind == [0, 51] {
                let mut shares = split(2, body)?.0;
                while let Some((group, after)) = shares.split_at_checked(2) {
                    let (public, after) = split(2, after)?;
                    if group == [0, 29] {
                        share = Some(public.to_vec());
                    }
                    shares = after;
                }
            }
            extensions = rest;
        }
        Some(Self { message: message.to_vec(), random, session: session.to_vec(), share })
    }
}

/// A vector with a length of so many bytes in front, and what follows it.
fn split(size: usize, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(size)?;
    rest.split_at_checked(length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

/// The next record: of which kind it is, and what is in it.
async fn hear(pipe: &mut Pipe) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    pipe.read_exact(&mut header).await.ok()?;
    let [kind, _, _, high, low] = header;
    let mut body = vec![0; u16::from_be_bytes([high, low]).into()];
    pipe.read_exact(&mut body).await.ok()?;
    Some((kind, body))
}

/// Up to the extensions.
fn server_hello(session: &[u8], suite: [u8; 2]) -> Vec<u8> {
    [&[3, 3][..], &RANDOM, &vector(1, session), &suite, &[0]].concat()
}

/// A record in clear.
pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [vec![kind, 3, 3], vector(2, body)].concat()
}

fn vector(size: usize, body: &[u8]) -> Vec<u8> {
    [length(size, body.len()), body.to_vec()].concat()
}

fn length(size: usize, length: usize) -> Vec<u8> {
    length.to_be_bytes()[size_of::<usize>() - size..].to_vec()
}

fn agree(own: EphemeralPrivateKey, theirs: &[u8]) -> Vec<u8> {
    agreement::agree_ephemeral(own, &UnparsedPublicKey::new(&X25519, theirs), <[u8]>::to_vec).unwrap()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn authenticate(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// HKDF-Expand-Label (RFC 8446 §7.1), all that one hash gives; the label says how much of it is used.
fn expand(secret: &[u8], label: &str, context: &[u8]) -> Vec<u8> {
    let used = match label {
        "key" => 16,
        "iv" => 12,
        _ => 32,
    };
    let label = [b"tls13 ", label.as_bytes()].concat();
    authenticate(secret, &[&length(2, used), &vector(1, &label), &vector(1, context), &[1]])
}

/// The PRF of TLS 1.2 (RFC 5246 §5).
fn prf(secret: &[u8], label: &[u8], seed: &[&[u8]], count: usize) -> Vec<u8> {
    let seed = [label, &seed.concat()].concat();
    let (mut out, mut a) = (Vec::new(), authenticate(secret, &[&seed]));
    while out.len() < count {
        out.extend(authenticate(secret, &[&a, &seed]));
        a = authenticate(secret, &[&a]);
    }
    out.truncate(count);
    out
}
