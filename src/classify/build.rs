//! The build script: what is known of the wordlists that are compiled in before they are read.
//!
//! To read some hundred signatures and to find the words that their patterns require takes forty milliseconds, and a scan
//! tries a few dozen of them. So it is done here, and written down as a table: where each signature stands in its file,
//! and what decides whether it is tried. Each is read when it is. So is the digest of the files, which takes two
//! milliseconds. Tests hold both against the files.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

#[path = "words.rs"]
mod words;

/// As in `Classifier`'s `WORDLISTS`.
const FILES: [&str; 3] = ["wordlists/ftp.toml", "wordlists/smtp.toml", "wordlists/fronts.toml"];

/// The line that begins a signature.
const HEAD: &str = "[[signature]]\n";

fn main() {
    println!("cargo::rerun-if-changed=src/classify/words.rs");
    let (mut table, mut digest) = ("[\n".to_owned(), Sha256::new());
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
        let content = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        // As `load::digest` does, of one file a list.
        let length = u64::try_from(content.len()).expect("a length has 64 bits");
        digest.update(1u64.to_be_bytes());
        digest.update(length.to_be_bytes());
        digest.update(&content);
        table += "&[\n";
        let places = places(&content);
        assert!(!places.is_empty(), "{file}: no line is `{}`; line ends must be those of Unix", HEAD.trim_end());
        for (start, end) in places {
            let line = 1 + content[..start].matches('\n').count();
            let seed = seed(&content[start..end]).unwrap_or_else(|problem| panic!("{file}:{line}: {problem}"));
            // Writing to a String cannot fail.
            let _ = writeln!(table, "Seed {{ place: {start}..{end}, line: {line}, {seed} }},");
        }
        table += "],\n";
    }
    table += "]\n";
    let digest = format!("{:?}\n", &digest.finalize()[..]);
    let folder = env::var_os("OUT_DIR").expect("cargo says where to write");
    for (name, content) in [("seeds.rs", table), ("digest.rs", digest)] {
        fs::write(Path::new(&folder).join(name), content).expect("cargo's folder can be written to");
    }
}

/// Where the signatures of a file begin and end.
fn places(content: &str) -> Vec<(usize, usize)> {
    let is_head = |at: &usize| *at == 0 || content[..*at].ends_with('\n');
    let starts: Vec<usize> = content.match_indices(HEAD).map(|(at, _)| at).filter(is_head).collect();
    let ends = starts.iter().skip(1).copied().chain([content.len()]);
    starts.iter().copied().zip(ends).collect()
}

/// What decides whether a signature is tried, as the members of a `Seed`.
fn seed(signature: &str) -> Result<String, String> {
    let table: toml::Table = signature.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let signature = table.get("signature").and_then(|all| all.get(0)).ok_or("no signature")?;
    let text = |key| signature.get(key).and_then(toml::Value::as_str);
    let said = match text("said").unwrap_or("greeting") {
        "greeting" => "Greeting",
        "ehlo" => "Ehlo",
        "feat" => "Feat",
        "syst" => "Syst",
        other => return Err(format!("`said` is {other}")),
    };
    let confidence = signature.get("confidence").and_then(toml::Value::as_integer).ok_or("no confidence")?;
    let pattern = words::read(text("pattern").ok_or("no pattern")?).map_err(|error| error.to_string())?;
    let words = words::required(&pattern).map(|words| {
        let literals: Vec<_> = words.iter().map(|word| format!("b\"{}\"", word.escape_ascii())).collect();
        format!("&[{}]", literals.join(", "))
    });
    let words = words.map_or_else(|| "None".to_owned(), |words| format!("Some({words})"));
    Ok(format!("said: Said::{said}, confidence: {confidence}, words: {words}"))
}
