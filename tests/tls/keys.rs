//! Keys, certificates and groups of every kind, made anew for each run.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use sha2::{Digest, Sha256};

use super::configuration::{Configuration, Server};

/// Where they are: `NAME.key` and `NAME.pem`, `NAME.der` as it is served, and groups as `GROUP.pem`.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) folder: PathBuf,
    fingerprints: HashMap<String, String>,
}

impl Keys {
    /// Makes what the configurations need.
    pub(crate) fn make(folder: &Path, configurations: &[Configuration]) -> Self {
        let names: BTreeSet<&str> =
            configurations.iter().filter_map(|configuration| configuration.key.as_deref()).collect();
        let arguments = configurations.iter().filter_map(|configuration| match &configuration.server {
            Server::OpenSsl(arguments) => Some(arguments.split(' ')),
            Server::Tlslite(_) | Server::Scripted(_) => None,
        });
        let groups: BTreeSet<&str> = arguments
            .flatten()
            .filter_map(|word| word.strip_suffix(".pem"))
            .filter(|word| word.starts_with("dh"))
            .collect();
        // To find a long prime takes seconds, and not always as many.
        thread::scope(|scope| {
            for name in names.iter().copied() {
                scope.spawn(move || make_key(folder, name));
            }
            for name in groups {
                scope.spawn(move || make_group(folder, name));
            }
        });
        let fingerprints = names
            .iter()
            .map(|name| {
                let hash = Sha256::digest(fs::read(folder.join(format!("{name}.der"))).unwrap());
                let mut text = String::new();
                for byte in hash {
                    write!(text, "{byte:02x}").unwrap();
                }
                ((*name).to_owned(), text)
            })
            .collect();
        Self { folder: folder.to_owned(), fingerprints }
    }

    /// SHA-256 of the certificate, in hexadecimal.
    pub(crate) fn fingerprint(&self, name: &str) -> &str {
        &self.fingerprints[name]
    }

    /// The certificate as it is served.
    pub(crate) fn der(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.join(format!("{name}.der"))).unwrap()
    }
}

fn make_key(folder: &Path, name: &str) {
    match name {
        "expired" => make_dated(folder, name, 2020, 2021),
        "early" => make_dated(folder, name, 2048, 2049),
        "issued" => make_chain(folder, name, 1),
        "chain100" => make_chain(folder, name, 99),
        "corrupt" => {
            make_self_signed(folder, name, "rsa:2048");
            let path = folder.join("corrupt.der");
            let mut der = fs::read(&path).unwrap();
            // What is signed begins as a SET and not as a SEQUENCE.
            der[4] = 0x31;
            fs::write(path, der).unwrap();
        }
        _ => make_self_signed(folder, name, kind(folder, name).as_str()),
    }
}

/// What `openssl req -newkey` is told.
fn kind(folder: &Path, name: &str) -> String {
    let curve = |curve: &str| format!("ec -pkeyopt ec_paramgen_curve:{curve}");
    match name {
        "p256" => curve("P-256"),
        "p384" => curve("P-384"),
        "p521" => curve("P-521"),
        "secp256k1" => curve("secp256k1"),
        "brainpool" => curve("brainpoolP256r1"),
        "ed25519" | "ed448" => name.to_owned(),
        "pss2048" => "rsa-pss -pkeyopt rsa_keygen_bits:2048".to_owned(),
        _ => {
            if let Some(bits) = name.strip_prefix("dsa") {
                openssl(folder, &format!("dsaparam -out {name}.parameters {bits}"));
                return format!("dsa:{name}.parameters");
            }
            let bits = name.strip_prefix("rsa").unwrap_or_else(|| panic!("no key is called {name}"));
            format!("rsa:{bits}")
        }
    }
}

fn make_self_signed(folder: &Path, name: &str, kind: &str) {
    openssl(
        folder,
        &format!("req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -subj /CN={name}.example"),
    );
    openssl(folder, &format!("x509 -in {name}.pem -outform DER -out {name}.der"));
}

fn make_dated(folder: &Path, name: &str, from: i32, to: i32) {
    let mut parameters = parameters(name);
    (parameters.not_before, parameters.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    write(folder, name, &key, &certificate);
}

/// A certificate and so many authorities above it, which `NAME-rest.pem` has.
fn make_chain(folder: &Path, name: &str, authorities: usize) {
    let mut issuer: Option<Issuer<'_, KeyPair>> = None;
    let mut rest = Vec::new();
    for index in 0..authorities {
        let mut parameters = parameters(&format!("authority-{index}"));
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = match &issuer {
            Some(issuer) => parameters.signed_by(&key, issuer).unwrap(),
            None => parameters.self_signed(&key).unwrap(),
        };
        rest.push(certificate.pem());
        issuer = Some(Issuer::new(parameters, key));
    }
    rest.reverse();
    fs::write(folder.join(format!("{name}-rest.pem")), rest.concat()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = parameters(name).signed_by(&key, &issuer.unwrap()).unwrap();
    write(folder, name, &key, &certificate);
}

fn parameters(name: &str) -> CertificateParams {
    CertificateParams::new([format!("{name}.example")]).unwrap()
}

fn write(folder: &Path, name: &str, key: &KeyPair, certificate: &rcgen::Certificate) {
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.der")), certificate.der()).unwrap();
}

/// A group for DHE: of RFC 7919 where there is one of that size, otherwise one of its own.
fn make_group(folder: &Path, name: &str) {
    let path = folder.join(format!("{name}.pem"));
    match name {
        "dh512" => openssl(folder, "dhparam -out dh512.pem 512"),
        "dh1024" => fs::write(path, DH_1024).unwrap(),
        "dh1111" => fs::write(path, DH_1111).unwrap(),
        _ => {
            let bits = name.strip_prefix("dh").unwrap_or_else(|| panic!("no group is called {name}"));
            openssl(folder, &format!("genpkey -genparam -algorithm DH -pkeyopt group:ffdhe{bits} -out {name}.pem"));
        }
    }
}

/// Groups that take seconds to find.
const DH_1024: &str = "\
-----BEGIN DH PARAMETERS-----\n\
MIGHAoGBAJjs5a3UI1XP9f7gNG4bCaIwXlqZ/rHuseqL1fGVPBBCBqkzL1D3Ixxf\n\
PQLo7OjrI3GmnjbaBhjs5YP2rz1RbGHxu0aTZovv0k/Tvdlp8V323sys3dSKaYlG\n\
o7flmRWPIqziuYicuJtdxzOfU5CgaLR+YnxSQ1l3zz3mkuVG/FNPAgEC\n\
-----END DH PARAMETERS-----\n";
const DH_1111: &str = "\
-----BEGIN DH PARAMETERS-----\n\
MIGRAoGLV8tJMPAiw+0CeBa0RQVFjw4scIrwvtX7wWYdZhbyYjsJXK6zwb8ZoU5A\n\
PNEYAs+jEMfOY3AkyTvFahAJ4hL0HDz5KhqjcdVOYAEgmVEhceZEOI7UvR03ZHfu\n\
5ObxZgHSROxSv7dZ3RFbWdCSav4S2Vze/b042D/rCIcfGDyNcABArrCHX9oT8hv6\n\
fwIBAg==\n\
-----END DH PARAMETERS-----\n";

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}
