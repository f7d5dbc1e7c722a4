//! The README's recipes, each as it is printed there: extracted, run over what a sweep of the simulated fleet found, and
//! held to ending well. Then what is said of them: that versions stay text, that columns which no row has are there, and
//! that nothing a peer says is evaluated.
//!
//! All of it runs in a network namespace in which 10.20.0.0/22 is this machine, so that the sweeps in the recipes are what
//! they say. It needs `unshare`, `ip`, `jq`, `soffice`, and what `.ci/recipes` fetches.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program::{skip, succeeds};

/// The sections whose recipes are run, after that which makes the inventory. They are independent of each other.
const SECTIONS: [&str; 6] = ["Greetings from elsewhere", "Spreadsheet", "DuckDB", "pandas", "SQLite", "jq"];
const FIRST: &str = "What to mend";

/// A row of ours beside those of the fleet: with a version that is a number to whoever guesses, and cells that would be
/// formulas.
const ODD: &str = r#"{"time":"2026-11-21T03:11:00.000000Z","ip":"10.20.3.250","port":25,"service":"smtp","outcome":"greeted","connect_ms":1.5,"code":220,"banner":"=41+1;=41+1\\r\\n","hostname":"+41+1","software":"=HYPERLINK(\"http://127.0.0.1/\",\"x\")","version":"4.90","vendor":"@SUM(41,1)","device":" =41+1","findings":["version_disclosed"],"severity":"info","attempts":1}"#;

/// A fenced block of a section: in which language, and what.
struct Recipe {
    section: String,
    language: String,
    text: String,
}

fn recipes() -> Vec<Recipe> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (mut section, mut open, mut found) = (String::new(), None::<Recipe>, Vec::new());
    for line in readme.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(recipe), _) => {
                recipe.text.push_str(line);
                recipe.text.push('\n');
            }
            (None, Some(language)) => {
                let text = String::new();
                open = Some(Recipe { section: section.clone(), language: language.to_owned(), text });
            }
            (None, None) => {
                if let Some(heading) = line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")) {
                    heading.clone_into(&mut section);
                }
            }
        }
    }
    found
}

/// Where `.ci/recipes` puts what it fetches.
fn fetched() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).join("recipes/bin")
}

const NAMESPACE: [&str; 3] = ["unshare", "--net", "--map-root-user"];

fn what_is_missing() -> Option<String> {
    let fetched = fetched();
    if !fetched.join("duckdb").exists() {
        return Some(format!("{} is not there: .ci/recipes fetches what recipes call", fetched.display()));
    }
    let local = "ip link set lo up; ip route add local 10.20.0.0/22 dev lo";
    let namespace = succeeds(Command::new(NAMESPACE[0]).args(&NAMESPACE[1..]).args(["sh", "-ec", local]));
    let versions = ["jq", "soffice", "bash"].map(|tool| succeeds(Command::new(tool).arg("--version")));
    versions.into_iter().fold(namespace, Result::and).err()
}

/// Does a section's recipes, one after the other, in a folder of its own; the first that fails ends it.
fn script(section: &str, recipes: &[Recipe], folder: &Path) -> String {
    let mut script = String::from("set -euo pipefail\nexport HOME=$PWD/home\nmkdir -p home\n");
    let mut count = 0;
    for (number, recipe) in recipes.iter().filter(|recipe| recipe.section == section).enumerate() {
        let file = format!("recipe-{number}");
        fs::write(folder.join(&file), &recipe.text).unwrap();
        let run = match recipe.language.as_str() {
            "sh" => format!("bash -euo pipefail {file} </dev/null"),
            "sql" => format!("duckdb -bail -init inventory.sql <{file}"),
            "python" => format!("python {file}"),
            other => panic!("{section}: nobody knows how to run {other}"),
        };
        script.extend(["echo '== ", &file, "' >&2\n", &run, "\n"]);
        count += 1;
    }
    assert!(count > 0, "{section} has no recipe");
    script + further(section)
}

