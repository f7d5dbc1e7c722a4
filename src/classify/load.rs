//! Wordlists of the user's own, from a folder, laid over those that are compiled in.
//!
//! A signature whose id is known takes that one's place, others are added; where two are equally sure and match as
//! much, the user's wins. A file with `replace = true` at its head stands alone. What is in the folder and cannot be a
//! wordlist is refused, lest a misspelt name go unnoticed; all of it is read before anything is used.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::list::List;
use super::memo::Memo;
use super::signature::{self, Compile, LoadError, Signature};
use super::{Classifier, WORDLISTS};

/// What the wordlists are called in a folder, in the order of [`WORDLISTS`].
const FILES: [&str; 3] = ["ftp.toml", "smtp.toml", "fronts.toml"];

/// What those that are compiled in are called, where there are others of the same name.
const COMPILED_IN: [&str; 3] = ["compiled-in ftp.toml", "compiled-in smtp.toml", "compiled-in fronts.toml"];

/// More than any wordlist has to be; what is larger is something else.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

/// Why a folder of wordlists cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WordlistsError {
    /// The folder, or a file in it, cannot be read.
    #[error("{}: cannot read wordlists: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Nothing is in it.
    #[error(
        "{}: none of {} is in this folder: `hailer wordlists export` makes one to begin with",
        folder.display(), FILES.join(", ")
    )]
    Nothing {
        /// Where.
        folder: PathBuf,
    },
    /// Another name than a wordlist has.
    #[error(
        "{}: no wordlist has this name: rename it to one of {}, or take it out of the folder",
        path.display(), FILES.join(", ")
    )]
    Unknown {
        /// Which.
        path: PathBuf,
    },
    /// A folder or a device in place of a file.
    #[error("{}: a wordlist is to be a file", path.display())]
    NoFile {
        /// Which.
        path: PathBuf,
    },
    /// Larger than any wordlist.
    #[error("{}: more than {} MiB, which no wordlist has to be", path.display(), MAX_SIZE >> 20)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// Signatures that cannot be used; there is at least one error.
    #[error("{}", in_brief(.0))]
    Signatures(Vec<LoadError>),
}

impl Classifier {
    /// The wordlists that are compiled in, with those of a folder added to them: `ftp.toml`, `smtp.toml` and
    /// `fronts.toml`, or some of these.
    ///
    /// ```
    /// use hailer::classify::Classifier;
    ///
    /// let error = Classifier::load("/nowhere".as_ref()).unwrap_err();
    /// assert!(error.to_string().starts_with("/nowhere: cannot read wordlists: "));
    /// ```
    ///
    /// # Errors
    /// All signatures that cannot be used, or else the first thing that is wrong with the folder.
    pub fn load(folder: &Path) -> Result<Self, WordlistsError> {
        let names = names(folder)?;
        let mut own = Vec::new();
        for name in FILES {
            let path = folder.join(name);
            own.push(if names.iter().any(|found| found == name) { Some((content(&path)?, path)) } else { None });
        }
        let (mut lists, mut contents, mut errors) = (Vec::new(), Vec::new(), Vec::new());
        for (index, own) in own.iter().enumerate() {
            let compiled_in = (COMPILED_IN[index], WORDLISTS[index].1);
            let Some((content, path)) = own else {
                lists.push(List::compiled_in(compiled_in.0, index));
                contents.push(vec![compiled_in.1]);
                continue;
            };
            match merge(compiled_in, (&path.display().to_string(), content)) {
                Ok((list, effective)) => {
                    lists.push(list);
                    contents.push(effective);
                }
                Err(wrong) => errors.extend(wrong),
            }
        }
        match (<[List; 3]>::try_from(lists), <[Vec<&str>; 3]>::try_from(contents)) {
            (Ok([ftp, mail, fronts]), Ok(contents)) => {
                Ok(Self { ftp, mail, fronts, digest: digest(contents), memo: Memo::default() })
            }
            (Ok(_) | Err(_), _) => Err(WordlistsError::Signatures(errors)),
        }
    }
}

/// SHA-256 over what three wordlists say, each by one file or more.
pub(super) fn digest(lists: [Vec<&str>; 3]) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    for contents in lists {
        hash.update(&length(contents.len()));
        for content in contents {
            hash.update(&length(content.len()));
            hash.update(content.as_bytes());
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.finish().as_ref());
    digest
}

