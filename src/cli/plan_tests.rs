//! Command lines, and what they come to.

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use hailer::{Canary, Error, Limit, Rate, Roots, Service};
use indicatif::ProgressBar;
use tempfile::TempDir;

use super::super::keeper::keep;
use super::super::outputs::Outputs;
use super::*;

fn parse(line: &str) -> Result<ScanArgs, String> {
    let words = format!("scan {line}");
    ScanArgs::read(words.split_whitespace()).map_err(|error| error.to_string())
}

fn refusal(line: &str) -> String {
    match Plan::new(parse(line).unwrap()).expect_err(line) {
        Failure::Usage(words) | Failure::Policy(words) | Failure::Failed(words) => words,
    }
}

/// A command line, and what it changes in the default configuration.
#[test]
fn settings_reach_the_configuration() {
    type Change = fn(&mut Config);
    let table: &[(&str, Change)] = &[
        ("10.0.0.1", |_| {}),
        ("10.0.0.1 --connect-timeout 2.5s", |config| config.connect_timeout = Duration::from_millis(2500)),
        ("10.0.0.1 --connect-timeout auto", |config| config.learn_connect_timeout = true),
        ("10.0.0.1 --retries 2", |config| config.retries = 2),
        ("10.0.0.1 --tls-timeout 800ms", |config| config.tls_timeout = Duration::from_millis(800)),
        ("10.0.0.1 --greeting-timeout 7", |config| {
            config.mail_greeting_timeout = Duration::from_secs(7);
            config.ftp_greeting_timeout = Duration::from_secs(7);
        }),
        ("10.0.0.1 --leave close", |config| config.leave = Leave::Close),
        ("10.0.0.1 --all --seed 7", |config| (config.all, config.seed) = (true, Some(7))),
        ("10.0.0.1 --concurrency 9", |config| config.concurrency = NonZeroUsize::new(9)),
        ("10.0.0.1 --source 127.0.0.1 --source ::1", |config| {
            config.source = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        }),
        ("10.0.0.1 --interface lo", |config| config.interface = Some("lo".into())),
        ("10.0.0.1 --rate 0.5", |config| config.rate = Rate::per_second(0.5).map(Limit::Rate)),
        ("10.0.0.1 --rate none --per-prefix none", |config| {
            (config.rate, config.per_prefix) = (Some(Limit::None), Some(Limit::None));
        }),
        ("10.0.0.1 --per-prefix 20", |config| config.per_prefix = Rate::per_second(20.0).map(Limit::Rate)),
        ("10.0.0.1 --per-host 3", |config| config.per_host = NonZeroU32::new(3).unwrap()),
        ("10.0.0.1 --profile own", |config| config.profile = Some(Profile::Own)),
        ("10.0.0.1 --retry-busy 2", |config| config.retry_busy = 2),
        ("10.0.0.1 --samples 5 --sample-interval 250ms", |config| {
            (config.samples, config.sample_interval) = (NonZeroU32::new(5).unwrap(), Duration::from_millis(250));
        }),
        ("10.0.0.1 --decoy 65000", |config| config.decoy = Some(65000)),
        ("10.0.0.1 --our-address 192.0.2.7 --our-address 2001:db8::7", |config| {
            config.our_addresses = vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        }),
        ("10.0.0.1 --canary 127.0.0.1:25 --canary [::1]:2121=ftp", |config| {
            let canary = |address: &str, service| Canary { address: address.parse().unwrap(), service };
            config.canaries = vec![canary("127.0.0.1:25", Service::Smtp), canary("[::1]:2121", Service::Ftp)];
        }),
        ("10.0.0.1 --resolver 127.0.0.53 --resolver [::1]:5353", |config| {
            config.resolvers = vec!["127.0.0.53:53".parse().unwrap(), "[::1]:5353".parse().unwrap()];
        }),
        ("10.0.0.1 --roots webpki", |_| {}),
        ("10.0.0.1 --roots system", |config| config.roots = Roots::System),
        ("10.0.0.1 --roots ca.pem", |config| config.roots = Roots::File("ca.pem".into())),
        ("10.0.0.1 --shard 3/16", |config| config.shard = "3/16".parse().unwrap()),
        ("10.0.0.1 --shard-index 2 --shard-count 16", |config| config.shard = "3/16".parse().unwrap()),
        ("10.0.0.1 --i-am-authorised --contact noc@example.com", |config| config.authorised = true),
        ("10.0.0.1 --i-am-authorised", |_| {}),
        ("10.0.0.1 --i-am-authorised --contact=", |_| {}),
        ("10.0.0.1 --contact noc@example.com", |_| {}),
    ];
    for (line, change) in table {
        let mut expected = Config::default();
        change(&mut expected);
        let found = settings(&parse(line).unwrap()).unwrap();
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{line}");
    }
}

