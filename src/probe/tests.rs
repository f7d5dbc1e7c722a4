//! Every script in `tests/peers/` is played, on a paused clock, and its row held against what the script says.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::scripted::{OURS, Script, Scripted};
use super::*;
use crate::classify::Classifier;
use crate::config::Config;
use crate::observation::{Legacy, Service};
use crate::schedule::{Checkpoint, Order, Pace, Patience, Setup, Shard};
use crate::target::{Family, Ports, Targets};

/// A script, whom it plays, and what must come of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scene {
    about: String,
    service: String,
    name: Option<String>,
    leave: Option<String>,
    depth: Option<String>,
    #[serde(default)]
    anonymous: bool,
    #[serde(default)]
    peer: Script,
    row: Expected,
}

/// What the row must say. Times are seconds from the start of the connect, and exact: the clock is ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: String,
    detail: Option<String>,
    protocol: Option<String>,
    code: Option<u16>,
    /// The greeting, or what came in place of one.
    greeting: Option<String>,
    /// Or only how long it is.
    greeting_len: Option<usize>,
    /// What came after the greeting.
    after: Option<String>,
    /// Or only how long it is.
    after_len: Option<usize>,
    software: Option<String>,
    tls: Option<String>,
    tls_error: Option<String>,
    cert_status: Option<String>,
    /// What is offered; a scene in depth must say it.
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    auth: Vec<String>,
    #[serde(default)]
    pasv: Vec<String>,
    /// How the server refuses TLS of the past.
    legacy: Option<String>,
    /// Everything that was dialled, where that is more than the endpoint.
    dialled: Option<Vec<String>>,
    /// Why the dialogue broke off.
    broken_off: Option<String>,
    /// What stood between the leave to begin TLS and the handshake.
    injected: Option<String>,
    /// What came before it was asked for.
    unasked: Option<String>,
    #[serde(default)]
    truncated: bool,
    attempts: Option<u32>,
    /// When the greeting was complete.
    greeted_at: Option<f64>,
    /// When the row was final.
    row_at: f64,
    /// When the peer saw our FIN, where it was still there to see it.
    fin_at: Option<f64>,
    /// Everything that we said.
    said: Option<String>,
    /// When we said QUIT.
    quit_at: Option<f64>,
    /// How the peer ended it before us, `fin` or `reset`, and when.
    ended: Option<(String, f64)>,
    /// When each read's worth of what it said came.
    arrivals: Option<Vec<f64>>,
}

fn scenes() -> Vec<(PathBuf, Scene)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let scene = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, scene)
    };
    paths.into_iter().map(read).collect()
}

pub(crate) fn prober(network: Scripted, leave: Leave) -> Prober<Scripted> {
    let config = Config::default();
    Prober {
        network,
        tls: TlsClient::new(Arc::new(Certificates::new(Anchors::read(&Roots::Public).unwrap()))),
        neighbours: Neighbours::new(Vec::new()),
        settings: Settings {
            tls_timeout: config.tls_timeout,
            mail_greeting_timeout: config.mail_greeting_timeout,
            ftp_greeting_timeout: config.ftp_greeting_timeout,
            leave,
            ask: Ask::default(),
            ehlo_name: Some("scan.example.net".into()),
            transcript: false,
        },
        uplink: Uplink::default(),
        agenda: agenda(),
    }
}

/// An agenda for those who take nothing from it.
fn agenda() -> Arc<Agenda> {
    let mut builder = Targets::builder();
    builder.add("192.0.2.1:1=ftp").unwrap();
    let targets = builder.build(&Ports::default(), Family::Any).unwrap();
    let order = Order::new(targets.len(), 0, Shard::WHOLE);
    let setup = Setup {
        targets,
        order,
        pace: Pace::default(),
        slots: 1,
        retries: false,
        patience: Patience::new(Config::default().connect_timeout, false),
        from: Checkpoint::default(),
    };
    Agenda::new(setup).0
}

#[test]
fn every_scripted_peer_gets_its_row() {
    let scenes = scenes();
    assert!(scenes.len() > 30, "the scripts are there");
    for (path, scene) in scenes {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(&format!("{file} ({})", scene.about), scene));
    }
}

