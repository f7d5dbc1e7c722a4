//! Wordlists of the user's own: what names servers in every command, and what is said where they are wrong.

use std::fs;
use std::sync::Arc;

use nix::sys::signal::Signal::SIGINT;
use serde_json::Value;
use tempfile::TempDir;

use super::peers::{Gate, Peer, Step, listen, polite};
use super::program::{Ended, Running, Watched, hailer_in, rows, rows_in, run, scan};

const BRANDNEWD: &str = r#"
[[signature]]
id = "brandnewd"
software = "Brandnewd"
vendor = "Brand New"
confidence = 95
pattern = 'Brandnewd v?(?P<version>\d[\w.]*)'

[[signature.example]]
greeting = "220 ftp.example.com Brandnewd 1.20 ready\r\n"
version = "1.20"
"#;

const GREETING: &str = "220 ftp.example.com Brandnewd 1.21 ready\r\n";

/// A folder with a folder `lists` in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lists")).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join("lists").join(name), content).unwrap();
    }
    folder
}

#[test]
fn what_is_compiled_in_holds() {
    let here = tempfile::tempdir().unwrap();
    let Ended { code, stdout, stderr } = run(&mut hailer_in(here.path(), "wordlists check"));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let words: Vec<_> = stdout.split_whitespace().collect();
    let [signatures, "signatures", "of", products, "products,", examples, "examples:", "all", "hold"] = words[..]
    else {
        panic!("{stdout}");
    };
    let number = |word: &str| word.parse::<usize>().unwrap();
    assert!(number(products) > 20 && number(signatures) >= number(products) && number(examples) >= number(signatures));
}

#[test]
fn ones_own_are_added_and_checked() {
    let folder = folder(&[("ftp.toml", BRANDNEWD)]);
    let count = |words: &str| {
        let ended = run(&mut hailer_in(folder.path(), words));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{words}");
        ended.stdout.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert_eq!(count("wordlists check lists"), count("wordlists check") + 1);

    let alone = format!("replace = true\n{BRANDNEWD}");
    fs::write(folder.path().join("lists/ftp.toml"), alone).unwrap();
    for file in ["smtp.toml", "fronts.toml"] {
        fs::write(folder.path().join("lists").join(file), "replace = true").unwrap();
    }
    let ended = run(&mut hailer_in(folder.path(), "wordlists check lists"));
    assert_eq!(ended.stdout, "1 signatures of 1 products, 1 examples: all hold\n");
}

#[test]
fn an_example_that_does_not_hold_is_told_with_its_place() {
    let folder = folder(&[("ftp.toml", &BRANDNEWD.replace("version = \"1.20\"", "version = \"1.2\""))]);
    let ended = run(&mut hailer_in(folder.path(), "wordlists check lists"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("lists/ftp.toml:3: brandnewd: version is "), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\nhailer: 1 mistake\n"), "{}", ended.stderr);
    assert!(ended.stdout.ends_with(" examples: 1 mistake\n"), "{}", ended.stdout);
}

/// What one's own takes away from the compiled-in ones comes after one's own mistakes.
#[test]
fn ones_own_mistakes_come_first() {
    let greedy = BRANDNEWD.replace("Brandnewd v?(?P<version>", "vsftpd (?P<version>").replace("95", "100");
    let folder = folder(&[("ftp.toml", &greedy)]);
    let ended = run(&mut hailer_in(folder.path(), "wordlists check lists"));
    assert_eq!(ended.code, Some(1));
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines[0].starts_with("lists/ftp.toml:3: brandnewd: no signature matches"), "{}", ended.stderr);
    assert!(lines[1].starts_with("compiled-in ftp.toml:"), "{}", ended.stderr);
}

#[test]
fn all_that_cannot_be_read_is_told_at_once() {
    let bad = BRANDNEWD.replace("Brandnewd v?", "(Brandnewd v?");
    let folder = folder(&[("ftp.toml", &bad), ("smtp.toml", &format!("{BRANDNEWD}{BRANDNEWD}"))]);
    let ended = run(&mut hailer_in(folder.path(), "wordlists check lists"));
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stdout, "2 mistakes: the examples are tried once they are mended\n");
    let told: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(
        told,
        [
            "lists/ftp.toml:7:12: the pattern cannot be read: unclosed group",
            "lists/smtp.toml:14:6: the id `brandnewd` is taken in line 3: give this one another",
            "hailer: 2 mistakes",
        ]
    );
}

/// In every command, before anything is sent.
#[test]
fn what_cannot_be_used_is_a_usage_error() {
    let listener = listen();
    let port = listener.local_addr().unwrap().port();
    let commands = [
        format!("scan 127.0.0.1:{port}=ftp --wordlists lists"),
        format!("check 127.0.0.1:{port}=ftp --wordlists lists"),
        "demo --hosts 1 --wordlists lists".to_owned(),
        "classify --wordlists lists".to_owned(),
        "wordlists list lists".to_owned(),
    ];
    for (name, content, told) in [
        (
            "README",
            "",
            "lists: none of ftp.toml, smtp.toml, fronts.toml is in this folder: `hailer wordlists export` makes",
        ),
        (
            "ftps.toml",
            "",
            "lists/ftps.toml: no wordlist has this name: rename it to one of ftp.toml, smtp.toml, fronts",
        ),
        ("ftp.toml", "replace = 1", "lists/ftp.toml:1:11: invalid type: integer `1`, expected a boolean"),
        (
            "smtp.toml",
            &BRANDNEWD.replace("<version>", "<release>"),
            "lists/smtp.toml:7:27: the group `release` feeds no field: those are version, host, device, os; ",
        ),
        ("fronts.toml", &BRANDNEWD.repeat(2), "lists/fronts.toml:14:6: the id `brandnewd` is taken in line 3"),
        ("ftp.toml", &BRANDNEWD.replace('v', "["), "lists/ftp.toml:5:7: unclosed table"),
    ] {
        let folder = folder(&[(name, content)]);
        for words in &commands {
            let ended = run(&mut hailer_in(folder.path(), words));
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}: {}", ended.stderr);
            assert!(ended.stderr.starts_with(&format!("hailer: {told}")), "{words}: {}", ended.stderr);
        }
    }
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "something was sent");
}