/// What is said of a section's recipes, held against what they made.
fn further(section: &str) -> &'static str {
    match section {
        "Spreadsheet" => {
            r#"
is() { [[ $2 = *"$1"* ]] || { echo "'$1' is missing in: $2" >&2; exit 1; }; }
mkdir back
soffice --headless --convert-to csv --outdir back inventory.ods >&2
row=$(grep '^2026-11-21' back/inventory.csv | grep 10.20.3.250)
is ',4.90,' "$row"; is "'=HYPERLINK(" "$row"; is "'+41+1" "$row"; is "'@SUM(41,1)" "$row"; is "' =41+1" "$row"
# By a double click, which takes the separator that it is told, in the locale that goes with it.
soffice --headless --convert-to csv:"Text - txt - csv (StarCalc):44,34,76,1" --outdir back --infilter='CSV:59,34,76,1,,1031' inventory-excel.csv >&2
row=$(grep 10.20.3.250 back/inventory-excel.csv)
is "'=HYPERLINK(" "$row"; is "'+41+1" "$row"; is "'@SUM(41,1)" "$row"; is "'=41+1;" "$row"
[[ $row != *,42,* && $row != *Err:* && $row != *'#NAME'* ]]
"#
        }
        "DuckDB" => {
            r#"
test -s inventory.parquet || ls -l >&2
told=$(duckdb -init inventory.sql -csv -noheader -c "SELECT version, typeof(version), typeof(time), typeof(ptr), typeof(evidence[1].code), time FROM inventory WHERE ip = '10.20.3.250'")
[[ $told = '4.90,VARCHAR,TIMESTAMP,VARCHAR[],VARCHAR,"2026-11-21 03:11:00"' || $told = '4.90,VARCHAR,TIMESTAMP,VARCHAR[],VARCHAR,2026-11-21 03:11:00' ]] || { echo "$told" >&2; exit 1; }
count=$(duckdb -init inventory.sql -csv -noheader -c 'SELECT count(*) FROM inventory')
[[ $count = $(wc -l <inventory.ndjson) ]]
hailer schema duckdb inventory.csv >csv.sql
told=$(duckdb -init csv.sql -csv -noheader -c "SELECT version, typeof(version), typeof(truncated), count(*) OVER () FROM inventory ORDER BY ip = '10.20.3.250' DESC LIMIT 1")
[[ $told = "4.90,VARCHAR,BOOLEAN,$count" ]] || { echo "$told" >&2; exit 1; }
# Of CSV all but what it does not have.
sed -e '/^-- which TLS/,/;$/d' -e 's/inventory.parquet/csv.parquet/' recipe-1 >recipe-csv
duckdb -bail -init csv.sql <recipe-csv >&2
for lists in findings cert_names capabilities; do
    for init in inventory.sql csv.sql; do
        duckdb -init $init -csv -c "SELECT ip, port, unnest($lists) AS item FROM inventory ORDER BY ALL" >$init.$lists
    done
    cmp inventory.sql.$lists csv.sql.$lists
    (($(wc -l <csv.sql.$lists) > 10))
done
"#
        }
        "pandas" => {
            r#"
cat >check.py <<'END'
exec(open("recipe-0").read())
odd = rows[rows.ip == "10.20.3.250"].iloc[0]
assert odd.version == "4.90" and odd.port == 25 and str(odd.time) == "2026-11-21 03:11:00+00:00", odd
assert list(rows)[:3] == ["time", "name", "ip"] and "ptr" in rows and "injected" in rows and len(rows) == sum(1 for _ in open("inventory.ndjson"))
exec(open("recipe-1").read())
odd = rows[rows.ip == "10.20.3.250"].iloc[0]
assert odd.version == "4.90" and odd.findings == ["version_disclosed"], odd
END
python check.py
# Where nothing is found, nothing is counted.
mkdir quiet
head -n 1 inventory.ndjson | jq -c 'del(.findings, .findings_detail, .severity)' >quiet/inventory.ndjson
hailer report quiet/inventory.ndjson -o quiet/inventory.csv >&2
(cd quiet && python ../recipe-0 && python ../recipe-1)
"#
        }
        "SQLite" => {
            r#"
told=$(sqlite-utils inventory.db --csv --no-headers "select version, typeof(version), typeof(port), typeof(connect_ms), ptr is null from rows where ip = '10.20.3.250'")
[[ $told = 4.90,text,integer,real,1* ]] || { echo "$told" >&2; exit 1; }
"#
        }
        _ => "",
    }
}