/// A length, the same on every machine.
fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// The names in a folder that end as wordlists do. Those that begin with a dot are editors' own.
fn names(folder: &Path) -> Result<Vec<String>, WordlistsError> {
    let unreadable = |error| WordlistsError::Unreadable { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let is_wordlist = Path::new(&name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        if !is_wordlist || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        match name.to_str().filter(|name| FILES.contains(name)) {
            Some(name) => names.push(name.to_owned()),
            None => return Err(WordlistsError::Unknown { path: folder.join(name) }),
        }
    }
    if names.is_empty() { Err(WordlistsError::Nothing { folder: folder.to_owned() }) } else { Ok(names) }
}

fn content(path: &Path) -> Result<Vec<u8>, WordlistsError> {
    let unreadable = |error| WordlistsError::Unreadable { path: path.to_owned(), error };
    // Before it is opened: a pipe would wait for its other end.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(WordlistsError::NoFile { path: path.to_owned() });
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    let len = file.take(MAX_SIZE + 1).read_to_end(&mut content).map_err(unreadable)?;
    if u64::try_from(len).is_ok_and(|len| len <= MAX_SIZE) {
        Ok(content)
    } else {
        Err(WordlistsError::TooLarge { path: path.to_owned() })
    }
}

/// One list of what is compiled in and what is the user's own, and the contents that count.
fn merge<'a>(
    (builtin_file, builtin): (&str, &'a str),
    (own_file, own): (&str, &'a [u8]),
) -> Result<(List, Vec<&'a str>), Vec<LoadError>> {
    let own = text(own_file, own).map_err(|error| vec![error])?;
    let loaded = signature::load(own_file, own, Compile::Now)?;
    if loaded.replace {
        return Ok((List::of(loaded.signatures), vec![own]));
    }
    let mut signatures = loaded.signatures;
    let known: HashSet<String> = signatures.iter().map(|signature| signature.id.clone()).collect();
    let others = signature::load(builtin_file, builtin, Compile::WhenTried)?.signatures;
    signatures.extend(others.into_iter().filter(|other: &Signature| !known.contains(&other.id)));
    Ok((List::of(signatures), vec![builtin, own]))
}

fn text<'a>(file: &str, content: &'a [u8]) -> Result<&'a str, LoadError> {
    std::str::from_utf8(content).map_err(|error| {
        let sound = String::from_utf8_lossy(&content[..error.valid_up_to()]);
        LoadError::at(file, &sound, sound.len(), "not UTF-8: save the file as that")
    })
}

