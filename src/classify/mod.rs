//! Signatures to software.
