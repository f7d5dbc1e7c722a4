//! Servers that speak TLS 1.1, by OpenSSL's own: found to do so whether they speak better or not.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::peers::own_address;
use super::program::{differences, run, scan, skip, succeeds};

/// A mail server inside TLS. It is killed at the end.
struct Server {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// None where OpenSSL is missing, or came without what is asked of it.
    fn start(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let request =
            "req -x509 -days 365 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=mail.example";
        let mut openssl = Command::new("openssl");
        if let Err(why) = succeeds(openssl.args(request.split(' ')).current_dir(folder.path())) {
            skip(&why);
            return None;
        }
        let ip = own_address();
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("{ip}:0"), "-key", "key.pem", "-cert", "cert.pem"])
            .args(options.split(' '))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.strip_prefix(&format!("ACCEPT {ip}:"))?.parse().ok());
        let Some(port) = port else {
            drop((child.kill(), child.wait()));
            skip("this OpenSSL does not speak TLS 1.1");
            return None;
        };
        // What it reads goes to the client; what the client says, and that a session stands, is on its stdout.
        thread::spawn(move || {
            for line in lines {
                let words = match line.split(' ').next().unwrap_or_default().trim_end() {
                    "CIPHER" => "220 mail.example ESMTP\r\n",
                    "EHLO" => "250-mail.example\r\n250 AUTH PLAIN\r\n",
                    "QUIT" => "221 bye\r\n",
                    _ => continue,
                };
                if stdin.write_all(words.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, address: SocketAddr::from((ip, port)), _folder: folder })
    }

    fn target(&self) -> String {
        format!("{}=smtps", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

#[test]
fn a_server_that_speaks_nothing_newer_is_spoken_with() {
    let Some(server) = Server::start("-tls1_1 -cipher ALL:@SECLEVEL=0") else { return };
    let row = &run(scan([server.target()]).args(["--depth", "tls"])).rows()[0];
    let cipher = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA";
    let expected = json!({"outcome": "greeted", "tls": "implicit", "tls_version": "TLSv1.1", "tls_cipher": cipher,
        "cert_subject": "CN=mail.example", "cert_status": "self_signed", "capabilities": ["AUTH PLAIN"],
        "tls_legacy": null, "attempts": 2, "findings": ["cert_self_signed", "legacy_tls"]});
    assert_eq!(differences(row, &expected), [""; 0]);
    assert_eq!(row["findings_detail"][1]["detail"], format!("TLSv1.1 with {cipher}"));
}

#[test]
fn a_server_that_speaks_better_is_asked_what_else_it_would() {
    let Some(server) = Server::start("-no_tls1_3 -min_protocol TLSv1.1 -cipher ALL:@SECLEVEL=0") else { return };
    let row = &run(scan([server.target()]).args(["--depth", "tls"])).rows()[0];
    let expected = json!({"outcome": "greeted", "tls": "implicit", "tls_version": "TLSv1.2", "attempts": 2,
        // The weakest that OpenSSL's ALL holds.
        "tls_legacy": {"version": "TLSv1.1", "cipher": "TLS_ECDH_anon_WITH_AES_128_CBC_SHA", "group": "X25519"},
        "findings": ["weak_cipher", "cert_self_signed", "legacy_tls"]});
    assert_eq!(differences(row, &expected), [""; 0]);

    // Who reads greetings alone does not ask.
    let row = &run(&mut scan([server.target()])).rows()[0];
    assert_eq!(differences(row, &json!({"tls_version": "TLSv1.2", "tls_legacy": null, "attempts": 1})), [""; 0]);
}