/// The first, and how many there are besides.
fn in_brief(errors: &[LoadError]) -> String {
    match errors {
        [] => "signatures that cannot be used".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more: `hailer wordlists check` tells all)", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::observation::{Observation, Outcome, Service};

    fn signature(id: &str, software: &str, pattern: &str) -> String {
        format!(
            "[[signature]]\nid = '{id}'\nsoftware = '{software}'\nconfidence = 98\npattern = '{pattern}'\n\
             [[signature.example]]\ngreeting = '220 x'\n"
        )
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn named(classifier: &Classifier, greeting: &str) -> Option<String> {
        let mut row = Observation::new(SystemTime::UNIX_EPOCH, None, 21, Service::Ftp, Outcome::Greeted);
        row.received.push(greeting.as_bytes(), Duration::ZERO);
        row.greeting_len = greeting.len();
        classifier.classify(&mut row);
        row.software.map(|software| software.name.to_string())
    }

    #[test]
    fn what_is_new_is_added_and_what_is_known_replaced() {
        let own = signature("brandnewd", "Brandnewd", "brandnewd") + &signature("vsftpd", "Other", "vsftpd [0-9.]+");
        let folder = folder(&[("ftp.toml", &own), ("README", "not read"), (".#smtp.toml", "nor this")]);
        let classifier = Classifier::load(folder.path()).unwrap();
        for (greeting, name) in [
            ("220 Brandnewd 1\r\n", Some("Brandnewd")),
            ("220 (vsFTPd 3.0.5)\r\n", Some("Other")),
            ("220 ProFTPD Server (x) [192.0.2.1]\r\n", Some("ProFTPD")),
            ("220 mail.example.com ESMTP Postfix\r\n", Some("Postfix")),
        ] {
            assert_eq!(named(&classifier, greeting).as_deref(), name, "{greeting:?}");
        }
        assert_ne!(classifier.digest(), Classifier::builtin().digest());
    }

    #[test]
    fn of_two_alike_the_users_wins() {
        let own = signature("mine", "Mine", r"\bvsftpd 3\.0\.5\b");
        let theirs = signature("theirs", "Theirs", r"\bvsftpd 3\.0\.5\b");
        let (list, _) = merge(("builtin", &theirs), ("own", own.as_bytes())).unwrap();
        assert_eq!(list.best(&super::super::text::Text::read(b"220 vsftpd 3.0.5\r\n")).unwrap().0.id, "mine");
    }

    #[test]
    fn a_file_can_stand_alone() {
        let own = format!("replace = true\n{}", signature("brandnewd", "Brandnewd", "brandnewd"));
        let folder = folder(&[("ftp.toml", &own)]);
        let classifier = Classifier::load(folder.path()).unwrap();
        assert_eq!(named(&classifier, "220 (vsFTPd 3.0.5)\r\n"), None);
        assert_eq!(named(&classifier, "220 Brandnewd 1\r\n").as_deref(), Some("Brandnewd"));
        assert_eq!(named(&classifier, "220 mail.example.com ESMTP Postfix\r\n").as_deref(), Some("Postfix"));
    }

    #[test]
    fn a_link_is_followed() {
        let real = folder(&[("mine", &signature("brandnewd", "Brandnewd", "brandnewd"))]);
        let linked = folder(&[]);
        symlink(real.path().join("mine"), linked.path().join("ftp.toml")).unwrap();
        let classifier = Classifier::load(linked.path()).unwrap();
        assert_eq!(named(&classifier, "220 Brandnewd 1\r\n").as_deref(), Some("Brandnewd"));
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_told() {
        let large = tempfile::tempdir().unwrap();
        File::create(large.path().join("smtp.toml")).unwrap().set_len(MAX_SIZE + 1).unwrap();
        let device = tempfile::tempdir().unwrap();
        symlink("/dev/zero", device.path().join("fronts.toml")).unwrap();
        let dangling = tempfile::tempdir().unwrap();
        symlink("nowhere", dangling.path().join("ftp.toml")).unwrap();
        for (folder, told) in [
            (folder(&[]), ": none of ftp.toml, smtp.toml, fronts.toml is in this folder: "),
            (folder(&[("ftp.toml", ""), ("stmp.toml", "")]), "/stmp.toml: no wordlist has this name: rename it to one"),
            (folder(&[("FTP.TOML", "")]), "/FTP.TOML: no wordlist has this name: "),
            (large, "/smtp.toml: more than 16 MiB, which no wordlist has to be"),
            (device, "/fronts.toml: a wordlist is to be a file"),
            (dangling, "/ftp.toml: cannot read wordlists: No such file or directory"),
            (folder(&[("ftp.toml", "[[signature]]\nid = 'a")]), "/ftp.toml:2:8: invalid literal string"),
        ] {
            let error = Classifier::load(folder.path()).unwrap_err().to_string();
            let expected = format!("{}{told}", folder.path().display());
            assert!(error.starts_with(&expected), "{error:?} does not start with {expected:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ftp.toml"), b"# \xc3\xbc\n# \xfc\n").unwrap();
        let error = Classifier::load(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("ftp.toml:2:3: not UTF-8: save the file as that"), "{error}");
    }

    #[test]
    fn the_mistakes_of_all_files_are_told() {
        let bad = signature("a", "A", "(a") + &signature("b", "B", "b[");
        let folder = folder(&[("ftp.toml", &bad), ("smtp.toml", "3")]);
        let error = Classifier::load(folder.path()).unwrap_err();
        let words = error.to_string();
        assert!(words.contains("/ftp.toml:5:12: ") && words.contains(" (and 2 more: "), "{words}");
        let WordlistsError::Signatures(errors) = error else { panic!("{error}") };
        assert_eq!(errors.iter().map(|error| error.line).collect::<Vec<_>>(), [5, 12, 1]);
    }
}
