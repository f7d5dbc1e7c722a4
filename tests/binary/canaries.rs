//! A canary that falls silent in the middle of a scan: nothing is begun until it answers, and the end tells how it went.

use std::fs;
use std::sync::Arc;

use hailer::manifest::Interval;
use serde_json::{Value, json};

use super::peers::{Gate, Peer, Step, listen, polite};
use super::program::{Running, Watched, rows_in, scan};

/// What a canary does, and how often it did not answer.
#[derive(Debug, Default)]
struct Mood {
    silent: bool,
    failed: usize,
}

fn moody_canary() -> (Peer, Arc<Watched<Mood>>) {
    let mood = Arc::<Watched<Mood>>::default();
    let of_canary = Arc::clone(&mood);
    let peer = Peer::behind(listen(), move || {
        let mut steps = polite("220 tweet\r\n");
        of_canary.change(|mood| {
            if mood.silent {
                mood.failed += 1;
                // It hangs up without a word.
                steps.clear();
            }
        });
        steps
    });
    (peer, mood)
}

/// It takes the ten seconds between two hails.
#[test]
fn a_canary_that_falls_silent_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (canary, mood) = moody_canary();
    let gate = Gate::default();
    let reached = Arc::<Watched<usize>>::default();
    let peers = [(); 5].map(|()| {
        let (gate, reached) = (gate.clone(), Arc::clone(&reached));
        Peer::behind(listen(), move || {
            reached.change(|reached| *reached += 1);
            [vec![Step::Hold(gate.clone())], polite("220 ready\r\n")].concat()
        })
    });
    let words = ["--concurrency", "2", "--greeting-timeout", "300", "-o", "rows.ndjson", "--canary"];
    let words = words.map(str::to_owned).into_iter().chain([canary.target("smtp")]);
    let targets = peers.iter().map(|peer| peer.target("smtp"));
    let running = Running::start(scan(words.chain(targets)).current_dir(folder.path()));
    drop(reached.once("two peers under way", |reached| *reached == 2));

    mood.change(|mood| mood.silent = true);
    running.says(&format!("\npaused: the canary {} does not answer (closed); waiting for it\n", canary.address));
    // What was under way comes to its end, and leaves its slots to nobody.
    gate.open();
    for peer in peers.iter().filter(|peer| peer.connections() == 1) {
        peer.report();
    }
    let failed = mood.now().failed;
    drop(mood.once("more hails in vain", |mood| mood.failed > failed));
    assert_eq!(*reached.now(), 2, "nothing is begun while the canary is silent");
    mood.change(|mood| mood.silent = false);
    running.says("\ngoing on: the canaries answer\n");

    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut found: Vec<_> = rows_in(&folder.path().join("rows.ndjson"))
        .iter()
        .map(|row| (row["ip"].clone(), row["outcome"].clone()))
        .collect();
    found.sort_by_key(|(ip, _)| ip.to_string());
    let mut expected = peers.each_ref().map(|peer| (json!(peer.address.ip().to_string()), json!("greeted")));
    expected.sort_by_key(|(ip, _)| ip.to_string());
    assert_eq!(found, expected);

    let manifest = fs::read(folder.path().join("rows.ndjson.manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    // Before, in vain, and after, if not more in between; what was asked while all waited is not counted.
    let hailed = manifest["canaries"]["hailed"].as_u64().unwrap();
    let (failed, counted) = (1, 3..=u64::try_from(canary.connections() - mood.now().failed + 1).unwrap());
    assert!(
        counted.contains(&hailed),
        "{hailed} of {} connections, {} in vain",
        canary.connections(),
        mood.now().failed
    );
    let interval = Interval::wilson(failed, hailed).unwrap();
    // As it is read back: the last digit may be another.
    let expected = json!({"hailed": hailed, "failed": failed, "loss_on_the_canary_path": interval}).to_string();
    assert_eq!(manifest["canaries"], serde_json::from_str::<Value>(&expected).unwrap());
    assert!(0.0 < interval.low && interval.low < interval.rate && interval.rate < interval.high && interval.high < 1.0);
    let told = format!("\n{failed} of {hailed} hails of canaries failed: ");
    assert!(ended.stderr.contains(&told), "{}", ended.stderr);
}
