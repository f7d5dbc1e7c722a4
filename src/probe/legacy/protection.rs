//! Records under keys: CBC with a MAC inside (RFC 2246 §6.2.3.2, RFC 5246 §6.2.3.2), and GCM (RFC 5288).
//!
//! What a wrong padding gives away is of no concern here: nothing is protected.

use aes::{Aes128, Aes256};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use cbc::{Decryptor, Encryptor};
use des::TdesEde3;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::error::Error;
use super::record::{Content, MAX_PLAIN, Record, put_record};
use super::schedule::{Keys, authenticate};
use super::suite::{Cipher, Hash, Parameters};
use super::version::Version;

/// The part of a GCM nonce that each record brings along.
const EXPLICIT_NONCE: usize = 8;

const GCM_TAG: usize = 16;

/// What one side writes with, or reads what the other wrote with.
#[derive(Debug)]
pub(super) struct Protection {
    version: Version,
    cipher: BulkCipher,
    /// How many records went before.
    sequence: u64,
}

#[derive(Debug)]
enum BulkCipher {
    Cbc { block: Block, key: Vec<u8>, hash: Hash, mac: Vec<u8>, chained: Option<Vec<u8>> },
    Gcm { key: Box<LessSafeKey>, salt: Vec<u8> },
}

#[derive(Debug, Clone, Copy)]
enum Block {
    Aes128,
    Aes256,
    TripleDes,
}

impl Protection {
    /// None where the keys are not what the suite needs.
    pub(super) fn new(version: Version, suite: Parameters, keys: Keys) -> Option<Self> {
        let Keys { mac, key, iv } = keys;
        let cbc = |block, key, mac, iv| {
            let chained = (version <= Version::Tls10).then_some(iv);
            BulkCipher::Cbc { block, key, hash: suite.hash, mac, chained }
        };
        let cipher = match suite.cipher {
            Cipher::Aes128Cbc => cbc(Block::Aes128, key, mac, iv),
            Cipher::Aes256Cbc => cbc(Block::Aes256, key, mac, iv),
            Cipher::TripleDesCbc => cbc(Block::TripleDes, key, mac, iv),
            Cipher::Aes128Gcm | Cipher::Aes256Gcm => {
                let algorithm = if suite.cipher == Cipher::Aes128Gcm { &AES_128_GCM } else { &AES_256_GCM };
                let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).ok()?);
                BulkCipher::Gcm { key: Box::new(key), salt: iv }
            }
        };
        Some(Self { version, cipher, sequence: 0 })
    }

    /// Appends one record of at most [`MAX_PLAIN`] bytes.
    pub(super) fn seal(&mut self, out: &mut Vec<u8>, content: Content, plain: &[u8]) -> Result<(), Error> {
        let header = pseudo_header(self.sequence, content, self.version.number(), plain.len())?;
        self.sequence = self.sequence.wrapping_add(1);
        let body = match &mut self.cipher {
            BulkCipher::Cbc { block, key, hash, mac, chained } => {
                let mut body = [plain, &authenticate(*hash, mac, &[&header, plain])].concat();
                let padding = block.size() - body.len() % block.size();
                // Every byte of the padding says how many there are beside the last.
                body.resize(body.len() + padding, u8::try_from(padding - 1).unwrap_or_default());
                if let Some(iv) = chained {
                    block.encrypt(key, iv, &mut body)?;
                    *iv = body[body.len() - block.size()..].to_vec();
                    body
                } else {
                    let iv = super::random::<16>()?;
                    let iv = &iv[..block.size()];
                    block.encrypt(key, iv, &mut body)?;
                    [iv, &body].concat()
                }
            }
            BulkCipher::Gcm { key, salt } => {
                let explicit = self.sequence.to_be_bytes();
                let mut body = plain.to_vec();
                let nonce = nonce(salt, &explicit).ok_or(Error::Undecryptable)?;
                key.seal_in_place_append_tag(nonce, Aad::from(header), &mut body).map_err(|_| Error::Undecryptable)?;
                [&explicit, body.as_slice()].concat()
            }
        };
        put_record(out, content, self.version, &body);
        Ok(())
    }

    /// What a record says.
    pub(super) fn open(&mut self, record: Record) -> Result<Vec<u8>, Error> {
        let Record { content, version, mut body } = record;
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let plain = match &mut self.cipher {
            BulkCipher::Cbc { block, key, hash, mac, chained } => {
                let iv = match chained {
                    Some(iv) => {
                        let last = body.len().checked_sub(block.size()).ok_or(Error::Undecryptable)?;
                        std::mem::replace(iv, body[last..].to_vec())
                    }
                    None if body.len() < block.size() => return Err(Error::Undecryptable),
                    None => body.drain(..block.size()).collect(),
                };
                block.decrypt(key, &iv, &mut body)?;
                let padding = usize::from(*body.last().ok_or(Error::Undecryptable)?) + 1;
                let padded = body.len().checked_sub(padding).ok_or(Error::Undecryptable)?;
                let tag = body.split_off(padded.checked_sub(hash.size()).ok_or(Error::Undecryptable)?);
                let header = pseudo_header(sequence, content, version, body.len())?;
                if authenticate(*hash, mac, &[&header, &body]) != tag[..hash.size()] {
                    return Err(Error::Undecryptable);
                }
                body
            }
            BulkCipher::Gcm { key, salt } => {
                let length = body.len().checked_sub(EXPLICIT_NONCE + GCM_TAG).ok_or(Error::Undecryptable)?;
                let header = pseudo_header(sequence, content, version, length)?;
                let (explicit, sealed) = body.split_at_mut(EXPLICIT_NONCE);
                let nonce = nonce(salt, explicit).ok_or(Error::Undecryptable)?;
                let plain = key.open_in_place(nonce, Aad::from(header), sealed).map_err(|_| Error::Undecryptable)?;
                plain.to_vec()
            }
        };
        if plain.len() > MAX_PLAIN {
            return Err(Error::TooLong { what: "a record in clear", limit: MAX_PLAIN });
        }
        Ok(plain)
    }
}

