//! `hailer completions` and `hailer man`: what they print is taken by the programs that it is for.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::program::{hailer, run, skip, succeeds};

fn printed(words: &[&str]) -> String {
    let ended = run(&mut hailer(words));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{words:?}");
    ended.stdout
}

#[test]
fn completions_know_every_command_and_option() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for word in ["scan", "report", "schema", "completions", "per-prefix", "columns", "delimiter"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    let refused = run(&mut hailer(["completions", "tcsh"]));
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
}

#[test]
fn bash_completes() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("hailer.bash");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let complete = |line: &str| {
        let words = line.split(' ').collect::<Vec<_>>();
        let array = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let last = words.len() - 1;
        let program = format!(
            "source {}; COMP_WORDS=({array}); COMP_CWORD={last}; _hailer hailer '{}' '{}'; printf '%s\n' \"${{COMPREPLY[@]}}\"",
            script.display(),
            words[last],
            words[last - 1],
        );
        let output = Command::new("bash").args(["--norc", "-c", &program]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut found: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
        found.sort();
        found
    };
    assert_eq!(complete("hailer sc"), ["scan", "schema"]);
    assert_eq!(complete("hailer scan --per-"), ["--per-host", "--per-prefix"]);
    assert_eq!(complete("hailer scan --csv "), ["default", "excel", "raw"]);
    assert_eq!(complete("hailer completions fi"), ["fish"]);
}

/// Whichever of the other shells are there read their script.
#[test]
fn other_shells_read_their_completions() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, check) in [("zsh", &["zsh", "-n"][..]), ("fish", &["fish", "--no-execute"])] {
        let script = folder.path().join(shell);
        fs::write(&script, printed(&["completions", shell])).unwrap();
        if let Err(why) = succeeds(Command::new(check[0]).arg("--version")) {
            skip(&why);
            continue;
        }
        succeeds(Command::new(check[0]).args(&check[1..]).arg(&script)).unwrap();
    }
}

#[test]
fn there_is_a_page_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("man/man1");
    for _ in 0..2 {
        let ended = run(hailer(["man", "--out"]).arg(&out));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    }
    let mut pages: Vec<_> =
        fs::read_dir(&out).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    for page in ["hailer.1", "hailer-scan.1", "hailer-check.1", "hailer-wordlists-check.1", "hailer-man.1"] {
        assert!(pages.iter().any(|other| other == page), "{page} in {pages:?}");
    }
    assert_eq!(fs::read_to_string(out.join("hailer.1")).unwrap(), printed(&["man"]));
    let scan = fs::read_to_string(out.join("hailer-scan.1")).unwrap();
    assert!(scan.contains(".TH hailer-scan 1") && scan.contains("\\-\\-per\\-prefix"), "{scan}");
    formatted(&out, &pages);
    let refused = run(hailer(["man", "--out"]).arg(out.join("hailer.1")));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.starts_with("hailer: cannot make ") && refused.stderr.contains("; choose another"),
        "{}",
        refused.stderr
    );
}

/// groff has nothing to complain about.
fn formatted(folder: &Path, pages: &[String]) {
    if let Err(why) = succeeds(Command::new("groff").arg("--version")) {
        return skip(&why);
    }
    for page in pages {
        let words = ["-man", "-Tutf8", "-Kutf8", "-ww", "-rLL=100n", "-P-cbou"];
        let output = Command::new("groff").args(words).arg(folder.join(page)).output().unwrap();
        let (text, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && complaints.is_empty(), "{page}: {complaints}");
        assert!(text.contains("SYNOPSIS"), "{page}: {text}");
    }
}