#[test]
fn endpoints_are_counted() {
    let table = [
        ("10.0.0.0/30", 20),
        ("10.0.0.0/30 -p 25", 4),
        ("10.0.0.0/8 -p 21", 1 << 24),
        ("10.0.0.1 ::1 -4", 5),
        ("10.0.0.1 ::1 -6 -p 21", 1),
        ("10.0.0.1:21 host.example -p 25", 2),
        // A fleet of machines may be larger than what there is to do.
        ("10.0.0.1 -p 21 --shard 1/2", 1),
        ("10.0.0.1 -p 21 --shard 2/2", 0),
    ];
    for (line, endpoints) in table {
        assert_eq!(Plan::new(parse(line).unwrap()).unwrap().scan.endpoints(), endpoints, "{line}");
    }
}

#[test]
fn refusals_name_the_word() {
    let table = [
        ("10.0.0.0/33", "target '10.0.0.0/33': '/33' is not a prefix length"),
        ("10.0.0.1 -p 21,4711", "-p 21,4711: no service is known for port 4711"),
        ("@/nonexistent/list", "/nonexistent/list: cannot read targets: No such file"),
        ("10.0.0.1 -o out.doc", "-o out.doc: no format is known by this ending"),
        ("10.0.0.1 -o a.csv -o a.csv", "-o a.csv: it is named twice"),
        ("10.0.0.1 -o a.csv -o ./src/../a.csv", "-o ./src/../a.csv: it is named twice"),
        ("::1 -4", "no targets: all 1 of them"),
        ("2001:db8::/32", "the targets have"),
        ("10.0.0.1 -x 10.0.0.2,10.0.0.0/33", "--exclude '10.0.0.0/33': '/33' is not a prefix length"),
        ("10.0.0.1 --exclude-file /nonexistent/list", "/nonexistent/list: cannot read exclusions: No such file"),
        ("10.0.0.1 --shard-index 16 --shard-count 16", "--shard-index 16: of 16 shards the last is 15"),
        (
            "10.0.0.1 --shard-index 4294967295 --shard-count 4294967295",
            "--shard-index 4294967295: of 4294967295 shards the last is 4294967294",
        ),
        ("10.0.0.1 --samples 101", "101 connections to each endpoint are too many"),
        ("10.0.0.1 --decoy 587", "port 587 is no decoy: name one"),
        ("10.0.0.1:2121=ftp --decoy 2121", "port 2121 is no decoy: name one"),
        ("10.0.0.1 --our-address 192.0.2.7 --our-address ::", ":: is not an address that anybody sees us at"),
        ("--resume nosuch.csv", "--resume nosuch.csv: there is no journal nosuch.csv.hailer: name the first output"),
    ];
    for (line, expected) in table {
        let words = refusal(line);
        assert!(words.starts_with(expected), "{line}: {words}");
    }
    let not_together = [
        "",
        "10.0.0.1 -4 -6",
        "10.0.0.1 --shard 1/2 --shard-index 0 --shard-count 2",
        "10.0.0.1 --shard-index 0",
        "10.0.0.1 --shard-count 2",
        "10.0.0.1 --samples 0",
        "10.0.0.1 --decoy 0",
        "10.0.0.1 --our-address nat.example",
        "--resume rows.csv --overwrite",
        "--resume rows.csv --list",
    ];
    for line in not_together {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn an_existing_output_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    fs::write(&path, "precious").unwrap();
    let line = format!("10.0.0.1 -o {}", path.display());
    assert!(refusal(&line).contains("--overwrite"));
    assert!(Plan::new(parse(&format!("{line} --overwrite")).unwrap()).is_ok());
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious", "a plan writes nothing");
    fs::write(&path, "").unwrap();
    assert!(Plan::new(parse(&line).unwrap()).is_ok(), "an empty file has nothing to lose");
}

/// Also where it is to be replaced, and by another name.
#[test]
fn what_a_scan_reads_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [list, name, link] = ["list.csv", "name.csv", "link.xlsx"].map(path);
    fs::write(&list, "10.0.0.1").unwrap();
    fs::hard_link(&list, &name).unwrap();
    std::os::unix::fs::symlink(&list, &link).unwrap();
    for (words, of) in [
        (format!("@{list} -o {list}"), "targets"),
        (format!("@{list} -o {list} --overwrite"), "targets"),
        (format!("10.0.0.2 @{name} -o {list} --overwrite"), "targets"),
        (format!("@{list} -o {link} --overwrite"), "targets"),
        (format!("10.0.0.2 --exclude-file {list} -o new.csv -o {list} --overwrite"), "exclusions"),
        (format!("10.0.0.2 --roots {list} -o {list} --overwrite"), "roots"),
    ] {
        let told = refusal(&words);
        assert!(told.ends_with(&format!(": the {of} come from there: name another file")), "{words}: {told}");
    }
    assert_eq!(fs::read_to_string(list).unwrap(), "10.0.0.1");
}

