//! What is said in clear, by flights made by hand: whole, cut, mutated and senseless.

use std::time::Duration;

use proptest::prelude::*;
use rustls::CipherSuite;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::time::Instant;

use super::bytes::put_vector;
use super::client::{Client, Depth, MAX_HEARD, Progress};
use super::message::put_message;
use super::record::{Content, MAX_BODY, put_record};
use super::server::Flight;
use super::version::Version;
use super::{CHUNK, Facts, Hello, Outcome, ask, handshake};

impl Flight {
    /// The messages in records of at most so many bytes.
    fn records(&self, most: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for part in self.messages().chunks(most) {
            put_record(&mut out, Content::Handshake, self.version, part);
        }
        out
    }
}

/// An old server's flight with all that there can be.
fn full() -> Flight {
    Flight {
        chain: vec![vec![0x30; 300], vec![0x31; 40]],
        key_exchange: Some(dh(1024)),
        wants_certificate: true,
        ..Flight::new(Version::Ssl3, CipherSuite::TLS_DHE_RSA_WITH_DES_CBC_SHA)
    }
}

fn full_facts() -> Facts {
    Facts {
        version: Some("SSLv3"),
        cipher: Some("TLS_DHE_RSA_WITH_DES_CBC_SHA".into()),
        group: Some("DH 1024".to_owned()),
        chain: vec![vec![0x30; 300].into(), vec![0x31; 40].into()],
        alert: None,
        wants_client_certificate: true,
        error: None,
    }
}

/// A group whose prime has so many bits, as far as the number tells.
fn dh(bits: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_vector(&mut out, 2, &vec![0xff; bits / 8]);
    put_vector(&mut out, 2, &[2]);
    put_vector(&mut out, 2, &[4]);
    // No signature fits, and none is looked at.
    put_vector(&mut out, 2, &[9; 46]);
    out
}

fn alert(level: u8, alert: u8) -> Vec<u8> {
    let mut out = Vec::new();
    put_record(&mut out, Content::Alert, Version::Tls10, &[level, alert]);
    out
}

/// What a client makes of these parts; the error stands for itself.
fn read(parts: &[&[u8]], depth: Depth) -> (Facts, Result<bool, String>) {
    let mut client = Client::new(Hello::Everything, None, depth).unwrap();
    let mut end = Ok(false);
    for part in parts {
        match client.read(part) {
            Ok(Progress::More) => {}
            Ok(Progress::Clear) => {
                end = Ok(true);
                break;
            }
            Ok(Progress::Established(_)) => panic!("no keys were exchanged"),
            Err(error) => {
                end = Err(error.to_string());
                break;
            }
        }
    }
    (client.into_facts(), end)
}

#[test]
fn the_first_rung_needs_no_cryptography() {
    let curve = |curve: u8| Some(vec![3, 0, curve, 1, 4, 9, 9]);
    let export = Some([vec![0, 64], vec![0xff; 64], vec![0, 1, 3, 0, 1, 9]].concat());
    let table = [
        (Version::Ssl3, CipherSuite::TLS_RSA_WITH_RC4_128_MD5, None, None, "no session with SSLv3"),
        (Version::Tls10, CipherSuite::TLS_RSA_WITH_RC4_128_SHA, None, None, "no session with TLS_RSA_WITH_RC4_128_SHA"),
        (
            Version::Tls10,
            CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5,
            export,
            Some("RSA 512"),
            "no session with TLS_RSA_EXPORT_WITH_RC4_40_MD5",
        ),
        (
            Version::Tls11,
            CipherSuite::TLS_DHE_DSS_WITH_DES_CBC_SHA,
            Some(dh(512)),
            Some("DH 512"),
            "no session with TLS_DHE_DSS_WITH_DES_CBC_SHA",
        ),
        (
            Version::Tls12,
            CipherSuite::TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256,
            curve(24),
            Some("secp384r1"),
            "no session with TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256",
        ),
        (
            Version::Tls12,
            CipherSuite::TLS_ECDH_anon_WITH_NULL_SHA,
            curve(29),
            Some("X25519"),
            "no session with what was not offered",
        ),
        (
            Version::Tls10,
            CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
            None,
            None,
            "no session with what was not offered",
        ),
    ];
    for (version, suite, key_exchange, group, reason) in table {
        let flight = Flight { chain: vec![vec![0x30; 9]], key_exchange, ..Flight::new(version, suite) };
        let expected = Facts {
            version: Some(version.as_str()),
            cipher: suite.as_str().map(Into::into),
            group: group.map(str::to_owned),
            chain: vec![vec![0x30; 9].into()],
            ..Facts::default()
        };
        let bytes = flight.records(1 << 14);
        assert_eq!(read(&[&bytes], Depth::Ask), (expected.clone(), Ok(true)));
        let expected = Facts { error: Some(reason.into()), ..expected };
        assert_eq!(read(&[&bytes], Depth::Session), (expected, Ok(true)));
    }
}

