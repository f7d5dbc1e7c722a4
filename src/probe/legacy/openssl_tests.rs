//! Sessions with OpenSSL's own server, which must be installed; otherwise these say that they were skipped, and fail where
//! `HAILER_REQUIRE_ALL=1` is set.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Facts, Hello, Outcome, Session, ask, handshake};

/// A group that takes a second to find.
const DH_1024: &str = "\
-----BEGIN DH PARAMETERS-----\n\
MIGHAoGBAJgtGi/SsFXbvep/Oaht7sWjAN72XJ9grpQdnz3tKh6jrL71iBTqI7O9\n\
xSZh9O3r0wh/OpydD1useAyZMD2KdtjoI35+/KYvS4NH4bZMBz1qZo27wb3v4kps\n\
3gqeD9NNy3jT4aoGfKkegppSVJu6z9pIX3RB6GiJawDch8ARB59vAgEC\n\
-----END DH PARAMETERS-----\n";

/// A server that says every line backwards, and serves one connection.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path, arguments: &str) -> Self {
        let mut child = Command::new("openssl")
            .current_dir(folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev"])
            .args(arguments.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok());
        let port = port.unwrap_or_else(|| panic!("openssl s_server {arguments} does not serve"));
        Self { child, port }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A folder with keys of these kinds, or none where there is no openssl.
fn keys(kinds: &[&str]) -> Option<TempDir> {
    if Command::new("openssl").arg("version").output().is_err() {
        let required = std::env::var_os("HAILER_REQUIRE_ALL").is_some_and(|value| value == "1");
        assert!(!required, "cannot be skipped: there is no openssl");
        eprintln!("skipped: there is no openssl");
        return None;
    }
    let folder = TempDir::new().unwrap();
    let run = |arguments: &str| {
        let arguments = arguments.split_whitespace().map(OsStr::new);
        let output = Command::new("openssl").current_dir(&folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    for name in kinds {
        let kind = match *name {
            "rsa" => "rsa:2048",
            "ec" => "ec -pkeyopt ec_paramgen_curve:prime256v1",
            "dsa" => {
                run("dsaparam -out dsa.parameters 1024");
                "dsa:dsa.parameters"
            }
            other => panic!("{other}"),
        };
        run(&format!("req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -subj /CN=mail.example"));
    }
    std::fs::write(folder.path().join("dh1024.pem"), DH_1024).unwrap();
    Some(folder)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// Says a line, hears it backwards, and takes leave.
async fn talk(mut session: Box<Session<TcpStream>>) {
    session.write_all(b"olleh\n").await.unwrap();
    session.flush().await.unwrap();
    let mut line = [0; 6];
    session.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"hello\n");
    session.write_all(b"CLOSE\n").await.unwrap();
    session.flush().await.unwrap();
    let mut rest = Vec::new();
    session.read_to_end(&mut rest).await.unwrap();
    session.shutdown().await.unwrap();
    let fin = session.stream_mut().read(&mut [0; 9]).await;
    assert!(matches!(fin, Ok(0)), "what is inside was read to its end: {fin:?}");
}

/// What OpenSSL calls the suite, what IANA calls it, the key and more arguments, and the group.
type Case = (&'static str, &'static str, &'static str, Option<&'static str>);

const OLD: [Case; 9] = [
    ("AES128-SHA", "TLS_RSA_WITH_AES_128_CBC_SHA", "rsa", None),
    ("AES256-SHA", "TLS_RSA_WITH_AES_256_CBC_SHA", "rsa", None),
    ("DHE-RSA-AES128-SHA", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "rsa -dhparam dh1024.pem", Some("DH 1024")),
    ("DHE-RSA-AES256-SHA", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "rsa", Some("DH 2048")),
    ("DHE-DSS-AES256-SHA", "TLS_DHE_DSS_WITH_AES_256_CBC_SHA", "dsa -dhparam dh1024.pem", Some("DH 1024")),
    ("ECDHE-RSA-AES128-SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "rsa -curves X25519", Some("X25519")),
    ("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "rsa -curves P-256", Some("secp256r1")),
    ("ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "rsa -curves P-384", Some("secp384r1")),
    ("ECDHE-ECDSA-AES128-SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ec -curves P-256", Some("secp256r1")),
];

const NEW: [Case; 12] = [
    ("AES128-SHA256", "TLS_RSA_WITH_AES_128_CBC_SHA256", "rsa", None),
    ("AES256-SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA256", "rsa", None),
    ("AES128-GCM-SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256", "rsa", None),
    ("AES256-GCM-SHA384", "TLS_RSA_WITH_AES_256_GCM_SHA384", "rsa", None),
    ("DHE-RSA-AES128-SHA256", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256", "rsa", Some("DH 2048")),
    ("DHE-RSA-AES256-SHA256", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "rsa", Some("DH 2048")),
    ("DHE-RSA-AES256-GCM-SHA384", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "rsa", Some("DH 2048")),
    ("ECDHE-RSA-AES128-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "rsa -curves X25519", Some("X25519")),
    ("ECDHE-RSA-AES256-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "rsa -curves P-384", Some("secp384r1")),
    ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa -curves P-256", Some("secp256r1")),
    ("ECDHE-ECDSA-AES256-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "ec -curves P-256", Some("secp256r1")),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ec -curves P-256", Some("secp256r1")),
];

const OLD_VERSIONS: [(&str, &str); 3] = [("-tls1", "TLSv1.0"), ("-tls1_1", "TLSv1.1"), ("-tls1_2", "TLSv1.2")];

fn arguments(flag: &str, case: Case) -> String {
    let (cipher, _, more, _) = case;
    let key = more.split(' ').next().unwrap_or_default();
    let more = more.strip_prefix(key).unwrap_or_default();
    format!("{flag} -cipher {cipher}:@SECLEVEL=0 -cert {key}.pem -key {key}.key {more}")
}

/// What the server gave away, but for its chain.
fn facts(version: &'static str, case: Case) -> Facts {
    let (_, cipher, _, group) = case;
    let group = group.map(str::to_owned);
    Facts { version: Some(version), cipher: Some(cipher.into()), group, ..Facts::default() }
}

async fn holds(folder: &Path, arguments: &str, hello: Hello, expected: &Facts, certificates: usize) {
    let server = Server::start(folder, arguments);
    match handshake(server.connect().await, hello, Some("mail.example"), soon()).await {
        Outcome::Session(session, facts) => {
            assert_eq!(facts.chain.len(), certificates, "{arguments}");
            assert_eq!(&Facts { chain: Vec::new(), ..facts }, expected, "{arguments}");
            talk(session).await;
        }
        outcome => panic!("{arguments}: {outcome:?}"),
    }
}

#[tokio::test]
async fn sessions_hold_in_every_old_version() {
    let Some(folder) = keys(&["rsa", "ec", "dsa"]) else { return };
    for (flag, version) in OLD_VERSIONS {
        for case in OLD {
            holds(folder.path(), &arguments(flag, case), Hello::Everything, &facts(version, case), 1).await;
        }
    }
    for case in NEW {
        holds(folder.path(), &arguments("-tls1_2", case), Hello::Everything, &facts("TLSv1.2", case), 1).await;
    }
}

#[tokio::test]
async fn every_hello_comes_to_a_session() {
    let Some(folder) = keys(&["rsa"]) else { return };
    // A server that speaks everything from 1.0 to 1.3.
    let all = "-cipher ALL:@SECLEVEL=0 -cert rsa.pem -key rsa.key -curves P-256";
    let table = [
        (Hello::Everything, "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "secp256r1"),
        (Hello::Old, "TLSv1.1", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "secp256r1"),
        // Without extensions no curve is agreed upon.
        (Hello::Bare, "TLSv1.0", "TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "DH 2048"),
    ];
    for (hello, version, cipher, group) in table {
        let expected = facts(version, ("", cipher, "", Some(group)));
        holds(folder.path(), &format!("{all} -serverpref"), hello, &expected, 1).await;
    }
    let table = [
        ("AECDH-AES128-SHA", "TLSv1.1", "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "X25519", "-tls1_1"),
        ("ADH-AES256-GCM-SHA384", "TLSv1.2", "TLS_DH_anon_WITH_AES_256_GCM_SHA384", "DH 3072", "-tls1_2"),
    ];
    for (cipher, version, name, group, flag) in table {
        let arguments = format!("{flag} -nocert -cipher {cipher}:@SECLEVEL=0");
        let expected = facts(version, ("", name, "", Some(group)));
        holds(folder.path(), &arguments, Hello::Anonymous, &expected, 0).await;
    }
}

#[tokio::test]
async fn a_certificate_that_we_do_not_have_may_be_wanted() {
    let Some(folder) = keys(&["rsa"]) else { return };
    for (flag, version) in OLD_VERSIONS {
        let arguments = arguments(flag, OLD[0]);
        let expected = Facts { wants_client_certificate: true, ..facts(version, OLD[0]) };
        holds(folder.path(), &format!("{arguments} -verify 1"), Hello::Everything, &expected, 1).await;

        let server = Server::start(folder.path(), &format!("{arguments} -Verify 1"));
        let outcome = handshake(server.connect().await, Hello::Everything, None, soon()).await;
        let Outcome::Failed(facts) = outcome else { panic!("{outcome:?}") };
        assert!(facts.wants_client_certificate && facts.chain.len() == 1);
        assert_eq!(facts.error.as_deref(), Some("alert 40 handshake_failure"), "{flag}");
    }
}

#[tokio::test]
async fn what_is_only_named_is_named() {
    let Some(folder) = keys(&["rsa"]) else { return };
    let key = "-cert rsa.pem -key rsa.key";
    let table = [
        ("NULL-SHA", Hello::Anonymous, "TLS_RSA_WITH_NULL_SHA", None),
        (
            "ECDHE-RSA-CAMELLIA128-SHA256",
            Hello::Everything,
            "TLS_ECDHE_RSA_WITH_CAMELLIA_128_CBC_SHA256",
            Some("X25519"),
        ),
        ("DHE-RSA-CAMELLIA256-SHA", Hello::Everything, "TLS_DHE_RSA_WITH_CAMELLIA_256_CBC_SHA", Some("DH 2048")),
        ("ARIA128-GCM-SHA256", Hello::Everything, "TLS_RSA_WITH_ARIA_128_GCM_SHA256", None),
        ("AES256-CCM8", Hello::Everything, "TLS_RSA_WITH_AES_256_CCM_8", None),
    ];
    for (cipher, hello, name, group) in table {
        let server = Server::start(folder.path(), &format!("-tls1_2 -cipher {cipher}:@SECLEVEL=0 {key}"));
        let outcome = handshake(server.connect().await, hello, None, soon()).await;
        let Outcome::Clear(found) = outcome else { panic!("{outcome:?}") };
        let expected =
            Facts { error: Some(format!("no session with {name}").into()), ..facts("TLSv1.2", ("", name, "", group)) };
        assert_eq!(Facts { chain: Vec::new(), ..found }, expected);
    }
}

#[tokio::test]
async fn asking_ends_before_keys_are_needed() {
    let Some(folder) = keys(&["rsa"]) else { return };
    let key = "-cert rsa.pem -key rsa.key";
    let server = Server::start(folder.path(), &format!("-cipher ALL:@SECLEVEL=0 {key}"));
    let outcome = ask(server.connect().await, Hello::Old, Some("mail.example"), soon()).await;
    let Outcome::Clear(facts) = outcome else { panic!("{outcome:?}") };
    assert_eq!((facts.version, facts.error), (Some("TLSv1.1"), None));

    let server = Server::start(folder.path(), &format!("-no_tls1 -no_tls1_1 {key}"));
    let outcome = ask(server.connect().await, Hello::Old, None, soon()).await;
    let Outcome::Failed(facts) = outcome else { panic!("{outcome:?}") };
    assert_eq!((facts.alert, facts.error.as_deref()), (Some(70), Some("alert 70 protocol_version")));

    let server = Server::start(folder.path(), &format!("-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305 {key}"));
    let outcome = ask(server.connect().await, Hello::Anonymous, None, soon()).await;
    let Outcome::Failed(facts) = outcome else { panic!("{outcome:?}") };
    assert_eq!((facts.alert, facts.error.as_deref()), (Some(40), Some("alert 40 handshake_failure")));
}