/// Wherever in the command line it is named.
#[test]
fn what_scans_left_beside_an_output_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (left, expected) in [
        ("rows.csv.manifest.json", "it is gone, but the manifest of its scan is there"),
        ("rows.csv.hailer", "it is gone, but the journal of its unfinished scan is there"),
    ] {
        fs::write(path(left), "precious").unwrap();
        for line in [format!("-o {}", path("rows.csv")), format!("-o {} -o {}", path("a.csv"), path("rows.csv"))] {
            let words = refusal(&format!("10.0.0.1 {line}"));
            assert!(words.starts_with(&format!("-o {}: {expected}", path("rows.csv"))), "{words}");
            assert!(Plan::new(parse(&format!("10.0.0.1 {line} --overwrite")).unwrap()).is_ok());
        }
        assert_eq!(fs::read_to_string(path(left)).unwrap(), "precious", "a plan removes nothing");
        fs::remove_file(path(left)).unwrap();
    }
}

/// Workbooks and pages cannot be read back, CSV and chosen columns do not have all of a row, and a stream has no manifest.
#[test]
fn what_no_output_would_keep_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |line: &str| {
        let line = line.replace("{}", &folder.path().display().to_string());
        Plan::new(parse(&format!("127.0.0.1 -p 21 {line}")).unwrap())
    };
    for (line, expected) in [
        ("--shard 1/2 -o {}/a.xlsx -o {}/a.html", "--shard: workbooks and pages cannot be read back"),
        ("--shard 1/2 -o {}/a.csv --columns software,version", "--shard: rows without 'ip' cannot be read back"),
        ("--shard 1/2 -o {}/a.xlsx -o {}/a.csv --columns ip,port,service", "--shard: rows without 'outcome' cannot"),
    ] {
        match plan(line) {
            Err(Failure::Usage(words)) => assert!(words.starts_with(expected), "{line}: {words}"),
            other => panic!("it should be refused: {line}: {other:?}"),
        }
    }
    let told = |line: &str| plan(line).unwrap().remarks;
    let without = |option: &str| format!("{option}: no output has all of it, as NDJSON does: add -o FILE.ndjson");
    for line in ["-o {}/a.html", "-o {}/a.csv", "-o {}/a.html -o {}/a.csv"] {
        let expected = ["--transcript", "--samples"].map(without);
        assert_eq!(told(&format!("--transcript --samples 2 {line}")), expected, "{line}");
    }
    assert_eq!(told("--transcript -o {}/a.xlsx"), [without("--transcript")]);
    let chosen = told("--transcript -o {}/a.xlsx -o {}/a.ndjson --columns ip,port,service,outcome");
    assert_eq!(chosen, ["--transcript: no output has all of it: name 'transcript' in --columns"]);
    std::os::unix::fs::symlink("/dev/null", folder.path().join("null.csv")).unwrap();
    let streamed = told("--shard 1/2 -o {}/a.xlsx -o {}/null.csv").concat();
    assert!(streamed.starts_with("--shard: what goes to a stream has no manifest"), "{streamed}");
    assert_eq!(told("--shard 1/2 -o {}/null.csv --columns software"), [""; 0]);
    for line in [
        "--shard 1/2 --transcript -o {}/a.xlsx -o {}/a.ndjson",
        "--shard 1/1 --samples 1 -o {}/a.xlsx",
        "--shard 1/2 -o {}/a.csv --columns outcome,service,port,ip",
        "--samples 2 -o {}/a.ndjson --columns ip,port,service,outcome,variants",
        "-o {}/null.csv -o - --columns software",
    ] {
        assert_eq!(told(line), [""; 0], "{line}");
    }
    for (columns, missing) in
        [("software,ip,port,service", "'outcome'"), ("software", "'ip', 'port', 'service', 'outcome'")]
    {
        let expected =
            format!("--columns: rows without {missing} cannot be read back (report, diff): name them all there");
        for line in ["-o {}/a.csv", "-o {}/a.xlsx -o {}/a.ndjson"] {
            assert_eq!(told(&format!("{line} --columns {columns}")), [expected.as_str()], "{line} {columns}");
        }
    }
}