#[test]
fn a_flight_may_be_cut_anywhere() {
    for (most, step) in [(1, 97), (3, 31), (64, 1), (1 << 14, 1)] {
        let bytes = full().records(most);
        for cut in (0..=bytes.len()).step_by(step) {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]], Depth::Ask), (full_facts(), Ok(true)), "{most} {cut}");
        }
    }
}

#[test]
fn what_was_learnt_before_it_broke_is_kept() {
    let hello = Facts { version: Some("SSLv3"), cipher: full_facts().cipher, ..Facts::default() };
    let chain = Facts { chain: full_facts().chain, ..hello.clone() };
    let messages = full().messages();
    // The hello is 74 bytes, the certificates are 353.
    let cut = |at: usize| {
        let mut out = Vec::new();
        put_record(&mut out, Content::Handshake, Version::Ssl3, &messages[..at]);
        out
    };
    let with = |at: usize, more: &[u8]| [cut(at), more.to_vec()].concat();
    let handshake = |kind: u8, body: &[u8]| {
        let (mut message, mut out) = (Vec::new(), Vec::new());
        put_message(&mut message, kind, body);
        put_record(&mut out, Content::Handshake, Version::Ssl3, &message);
        out
    };
    let told = |facts: &Facts, alert| Facts { alert: Some(alert), ..facts.clone() };
    let error = |words: &str| Err(words.to_owned());
    let table = [
        (cut(40), Facts::default(), Ok(false)),
        (cut(74), hello.clone(), Ok(false)),
        (cut(300), hello.clone(), Ok(false)),
        (cut(74 + 353), chain.clone(), Ok(false)),
        (alert(2, 40), told(&Facts::default(), 40), error("alert 40")),
        (with(74, &alert(2, 80)), told(&hello, 80), error("alert 80")),
        (with(74, &alert(1, 0)), told(&hello, 0), error("alert 0")),
        (with(74, &alert(1, 112)), told(&hello, 112), Ok(false)),
        (with(74, &[21, 3, 0, 0, 1, 2]), hello.clone(), Ok(false)),
        (with(74, &[21, 3, 0, 0, 1, 2, 21, 3, 0, 0, 1, 47]), told(&hello, 47), error("alert 47")),
        (with(74, b"220 hi"), hello.clone(), error("malformed record")),
        (with(74, &[20, 3, 0, 0, 1, 1]), hello.clone(), error("unexpected ChangeCipherSpec")),
        (with(74, &[23, 3, 0, 0, 1, 1]), hello.clone(), error("unexpected application data")),
        (with(427, &handshake(12, &[0, 9])), chain.clone(), error("malformed ServerKeyExchange")),
        (with(427, &handshake(20, &[0; 12])), chain.clone(), error("unexpected Finished")),
        (with(74, &handshake(11, &[0, 0, 9, 0, 0, 1, 5])), told_chain(&hello, 5), error("malformed Certificate")),
        (with(427, &handshake(4, &[0; 6])), chain.clone(), error("unexpected message before ServerHelloDone")),
        (handshake(11, &[0, 0, 0]), Facts::default(), error("unexpected message before ServerHello")),
        (handshake(2, &[3, 1]), Facts::default(), error("malformed ServerHello")),
        (handshake(0, &[]), Facts::default(), Ok(false)),
    ];
    for (bytes, facts, end) in table {
        assert_eq!(read(&[&bytes], Depth::Ask), (facts, end), "{bytes:02x?}");
    }
}

fn told_chain(facts: &Facts, byte: u8) -> Facts {
    Facts { chain: vec![vec![byte].into()], ..facts.clone() }
}

#[test]
fn a_version_that_nobody_offered_is_told() {
    let mut bytes = full().records(1 << 14);
    // After the headers of record and message.
    bytes[9..11].copy_from_slice(&[3, 5]);
    let (facts, end) = read(&[&bytes], Depth::Ask);
    assert_eq!((facts.version, facts.cipher), (None, full_facts().cipher));
    assert_eq!(end, Err("unexpected version".to_owned()));
}