#[test]
fn recipes_are_run_as_they_are_printed() {
    if let Some(why) = what_is_missing() {
        return skip(&why);
    }
    let folder = tempfile::tempdir().unwrap();
    let recipes = recipes();
    let of = |section: &str| {
        let folder = folder.path().join(section);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("run"), script(section, &recipes, &folder)).unwrap();
        folder
    };
    let first = of(FIRST);
    SECTIONS.into_iter().map(of).for_each(drop);
    let found = folder.path().join("Greetings from elsewhere/found.json");
    fs::write(found, "{\"ip\":\"192.0.2.7\",\"port\":21,\"data\":{\"banner\":\"220 (vsFTPd 3.0.5)\\r\\n\"}}\n")
        .unwrap();
    fs::write(first.join("odd"), format!("{ODD}\n")).unwrap();

    let program = Path::new(env!("CARGO_BIN_EXE_hailer")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{}:{path}", program.display(), fetched().display());
    let driver = folder.path().join("driver");
    fs::write(
        &driver,
        DRIVER.replace("FIRST", FIRST).replace("SECTIONS", &SECTIONS.map(|it| format!("'{it}'")).join(" ")),
    )
    .unwrap();
    fs::set_permissions(&driver, fs::Permissions::from_mode(0o755)).unwrap();
    // Longer than any other program is waited for: one recipe is patient.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "900"]).args(NAMESPACE).arg("bash").arg(&driver).current_dir(folder.path());
    let ended = command.env("PATH", path).env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).output().unwrap();
    let mut told = String::from_utf8_lossy(&ended.stderr).into_owned();
    for section in [FIRST].iter().chain(&SECTIONS) {
        let said = |file: &str| fs::read_to_string(folder.path().join(section).join(file)).unwrap_or_default();
        if said("code").trim() != "0" {
            told.extend(["\n", section, ": exit code ", &said("code"), "\n", &said("out"), "\n", &said("err")]);
        }
    }
    assert_eq!(ended.status.code(), Some(0), "{told}");
    for section in [FIRST].iter().chain(&SECTIONS) {
        let out = fs::read_to_string(folder.path().join(section).join("out")).unwrap();
        assert!(out.lines().count() > 1, "{section} says nothing: {out}");
    }
}

/// The fleet, the recipes that make the inventory, and then all others beside each other.
const DRIVER: &str = r#"
set -uo pipefail
ip link set lo up
ip route add local 10.20.0.0/22 dev lo
hailer fleet --serve --at 10.20.0.1 --beyond-loopback --usual-ports --hosts 60 --depth tls --pause 1s 2>fleet &
fleet=$!
trap 'kill $fleet' EXIT
until grep -q 'Ctrl-C ends it' fleet; do
    kill -0 $fleet || { cat fleet; exit 1; }
    sleep 0.1
done
(cd 'FIRST' && bash run >out 2>err; echo $? >code)
[[ $(cat 'FIRST/code') = 0 ]] || exit 1
# Both formats hold the odd row.
cat 'FIRST/odd' >>'FIRST/inventory.ndjson'
hailer report 'FIRST/inventory.ndjson' -o 'FIRST/inventory.csv' --overwrite >/dev/null || exit 1
jobs=()
for section in SECTIONS; do
    cp 'FIRST'/inventory.{csv,ndjson} "$section"
    (cd "$section" && bash run >out 2>err; echo $? >code; [[ $(cat code) = 0 ]]) &
    jobs+=($!)
done
code=0
for job in "${jobs[@]}"; do wait "$job" || code=1; done
exit $code
"#;