#[test]
fn a_scan_that_is_refused_leaves_what_names_led_to() {
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("rows.csv.hailer-names");
    fs::write(&names, "precious").unwrap();
    let line = format!("mail.example -o {}", folder.path().join("rows.csv").display());
    assert!(refusal(&format!("{line} --interface nosuch0")).contains("nosuch0"));
    drop(Plan::new(parse(&line).unwrap()).unwrap());
    assert_eq!(fs::read_to_string(&names).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// What was begun to another output is not gone on with where its file was replaced.
#[test]
fn a_scan_takes_the_journals_of_all_its_outputs() {
    let left = Left::begin("127.0.0.1 -p 21 -o {}/rows.csv");
    let mut plan = left.plan("127.0.0.1 -p 21 -o {}/a.csv -o {}/rows.csv --overwrite").unwrap();
    let (mut outputs, handles) = Outputs::open(&mut plan.destination, &plan.layouts, &ProgressBar::hidden()).unwrap();
    plan.kept.as_mut().unwrap().begin(&mut outputs, handles, None).unwrap();
    drop(plan);
    left.assert_refused("--resume {}/rows.csv", "--resume {}/rows.csv: there is no journal {}/rows.csv.hailer");
    assert!(left.plan("--resume {}/a.csv").is_ok());
}

#[test]
fn a_bad_line_in_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nets.txt");
    fs::write(&path, "10.0.0.1\n10.0.0.0/16 10.0.0.999\n").unwrap();
    let words = refusal(&format!("@{}", path.display()));
    assert!(words.contains("nets.txt:2:13: '10.0.0.999': it looks like an address"), "{words}");
}

#[test]
fn leave_that_is_missing_is_a_matter_of_policy() {
    let error = Error::NotAuthorised { public: 2, most: 1 };
    assert!(matches!(Failure::from(error), Failure::Policy(words) if words.contains("--i-am-authorised")));
    assert!(matches!(Failure::from(Error::NoTargets), Failure::Usage(_)));
}

/// A scan that was begun and left: its first journal is written, and nothing more.
struct Left {
    folder: TempDir,
}

impl Left {
    /// `{}` in the line stands for the folder, in which there is a list of targets.
    fn begin(line: &str) -> Self {
        let left = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(left.path("nets.txt"), "127.0.0.0/28").unwrap();
        let mut plan = left.plan(line).unwrap_or_else(|words| panic!("{line}: {words}"));
        let (mut outputs, handles) =
            Outputs::open(&mut plan.destination, &plan.layouts, &ProgressBar::hidden()).unwrap();
        let mut kept = plan.kept.unwrap();
        let mut disk = kept.begin(&mut outputs, handles, None).unwrap();
        let mark = Mark { lengths: outputs.mark().unwrap(), ..Mark::default() };
        keep(&mut disk, &mut kept.journal, mark).unwrap();
        left
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn plan(&self, line: &str) -> Result<Plan, String> {
        let line = line.replace("{}", self.folder.path().to_str().unwrap());
        Plan::new(parse(&line)?).map_err(|failure| match failure {
            Failure::Usage(words) => words,
            Failure::Policy(words) | Failure::Failed(words) => panic!("no matter of usage: {words}"),
        })
    }

    fn assert_refused(&self, line: &str, expected: &str) {
        let words = self.plan(line).expect_err(line);
        let expected = expected.replace("{}", self.folder.path().to_str().unwrap());
        assert!(words.starts_with(&expected), "{line}: {words}");
    }
}

const LINE: &str =
    "@{}/nets.txt -p 21,25 -x 127.0.0.99 --seed 7 -o {}/rows.csv -o {}/rows.ndjson --rate 9 --retry-busy 1";

#[test]
fn a_scan_goes_on_as_it_began_but_for_what_is_given_anew() {
    let left = Left::begin(LINE);
    let first = fs::read_to_string(left.path("rows.csv.hailer")).unwrap();
    for line in ["--resume {}/rows.csv", "--resume {}/rows.csv.hailer", "127.0.0.0/28 --seed 7 --resume {}/rows.csv"] {
        let plan = left.plan(line).unwrap_or_else(|words| panic!("{line}: {words}"));
        assert_eq!((plan.scan.endpoints(), plan.scan.seed()), (32, 7), "{line}");
        assert!(plan.scan.pace().starts_with("9/s"), "{}", plan.scan.pace());
        let kept = plan.kept.unwrap();
        assert!(kept.is_resumed);
        assert_eq!(
            (kept.facts.settings.retry_busy, kept.facts.settings.concurrency),
            (1, plan.scan.concurrency().get())
        );
        assert_eq!(kept.beside.output().to_str(), Some(left.path("rows.csv").as_str()));
    }
    let plan = left.plan("--resume {}/rows.csv --rate none --retry-busy 3 --concurrency 5 -q --threads 2").unwrap();
    assert!(plan.scan.pace().starts_with("no rate"), "{}", plan.scan.pace());
    assert_eq!((plan.scan.concurrency().get(), plan.quiet, plan.threads), (5, true, 2));
    let kept = plan.kept.unwrap();
    assert_eq!((kept.facts.settings.retry_busy, &kept.journal.command["rate"]), (3, &vec!["none".to_owned()]));
    assert_eq!(fs::read_to_string(left.path("rows.csv.hailer")).unwrap(), first, "a plan writes no journal");
}

#[test]
fn a_scan_does_not_go_on_as_another() {
    let left = Left::begin(LINE);
    let table = [
        ("--seed 8", "cannot go on from {}/rows.csv.hailer: its seed is 7 and cannot become 8"),
        ("--shard 1/2", "cannot go on from {}/rows.csv.hailer: its shard is 1/1 and cannot become 1/2"),
        ("--all", "cannot go on from {}/rows.csv.hailer: it began without --all"),
        ("127.0.1.0/28", "cannot go on from {}/rows.csv.hailer: the targets, ports or exclusions are others"),
        ("-p 21", "cannot go on from {}/rows.csv.hailer: the targets, ports or exclusions are others"),
        ("-o {}/rows.csv", "--resume: the scan also writes to {}/rows.ndjson: name every output, or none"),
        ("-o {}/rows.csv -o {}/b.csv", "-o {}/b.csv: the scan did not begin with this output"),
    ];
    for (words, expected) in table {
        left.assert_refused(&format!("--resume {{}}/rows.csv {words}"), expected);
    }
    fs::write(left.path("nets.txt"), "127.0.1.0/28").unwrap();
    let expected = "cannot go on from {}/rows.csv.hailer: the targets, ports or exclusions are others than those that it \
        began with: has a list changed ({}/nets.txt)?";
    left.assert_refused("--resume {}/rows.csv", expected);
}

#[test]
fn a_journal_that_is_none_is_refused() {
    let left = Left::begin(LINE);
    let journal = fs::read_to_string(left.path("rows.csv.hailer")).unwrap();
    let option = journal.replace("\"retry_busy\"", "\"retry_idle\"");
    let version = journal.replace("\"hailer_journal\":1", "\"hailer_journal\":2");
    let contradiction = journal.replace("\"next\":0,\"unfinished\":[]", "\"next\":2,\"unfinished\":[0,0]");
    let table = [
        (&journal[..99], "--resume {}/rows.csv: cannot go on from {}/rows.csv.hailer: it is torn"),
        ("time,name\n", "--resume {}/rows.csv: cannot go on from {}/rows.csv.hailer: it is not a journal of hailer"),
        (&version, "--resume {}/rows.csv: cannot go on from {}/rows.csv.hailer: it is of version 2"),
        (
            &option,
            "cannot go on from {}/rows.csv.hailer: its command line cannot be repeated: there is no option 'retry_idle'",
        ),
        (&contradiction, "cannot go on from {}/rows.csv.hailer: it contradicts itself: it is damaged, or was changed;"),
    ];
    for (content, expected) in table {
        fs::write(left.path("rows.csv.hailer"), content).unwrap();
        left.assert_refused("--resume {}/rows.csv", expected);
    }
    fs::write(left.path("other.csv.hailer"), &journal).unwrap();
    left.assert_refused(
        "--resume {}/other.csv",
        "--resume {}/other.csv: it was moved: its journal speaks of {}/rows.csv",
    );
    fs::rename(left.path("rows.csv.hailer"), left.path("rows.csv.manifest.json")).unwrap();
    left.assert_refused("--resume {}/rows.csv", "--resume {}/rows.csv: nothing is left to do: the scan is finished");
}

#[test]
fn outputs_that_do_not_fit_their_journal_are_refused() {
    let left = Left::begin(LINE);
    let new = "127.0.0.1 -o {}/rows.csv";
    let expected = "-o {}/rows.csv: an unfinished scan wrote it: go on with it (--resume) or replace it (--overwrite)";
    left.assert_refused(new, expected);
    for other in ["rows.ndjson.manifest.json", "rows.ndjson.hailer"] {
        fs::write(left.path(other), "").unwrap();
        assert!(left.plan("127.0.0.1 -o {}/rows.ndjson").is_err(), "it is empty, but that is what a scan came to");
        left.assert_refused("--resume {}/rows.csv", "-o {}/rows.ndjson: another scan has written to it since");
        fs::remove_file(left.path(other)).unwrap();
    }
    let manifest = left.path("rows.csv.manifest.json");
    fs::write(&manifest, "{}").unwrap();
    left.assert_refused("--resume {}/rows.csv", "-o {}/rows.csv: another scan has written to it since");
    fs::remove_file(manifest).unwrap();
    let header = fs::read(left.path("rows.csv")).unwrap();
    fs::write(left.path("rows.csv"), "time").unwrap();
    left.assert_refused("--resume {}/rows.csv", "-o {}/rows.csv: it is shorter than its journal says");
    fs::remove_file(left.path("rows.csv")).unwrap();
    left.assert_refused("--resume {}/rows.csv", "-o {}/rows.csv: it cannot be gone on with: No such file");
    left.assert_refused(new, "-o {}/rows.csv: it is gone, but the journal of its unfinished scan is there");
    fs::write(left.path("rows.csv"), header).unwrap();
    assert!(left.plan("--resume {}/rows.csv").is_ok());
    assert!(left.plan(&format!("{new} --overwrite")).is_ok());
}

#[test]
fn a_journal_that_has_changed_is_not_gone_on_from() {
    let left = Left::begin(LINE);
    let (path, output) = (left.path("rows.csv.hailer"), left.path("rows.csv"));
    let resumed = Resumed::open(Path::new(&output)).unwrap();
    assert!(resumed.is_left_still().is_ok());
    let mut later = Journal::read(Path::new(&path)).unwrap();
    later.mark.tally.rows += 1;
    later.write(Path::new(&path)).unwrap();
    assert!(resumed.is_left_still().is_err());
    fs::remove_file(&path).unwrap();
    assert!(resumed.is_left_still().is_err());
}

#[test]
fn a_shard_may_be_named_in_other_words_and_quiet_is_not_kept() {
    let left = Left::begin("127.0.0.0/28 --shard 3/4 -q -o {}/rows.csv");
    for (line, quiet) in [
        ("--resume {}/rows.csv", false),
        ("--resume {}/rows.csv -q --shard-index 2 --shard-count 4", true),
        ("--resume {}/rows.csv --shard 3/4", false),
    ] {
        assert_eq!(left.plan(line).map(|plan| plan.quiet), Ok(quiet), "{line}");
    }
    left.assert_refused("--resume {}/rows.csv --shard-index 1 --shard-count 4", "cannot go on from");
}

/// A workbook takes the place of a name, rows are written to what it stands for.
#[test]
fn two_outputs_are_two_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let [one, other, book] = ["one.csv", "other.csv", "book.xlsx"].map(path);
    fs::write(&one, "").unwrap();
    for name in [&other, &book] {
        fs::hard_link(&one, name).unwrap();
    }
    let words = refusal(&format!("127.0.0.1 -o {one} -o {other} --overwrite"));
    assert_eq!(words, format!("-o {other}: it is the same file as {one}: name another"));
    assert!(Plan::new(parse(&format!("127.0.0.1 -o {one} -o {book} --overwrite")).unwrap()).is_ok());
}

#[test]
fn two_scans_do_not_write_to_one_file() {
    let left = Left::begin(LINE);
    let first = left.plan("--resume {}/rows.csv").unwrap();
    for line in ["--resume {}/rows.csv", "127.0.0.1 -o {}/rows.csv --overwrite"] {
        left.assert_refused(line, "-o {}/rows.csv: another scan is writing to it: wait until that has ended");
    }
    drop(first);
    assert!(left.plan("--resume {}/rows.csv").is_ok());
}