#[test]
fn a_server_without_end_is_given_up() {
    let mut client = Client::new(Hello::Everything, None, Depth::Ask).unwrap();
    let mut warnings = alert(1, 112);
    warnings.extend([22, 3, 1, 0, 4, 0, 0, 0, 0]);
    let mut heard = 0;
    let error = loop {
        heard += warnings.len();
        match client.read(&warnings) {
            Ok(Progress::More) => assert!(heard <= MAX_HEARD),
            Ok(Progress::Clear | Progress::Established(_)) => panic!("nothing was said"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), format!("a handshake of more than {MAX_HEARD} bytes"));
}

/// What comes of a server that says this and hangs up, or goes on in silence; and what it hears after the hello.
async fn served(says: &[u8], hangs_up: bool) -> (Outcome<tokio::io::DuplexStream>, Vec<u8>) {
    let (ours, mut theirs) = duplex(1 << 16);
    let deadline = Instant::now() + Duration::from_secs(10);
    let server = async {
        let mut header = [0; 5];
        theirs.read_exact(&mut header).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        theirs.read_exact(&mut hello).await.unwrap();
        theirs.write_all(says).await.unwrap();
        if hangs_up {
            theirs.shutdown().await.unwrap();
        }
        let mut rest = Vec::new();
        // In silence this ends when the other side lets go at its deadline.
        theirs.read_to_end(&mut rest).await.unwrap();
        rest
    };
    let client = ask(ours, Hello::Old, Some("mail.example"), deadline);
    let (mut outcome, rest) = match futures::future::select(std::pin::pin!(client), std::pin::pin!(server)).await {
        futures::future::Either::Left((outcome, server)) => {
            let plain = matches!(outcome, Outcome::Plain(..));
            (outcome, if plain { Vec::new() } else { server.await })
        }
        futures::future::Either::Right((rest, client)) => (client.await, rest),
    };
    if let Outcome::Plain(stream, _) = &mut outcome {
        stream.write_all(b"QUIT\r\n").await.unwrap();
    }
    (outcome, rest)
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_connection() {
    let bytes = full().records(100);
    let (outcome, rest) = served(&bytes, false).await;
    assert!(matches!(outcome, Outcome::Clear(facts) if facts == full_facts()));
    assert_eq!(rest, [21, 3, 0, 0, 2, 1, 90, 21, 3, 0, 0, 2, 1, 0], "user_canceled and close_notify");

    let (outcome, _) = served(b"220 plain\r\n", false).await;
    assert!(matches!(outcome, Outcome::Plain(_, bytes) if bytes == b"220 plain\r\n"));

    let stalled = "stalled: no end of the handshake before the deadline";
    let table = [
        (alert(2, 40), true, "alert 40 handshake_failure"),
        (alert(2, 70), false, "alert 70 protocol_version"),
        (alert(1, 40), true, "alert 40 handshake_failure"),
        (Vec::new(), true, "closed during the handshake"),
        (Vec::new(), false, stalled),
        (bytes[..200].to_vec(), true, "closed during the handshake"),
        (bytes[..200].to_vec(), false, stalled),
        ([&bytes[..105], &[0; 9]].concat(), false, "malformed record"),
    ];
    for (says, hangs_up, reason) in table {
        let (outcome, _) = served(&says, hangs_up).await;
        let Outcome::Failed(facts) = outcome else { panic!("{outcome:?}") };
        assert_eq!(facts.error.as_deref(), Some(reason));
        assert_eq!(facts.version, (says.len() > 100).then_some("SSLv3"), "{reason}");
    }
}

#[test]
fn a_handshake_may_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (ours, _theirs) = duplex(1);
    is_send(&handshake(ours, Hello::Bare, None, Instant::now()));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_hold_too_much(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20),
        depth in prop::sample::select(vec![Depth::Ask, Depth::Session]),
    ) {
        feed(&parts, depth)?;
    }

    #[test]
    fn no_mutation_makes_it_panic_or_hold_too_much(
        most in 1_usize..1000,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        depth in prop::sample::select(vec![Depth::Ask, Depth::Session]),
    ) {
        let mut bytes = full().records(most);
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts: Vec<_> = cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect();
        feed(&parts, depth)?;
    }
}

/// Feeds a client until it ends, and looks at what it holds all the way.
fn feed(parts: &[Vec<u8>], depth: Depth) -> Result<(), TestCaseError> {
    let mut client = Client::new(Hello::Everything, Some("mail.example"), depth).unwrap();
    for part in parts {
        let progress = client.read(part);
        prop_assert!(client.held() <= 5 + MAX_BODY + CHUNK + MAX_HEARD);
        if !matches!(progress, Ok(Progress::More)) {
            break;
        }
    }
    Ok(())
}