#[test]
fn products_are_listed() {
    let folder = folder(&[("ftp.toml", BRANDNEWD), ("fronts.toml", BRANDNEWD)]);
    let text = run(&mut hailer_in(folder.path(), "wordlists list lists")).stdout;
    let line = text.lines().find(|line| line.starts_with("Brandnewd ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["Brandnewd", "Brand", "New", "2", "ftp", "front"]);
    let json = rows(&run(&mut hailer_in(folder.path(), "wordlists list lists --json")).stdout);
    assert_eq!(json.len(), text.lines().count());
    let product = json.iter().find(|product| product["name"] == "Brandnewd").unwrap();
    let expected =
        r#"{"name":"Brandnewd","vendor":"Brand New","signatures":2,"examples":2,"services":["ftp","front"]}"#;
    assert_eq!(product, &serde_json::from_str::<Value>(expected).unwrap());
    let names: Vec<_> = json.iter().map(|product| product["name"].as_str().unwrap().to_lowercase()).collect();
    assert!(names.is_sorted());
}

#[test]
fn what_is_compiled_in_can_be_had_to_begin_with() {
    let here = tempfile::tempdir().unwrap();
    let ended = run(&mut hailer_in(here.path(), "wordlists export new/lists"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    let checked = |words: &str| run(&mut hailer_in(here.path(), words)).stdout;
    assert_eq!(checked("wordlists check new/lists"), checked("wordlists check"));

    let path = here.path().join("new/lists/ftp.toml");
    fs::write(&path, "precious").unwrap();
    let ended = run(&mut hailer_in(here.path(), "wordlists export new/lists"));
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr, "hailer: new/lists: there is something in it: name a new or empty folder\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let ended = run(&mut hailer_in(here.path(), "wordlists export new/lists/ftp.toml"));
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn every_command_names_by_them() {
    let folder = folder(&[("ftp.toml", BRANDNEWD)]);
    let peer = Peer::new(polite(GREETING));
    let target = peer.target("ftp");
    let words = format!("scan {target} --wordlists lists -q -o rows.ndjson");
    assert_eq!(run(&mut hailer_in(folder.path(), &words)).code, Some(0));
    let row = &rows_in(&folder.path().join("rows.ndjson"))[0];
    assert_eq!((&row["software"], &row["version"]), (&"Brandnewd".into(), &"1.21".into()));
    let manifest = fs::read(folder.path().join("rows.ndjson.manifest.json")).unwrap();
    let manifest = serde_json::from_slice::<Value>(&manifest).unwrap();
    let configuration = &manifest["configuration"];
    assert_eq!(configuration["wordlists"], folder.path().join("lists").to_str().unwrap());
    assert_eq!(configuration["wordlists_sha256"].as_str().unwrap().len(), 64);

    let page = run(&mut hailer_in(folder.path(), &format!("check {target} --wordlists lists -q --connect-timeout 2")));
    assert!(page.stdout.contains("Brandnewd 1.21"), "{}", page.stdout);
    let classified = run(&mut hailer_in(folder.path(), "classify rows.ndjson --wordlists lists -q"));
    assert_eq!(rows(&classified.stdout)[0]["version"], "1.21");
    assert_eq!(rows(&run(&mut hailer_in(folder.path(), "classify rows.ndjson -q")).stdout)[0].get("software"), None);
}

#[test]
fn a_scan_goes_on_with_the_same() {
    let folder = folder(&[("ftp.toml", BRANDNEWD)]);
    let (gate, reached) = (Gate::default(), Arc::<Watched<usize>>::default());
    let peers = [(); 3].map(|()| {
        let (gate, reached) = (gate.clone(), Arc::clone(&reached));
        Peer::behind(listen(), move || {
            reached.change(|reached| *reached += 1);
            [vec![Step::Hold(gate.clone())], polite(GREETING)].concat()
        })
    });
    let targets = peers.each_ref().map(|peer| peer.target("ftp"));
    let words = ["--concurrency", "1", "--wordlists", "lists", "-o", "rows.ndjson"];
    let running = Running::start(scan(words).args(&targets).current_dir(folder.path()));
    drop(reached.once("a peer under way", |reached| *reached == 1));
    running.signal(SIGINT);
    running.says("stopping: ");
    gate.open();
    assert_eq!(running.end().code, Some(3));

    let elsewhere = tempfile::tempdir().unwrap();
    let output = folder.path().join("rows.ndjson");
    let ended = run(scan(["--resume".as_ref(), output.as_os_str()]).current_dir(elsewhere.path()));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let rows = rows_in(&output);
    assert_eq!((rows.len(), rows.iter().filter(|row| row["software"] == "Brandnewd").count()), (3, 3));
}