/// What is authenticated beside the plain text.
fn pseudo_header(sequence: u64, content: Content, version: u16, length: usize) -> Result<[u8; 13], Error> {
    let length = u16::try_from(length).map_err(|_| Error::TooLong { what: "a record in clear", limit: MAX_PLAIN })?;
    let mut out = [0; 13];
    out[..8].copy_from_slice(&sequence.to_be_bytes());
    out[8] = content.number();
    out[9..11].copy_from_slice(&version.to_be_bytes());
    out[11..].copy_from_slice(&length.to_be_bytes());
    Ok(out)
}

fn nonce(salt: &[u8], explicit: &[u8]) -> Option<Nonce> {
    Nonce::try_assume_unique_for_key(&[salt, explicit].concat()).ok()
}

impl Block {
    fn size(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes256 => 16,
            Self::TripleDes => 8,
        }
    }

    fn encrypt(self, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Aes128 => encrypt::<Aes128>(key, iv, data),
            Self::Aes256 => encrypt::<Aes256>(key, iv, data),
            Self::TripleDes => encrypt::<TdesEde3>(key, iv, data),
        }
    }

    fn decrypt(self, key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Aes128 => decrypt::<Aes128>(key, iv, data),
            Self::Aes256 => decrypt::<Aes256>(key, iv, data),
            Self::TripleDes => decrypt::<TdesEde3>(key, iv, data),
        }
    }
}

fn encrypt<C: BlockCipherEncrypt + KeyInit>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Error> {
    let cipher = C::new_from_slice(key).map_err(|_| Error::Undecryptable)?;
    let mode = Encryptor::<C>::inner_iv_slice_init(cipher, iv).map_err(|_| Error::Undecryptable)?;
    let length = data.len();
    mode.encrypt_padded::<NoPadding>(data, length).map(drop).map_err(|_| Error::Undecryptable)
}

fn decrypt<C: BlockCipherDecrypt + KeyInit>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), Error> {
    let cipher = C::new_from_slice(key).map_err(|_| Error::Undecryptable)?;
    let mode = Decryptor::<C>::inner_iv_slice_init(cipher, iv).map_err(|_| Error::Undecryptable)?;
    mode.decrypt_padded::<NoPadding>(data).map(drop).map_err(|_| Error::Undecryptable)
}
