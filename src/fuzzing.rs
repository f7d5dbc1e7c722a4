//! What must hold for any bytes: one function a target, each of which panics where something does not.
//!
//! `fuzz/` gives them to libFuzzer, one program a target; the test below runs the seeds in `fuzz/seeds/` through them, a
//! folder a target. Parsers that are private stay so: their functions stand beside them, in files called `fuzz.rs`, and
//! only bytes come in here. Not for anybody else, and not part of what versions promise.

mod input;
mod rows;
mod said;

pub(crate) use self::input::Input;
pub(crate) use self::rows::{assert_written, greeted};

/// What is done with the bytes of one target.
pub type Target = fn(&[u8]);

macro_rules! targets {
    ($($target:ident: $does:literal => $($path:ident)::+,)*) => {
        /// Every target by its name.
        pub const TARGETS: [(&str, Target); [$(stringify!($target)),*].len()] = [$((stringify!($target), $target)),*];

        $(
            #[doc = $does]
            pub fn $target(bytes: &[u8]) {
                $($path)::+(bytes.get(..LIMIT).unwrap_or(bytes));
            }
        )*
    };
}

/// How much is looked at: as much as is kept of what one peer says.
const LIMIT: usize = crate::observation::Received::LIMIT;

targets! {
    reply: "The reply grammar." => crate::probe::fuzz::reply,
    greeting: "When a greeting is complete, and what else it may be." => crate::probe::fuzz::greeting,
    classify: "What a greeting and the answers after it are taken for." => said::classify,
    wordlist: "Signatures that a user wrote." => said::wordlist,
    target: "Lists of targets and exclusions." => crate::target::fuzz::target,
    journal: "Journals, and going on from them." => crate::schedule::fuzz::journal,
    certificate: "Chains of certificates." => crate::probe::fuzz::certificate,
    legacy_tls: "TLS with a server of the past." => crate::probe::fuzz::legacy_tls,
    row: "Rows that we write, read back." => rows::row,
    ndjson: "NDJSON that anybody wrote, read back and written again." => rows::ndjson,
    csv: "The same of CSV." => rows::csv,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io::Write;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    /// Whether there is nothing to test: packages come without the fuzz targets, which are a package of their own.
    fn is_skipped() -> bool {
        let is_missing = !folder().exists();
        if is_missing {
            assert!(std::env::var_os("HAILER_REQUIRE_ALL").is_none_or(|value| value != "1"), "there is no fuzz/");
            let test = std::thread::current().name().unwrap_or_default().to_owned();
            // Not what the test runner keeps to itself where nothing fails.
            let _ = writeln!(std::io::stderr(), "skipped: {test}: there is no fuzz/");
        }
        is_missing
    }

    /// The names in a folder without their endings.
    fn names(folder: &Path) -> BTreeSet<String> {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_target_has_seeds_and_a_program() {
        if is_skipped() {
            return;
        }
        let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(names(&folder().join("seeds")), targets);
        assert_eq!(names(&folder().join("fuzz_targets")), targets);
        let manifest: toml::Table = fs::read_to_string(folder().join("Cargo.toml")).unwrap().parse().unwrap();
        let programs = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
        assert_eq!(programs.collect::<BTreeSet<_>>(), targets);
        for target in targets {
            let program = fs::read_to_string(folder().join(format!("fuzz_targets/{target}.rs"))).unwrap();
            assert!(program.contains(&format!("hailer::fuzzing::{target}(bytes)")), "{target}");
        }
    }

    /// What must hold of these seeds.
    fn run(target: &str) {
        if is_skipped() {
            return;
        }
        let (_, does) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
        let mut count = 0;
        for seed in fs::read_dir(folder().join("seeds").join(target)).unwrap() {
            let path = seed.unwrap().path();
            // A panic is told with what was read last.
            println!("{}", path.display());
            does(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "there are no seeds");
        does(b"");
    }

    macro_rules! seeds {
        ($($target:ident)*) => {
            $(
                #[test]
                fn $target() {
                    run(stringify!($target));
                }
            )*

            #[test]
            fn the_seeds_of_every_target_are_run() {
                assert_eq!([$(stringify!($target)),*], TARGETS.map(|(name, _)| name));
            }
        };
    }

    seeds! { reply greeting classify wordlist target journal certificate legacy_tls row ndjson csv }
}
