//! How many rows a second one core writes, in each format. Run with `cargo bench --bench micro`.

use std::io;
use std::time::{Duration, SystemTime};

use divan::Bencher;
use divan::counter::ItemsCount;
use hailer::observation::{Certificate, CertificateStatus, Software, TlsFacts, TlsUse};
use hailer::output::{Format, RowSink, RowWriter};
use hailer::{Observation, Outcome, Service};

fn main() {
    divan::main();
}

const FORMATS: [Format; 3] = [Format::Csv, Format::Ndjson, Format::Text];
/// So many rows in each round, that the clock costs nothing beside them.
const ROWS: u32 = 1_000;

/// What a scan of greetings writes most: a mail server in clear text, named.
#[divan::bench(args = FORMATS)]
fn greeted(bencher: Bencher, format: Format) {
    write_rows(bencher, format, &plain());
}

/// The same behind TLS with a chain of two certificates.
#[divan::bench(args = FORMATS)]
fn greeted_in_tls(bencher: Bencher, format: Format) {
    write_rows(bencher, format, &in_tls());
}

/// Every byte of 4 KiB has to be escaped.
#[divan::bench(args = FORMATS)]
fn hostile(bencher: Bencher, format: Format) {
    let mut row = plain();
    row.received.push(&[0x1b; 4096], Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    write_rows(bencher, format, &row);
}

fn write_rows(bencher: Bencher, format: Format, row: &Observation) {
    let mut sink = RowSink::over(format, "nowhere", io::sink());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        for _ in 0..ROWS {
            sink.write(divan::black_box(row))?;
        }
        sink.flush()
    });
}

fn plain() -> Observation {
    let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_753_600_000_123_456);
    let mut row = Observation::new(time, "192.0.2.25".parse().ok(), 25, Service::Smtp, Outcome::Greeted);
    row.connect = Some(Duration::from_micros(12_345));
    row.greeting_after = Some(Duration::from_micros(54_321));
    row.code = Some(220);
    row.received.push(b"220 mail.example.com ESMTP Postfix (Debian/GNU)\r\n", Duration::ZERO);
    row.greeting_len = row.received.bytes().len();
    row.hostname = Some("mail.example.com".into());
    row.software = Some(Box::new(Software {
        name: "Postfix".into(),
        version: None,
        vendor: Some("Wietse Venema".into()),
        device: None,
        os: Some("Debian".into()),
        cpe: Some("cpe:2.3:a:postfix:postfix:*:*:*:*:*:*:*:*".into()),
        confidence: 90,
    }));
    row.banner_hash = Some([0x5a; 32]);
    row.attempts = 1;
    row
}

fn in_tls() -> Observation {
    let mut row = plain();
    let certificate = Certificate {
        subject: Some("CN=mail.example.com".into()),
        issuer: Some("CN=R11,O=Let's Encrypt,C=US".into()),
        names: vec!["mail.example.com".into(), "smtp.example.com".into()],
        not_before: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)),
        not_after: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_757_776_000)),
        key: Some("RSA 2048".into()),
        signature: Some("sha256WithRSAEncryption".into()),
        sha256: [0xa5; 32],
    };
    row.tls_handshake = Some(Duration::from_micros(33_333));
    row.tls = Some(Box::new(TlsFacts {
        tls: TlsUse::Implicit,
        version: Some("TLSv1.3"),
        cipher: Some("TLS_AES_256_GCM_SHA384".into()),
        group: Some("X25519".into()),
        error: None,
        chain: vec![certificate.clone(), certificate],
        status: Some(CertificateStatus::Valid),
    }));
    row
}
