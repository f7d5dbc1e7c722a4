//! Secrets out of secrets: the PRF and what is derived with it (RFC 2246 §5, RFC 5246 §5).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};

use super::suite::{Cipher, Hash, Parameters};
use super::version::Version;

/// Bytes of a Finished message (RFC 5246 §7.4.9).
const VERIFY_DATA: usize = 12;

const MASTER_SECRET: usize = 48;

/// How one session derives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prf {
    /// MD5 and SHA-1 together, up to TLS 1.1.
    Md5Sha1,
    /// One hash, chosen by the suite, since TLS 1.2.
    Sha256,
    Sha384,
}

/// The two sides of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What one side writes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub(super) mac: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// The first IV of TLS 1.0, or the part of a nonce that does not change.
    pub(super) iv: Vec<u8>,
}

impl Prf {
    pub(super) fn of(version: Version, hash: Hash) -> Self {
        match (version, hash) {
            (Version::Ssl3 | Version::Tls10 | Version::Tls11, _) => Self::Md5Sha1,
            (Version::Tls12, Hash::Sha1 | Hash::Sha256) => Self::Sha256,
            (Version::Tls12, Hash::Sha384) => Self::Sha384,
        }
    }

    pub(super) fn master_secret(self, premaster: &[u8], client_random: &[u8], server_random: &[u8]) -> Vec<u8> {
        self.expand(premaster, b"master secret", &[client_random, server_random], MASTER_SECRET)
    }

    /// The keys of the client and of the server.
    pub(super) fn keys(
        self,
        master: &[u8],
        client_random: &[u8],
        server_random: &[u8],
        suite: Parameters,
    ) -> (Keys, Keys) {
        let sizes @ [mac, key, iv] = sizes(suite);
        let block =
            self.expand(master, b"key expansion", &[server_random, client_random], 2 * sizes.iter().sum::<usize>());
        let mut rest = block.as_slice();
        let mut next = |count: usize| {
            let (taken, left) = rest.split_at(count);
            rest = left;
            taken.to_vec()
        };
        let macs = (next(mac), next(mac));
        let keys = (next(key), next(key));
        let ivs = (next(iv), next(iv));
        (Keys { mac: macs.0, key: keys.0, iv: ivs.0 }, Keys { mac: macs.1, key: keys.1, iv: ivs.1 })
    }

    /// What one side proves with that it has seen the same handshake.
    pub(super) fn verify_data(self, side: Side, master: &[u8], transcript: &[u8]) -> Vec<u8> {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let hash = match self {
            Self::Md5Sha1 => [Md5::digest(transcript).as_slice(), Sha1::digest(transcript).as_slice()].concat(),
            Self::Sha256 => Sha256::digest(transcript).to_vec(),
            Self::Sha384 => Sha384::digest(transcript).to_vec(),
        };
        self.expand(master, label, &[&hash], VERIFY_DATA)
    }

    fn expand(self, secret: &[u8], label: &[u8], seed: &[&[u8]], count: usize) -> Vec<u8> {
        let seed = [label, &seed.concat()].concat();
        match self {
            Self::Md5Sha1 => {
                // The halves share the middle byte of a secret of odd length.
                let half = secret.len().div_ceil(2);
                let md5 = stretch::<Hmac<Md5>>(&secret[..half], &seed, count);
                let sha1 = stretch::<Hmac<Sha1>>(&secret[secret.len() - half..], &seed, count);
                md5.iter().zip(sha1).map(|(md5, sha1)| md5 ^ sha1).collect()
            }
            Self::Sha256 => stretch::<Hmac<Sha256>>(secret, &seed, count),
            Self::Sha384 => stretch::<Hmac<Sha384>>(secret, &seed, count),
        }
    }
}

/// `P_hash` of RFC 5246 §5.
fn stretch<M: Mac + KeyInit>(secret: &[u8], seed: &[u8], count: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(count);
    let mut a = mac::<M>(secret, &[seed]);
    while out.len() < count {
        out.extend(mac::<M>(secret, &[&a, seed]));
        a = mac::<M>(secret, &[&a]);
    }
    out.truncate(count);
    out
}

/// The MAC of some parts.
pub(super) fn authenticate(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => mac::<Hmac<Sha1>>(key, parts),
        Hash::Sha256 => mac::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => mac::<Hmac<Sha384>>(key, parts),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// How long the keys of one side are: for the MAC, for the cipher, for the IV.
fn sizes(suite: Parameters) -> [usize; 3] {
    let mac = suite.hash.size();
    match suite.cipher {
        // Only TLS 1.0 uses the IV, and nothing follows it.
        Cipher::Aes128Cbc => [mac, 16, 16],
        Cipher::Aes256Cbc => [mac, 32, 16],
        Cipher::TripleDesCbc => [mac, 24, 8],
        Cipher::Aes128Gcm => [0, 16, 4],
        Cipher::Aes256Gcm => [0, 32, 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        let digits: Vec<u8> = hexadecimal.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn the_prf_gives_what_others_give() {
        // The vectors for TLS 1.2 went round the TLS working group's list; that for older versions is what OpenSSL's
        // TLS1-PRF gives, for a secret of odd length.
        let table = [
            (
                Prf::Sha256,
                "9bbe436ba940f017b17652849a71db35",
                "a0ba9f936cda311827a6f796ffd5198c",
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af",
            ),
            (
                Prf::Sha384,
                "b80b733d6ceefcdc71566ea48e5567df",
                "cd665cf6a8447dd6ff8b27555edb7465",
                "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0",
            ),
            (
                Prf::Md5Sha1,
                "9bbe436ba940f017b17652849a71db35ff",
                "a0ba9f936cda311827a6f796ffd5198c",
                "617270adf8c791af59bc8878a208b8aaad4f4238c514510b72be81f2119c71661f819001d49c9a30f16bdd33e6924822",
            ),
        ];
        for (prf, secret, seed, expected) in table {
            let found = prf.expand(&bytes(secret), b"test label", &[&bytes(seed)], 48);
            assert_eq!(found, bytes(expected), "{prf:?}");
        }
    }

    #[test]
    fn keys_are_cut_from_one_block() {
        let suite = Parameters {
            exchange: crate::probe::legacy::suite::Exchange::Rsa,
            cipher: Cipher::TripleDesCbc,
            hash: Hash::Sha1,
        };
        let (client, server) = Prf::Md5Sha1.keys(&[1; 48], &[2; 32], &[3; 32], suite);
        let block = Prf::Md5Sha1.expand(&[1; 48], b"key expansion", &[&[3; 32], &[2; 32]], 104);
        let parts = [client.mac, server.mac, client.key, server.key, client.iv, server.iv];
        assert_eq!(parts.concat(), block);
        assert_eq!(parts.map(|part| part.len()), [20, 20, 24, 24, 8, 8]);
    }
}