async fn play(what: &str, scene: Scene) {
    let leave = if scene.leave.as_deref() == Some("close") { Leave::Close } else { Leave::Quit };
    let depths = [Depth::Greeting, Depth::Features, Depth::Tls];
    let depth = scene.depth.as_deref().unwrap_or("greeting");
    let network = Scripted::everywhere(scene.peer);
    let mut prober = prober(network.clone(), leave);
    prober.settings.ask.depth = depths.into_iter().find(|known| known.as_str() == depth).expect(what);
    prober.settings.ask.anonymous = scene.anonymous;
    let service = Service::ALL.into_iter().find(|service| service.as_str() == scene.service).expect(what);
    let place =
        Place { name: scene.name.map(Into::into), via: None, ip: "192.0.2.1".parse().unwrap(), port: 1, service };

    let begun = Instant::now();
    let (mut row, parting) = prober.probe(&place, Turn::First).await.expect(what).into_row(&place);
    let row_at = begun.elapsed();
    Classifier::builtin().classify(&mut row);
    if let Some(parting) = parting {
        parting.see_out().await;
    }
    // The peer sees our FIN before it is looked at.
    tokio::time::sleep(Duration::from_nanos(1)).await;

    let expected = scene.row;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(row.outcome.as_str(), expected.outcome, "outcome of {what}: {row:?}");
    assert_eq!(row.detail.as_deref(), expected.detail.as_deref(), "detail of {what}");
    assert_eq!(row.protocol.map(Protocol::as_str), expected.protocol.as_deref(), "protocol of {what}");
    assert_eq!(row.code, expected.code, "code of {what}");
    if let Some(greeting) = &expected.greeting {
        assert_eq!(&text(row.greeting()), greeting, "greeting of {what}");
    }
    if let Some(len) = expected.greeting_len {
        assert_eq!(row.greeting().len(), len, "length of the greeting of {what}");
    }
    if expected.greeting.is_none() && expected.greeting_len.is_none() {
        assert_eq!(text(row.greeting()), "", "greeting of {what}");
    }
    let rest = text(&row.received.bytes()[row.greeting_len..]);
    match expected.after_len {
        Some(len) => assert_eq!(rest.len(), len, "length of what came after the greeting of {what}"),
        // What is answered in depth is held against what was made of it.
        None if row.dialogue.is_some() && expected.after.is_none() => {}
        None => assert_eq!(rest, expected.after.unwrap_or_default(), "what came after the greeting of {what}"),
    }
    if let Some(software) = expected.software {
        assert_eq!(row.software.as_ref().map(|software| &*software.name), Some(&*software), "software of {what}");
    }
    let tls = row.tls.as_deref();
    assert_eq!(tls.map(|facts| facts.tls.as_str()), expected.tls.as_deref(), "tls of {what}");
    assert_eq!(tls.and_then(|facts| facts.error.as_deref()), expected.tls_error.as_deref(), "tls_error of {what}");
    let status = tls.and_then(crate::observation::TlsFacts::status).map(crate::observation::CertificateStatus::as_str);
    assert_eq!(status, expected.cert_status.as_deref(), "cert_status of {what}");
    let legacy = tls.and_then(|facts| facts.legacy.clone()).map(|legacy| match legacy {
        Legacy::Refused(how) | Legacy::Unknown(how) => how.into_owned(),
        Legacy::Accepted { version, cipher, .. } => format!("{version:?} {cipher:?}"),
    });
    assert_eq!(legacy, expected.legacy, "TLS of the past with {what}");
    if let Some(dialled) = expected.dialled {
        assert_eq!(network.dialled().iter().map(ToString::to_string).collect::<Vec<_>>(), dialled, "dialled by {what}");
    }
    let ours = row.dialogue.as_deref().map(|dialogue| dialogue.our_address);
    assert!(ours.is_none_or(|ours| ours == Some(OURS)), "our address in the dialogue with {what}: {ours:?}");
    let dialogue = row.dialogue.as_deref().cloned().unwrap_or_default();
    assert_eq!(dialogue.capabilities, expected.capabilities, "capabilities of {what}");
    assert_eq!(dialogue.auth, expected.auth, "auth of {what}");
    assert_eq!(dialogue.pasv, expected.pasv, "pasv of {what}");
    assert_eq!(dialogue.broken_off.as_deref(), expected.broken_off.as_deref(), "end of the dialogue with {what}");
    assert_eq!(text(&dialogue.injected), expected.injected.unwrap_or_default(), "what was injected by {what}");
    assert_eq!(text(&dialogue.unasked), expected.unasked.unwrap_or_default(), "what {what} said unasked");
    assert_eq!(row.received.is_truncated(), expected.truncated, "truncated of {what}");
    assert_eq!(row.attempts, expected.attempts.unwrap_or(1), "attempts of {what}");
    if let Some(at) = expected.greeted_at {
        let connected = row.connect.unwrap_or_default() + row.tls_handshake.unwrap_or_default();
        assert_near(connected + row.greeting_after.expect(what), at, &format!("end of the greeting of {what}"));
    }
    assert_near(row_at, expected.row_at, &format!("row of {what}"));
    if let Some(at) = expected.fin_at {
        assert_near(network.hung_up_at().expect(what) - begun, at, &format!("FIN to {what}"));
    }
    if let Some(at) = expected.quit_at {
        assert_near(row.quit_at.expect(what), at, &format!("QUIT to {what}"));
    }
    let ended = row.ending.map(|ending| ending.how.as_str());
    assert_eq!(ended, expected.ended.as_ref().map(|(how, _)| &**how), "how {what} ended: {row:?}");
    if let (Some(ending), Some((_, at))) = (row.ending, expected.ended) {
        assert_near(ending.at, at, &format!("when {what} ended"));
    }
    if let Some(said) = expected.said {
        assert_eq!(text(&network.heard()), said, "what we said to {what}");
    }
    let arrivals: Vec<_> = row.received.arrivals().iter().map(|arrival| arrival.at).collect();
    assert!(arrivals.is_sorted(), "arrivals of {what}");
    if let Some(expected) = expected.arrivals {
        assert_eq!(arrivals.len(), expected.len(), "arrivals of {what}: {arrivals:?}");
        for (found, expected) in arrivals.into_iter().zip(expected) {
            assert_near(found, expected, &format!("arrivals of {what}"));
        }
    }
}

/// tokio's clock has milliseconds.
fn assert_near(found: Duration, expected: f64, what: &str) {
    let distance = found.abs_diff(Duration::from_secs_f64(expected));
    assert!(distance <= Duration::from_millis(3), "{what}: {found:?} and not {expected} s");
}
