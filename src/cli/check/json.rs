//! A case as one JSON document. Rows are what NDJSON has, byte for byte; texts of peers are escaped as they are there.

use std::io;
use std::net::IpAddr;

use hailer::handbook::Check;
use hailer::output::escape::escape;
use hailer::output::{Format, RowSink, RowWriter};
use hailer::{MailExchange, Miss, Observation, Pointer};
use serde::Serialize;
use serde_json::value::RawValue;

use super::case::Case;
use super::dns::Dns;
use super::names::Answered;
use super::tell::summary;
use super::verdict::verdict;

#[derive(Serialize)]
struct Document {
    host: String,
    dns: DnsPart,
    ports: Vec<PortPart>,
    findings: Vec<FindingPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_expected: Option<bool>,
    verdict: String,
    exit_code: u8,
}

#[derive(Serialize)]
struct DnsPart {
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    /// Missing where it was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<Answer<IpAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aaaa: Option<Answer<IpAddr>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mx: Option<Answer<MxPart>>,
    ptr: Vec<PtrPart>,
}

/// A list, empty where there is nothing; or why nobody could say.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<T> {
    Records(Vec<T>),
    Unknown { error: String },
}

#[derive(Serialize)]
struct MxPart {
    preference: u16,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flaw: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passed_over: Option<String>,
    answers: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct PtrPart {
    ip: IpAddr,
    names: Answer<PointerPart>,
}

#[derive(Serialize)]
struct PointerPart {
    name: String,
    /// Missing where it was not followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    leads_back: Option<bool>,
}

#[derive(Serialize)]
struct PortPart {
    row: Box<RawValue>,
    verdict: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_name: Option<&'static str>,
}

#[derive(Serialize)]
struct FindingPart {
    id: &'static str,
    severity: &'static str,
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    remedy: String,
    verify: Vec<Check>,
    /// Missing where it is the host's as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

/// The document, in one line.
pub(super) fn document(case: &Case) -> io::Result<String> {
    let ports = case.rows.iter().map(|row| {
        let expected_name = case.expected.as_deref().map(|name| Answered::of(row, name).as_str());
        Ok(PortPart { row: raw(row)?, verdict: verdict(row), expected_name })
    });
    let document = Document {
        host: case.host.to_string(),
        dns: dns(case)?,
        ports: ports.collect::<io::Result<_>>()?,
        findings: findings(case),
        is_expected: case.is_expected(),
        verdict: summary(case),
        exit_code: case.standing().exit_code(),
    };
    Ok(serde_json::to_string(&document)? + "\n")
}

fn dns(case: &Case) -> io::Result<DnsPart> {
    let Dns { name: _, a, aaaa, alias, mx, ptr } = &case.dns;
    let addresses = |answer: &Result<Vec<IpAddr>, Miss>| records(answer, |ip| Ok(*ip));
    let exchange = |it: &MailExchange| {
        let answers = case.answers_of(&it.name).map(raw).collect::<io::Result<_>>()?;
        let [flaw, passed_over] = [&it.flaw, &it.passed_over].map(|why| why.as_deref().map(text));
        Ok(MxPart { preference: it.preference, name: text(&it.name), flaw, passed_over, answers })
    };
    let pointer = |it: &Pointer| Ok(PointerPart { name: text(&it.name), leads_back: it.leads_back });
    Ok(DnsPart {
        alias: alias.as_deref().map(text),
        a: a.as_ref().map(addresses).transpose()?,
        aaaa: aaaa.as_ref().map(addresses).transpose()?,
        mx: mx.as_ref().map(|answer| records(answer, exchange)).transpose()?,
        ptr: ptr
            .iter()
            .map(|(ip, answer)| Ok(PtrPart { ip: *ip, names: records(answer, pointer)? }))
            .collect::<io::Result<_>>()?,
    })
}

/// One entry for each place.
fn findings(case: &Case) -> Vec<FindingPart> {
    let found = case.found();
    let parts = found.iter().flat_map(|found| {
        let places: Vec<_> = match &found.places[..] {
            [] => vec![None],
            places => places.iter().copied().map(Some).collect(),
        };
        places.into_iter().map(move |place| FindingPart {
            id: found.finding.id,
            severity: found.finding.severity.as_str(),
            sentence: found.words.sentence.clone(),
            detail: found.finding.detail.as_deref().map(text),
            remedy: found.words.remedy.clone(),
            verify: found.words.verify.clone(),
            ip: place.map(|(ip, _)| ip),
            port: place.map(|(_, port)| port),
        })
    });
    parts.collect()
}

fn records<T, U>(answer: &Result<Vec<T>, Miss>, part: impl Fn(&T) -> io::Result<U>) -> io::Result<Answer<U>> {
    match answer {
        Ok(list) => list.iter().map(part).collect::<io::Result<_>>().map(Answer::Records),
        Err(Miss::NoName | Miss::NoData) => Ok(Answer::Records(Vec::new())),
        Err(Miss::Failed(reason)) => Ok(Answer::Unknown { error: text(reason) }),
    }
}

fn text(text: &str) -> String {
    escape(text.as_bytes())
}

/// A row as NDJSON has it.
fn raw(row: &Observation) -> io::Result<Box<RawValue>> {
    let mut line = Vec::new();
    let mut sink = RowSink::over(Format::Ndjson, "memory", &mut line);
    sink.write(row)?;
    sink.flush()?;
    drop(sink);
    let line = String::from_utf8(line).map_err(io::Error::other)?;
    Ok(RawValue::from_string(line.trim_end().to_owned())?)
}

#[cfg(test)]
mod tests {
    use hailer::Host;
    use hailer::observation::{Finding, Severity};
    use serde_json::{Value, json};

    use super::super::hand_made::{ended, greeted};
    use super::*;

    #[test]
    fn a_case_is_one_document() {
        let mut row = greeted(25, "220 mx\u{1b}[2J.example ESMTP\r\n");
        row.findings = vec![Finding { id: "no_starttls", severity: Severity::High, detail: Some("\u{1b}x".into()) }];
        let ip = "192.0.2.5".parse().unwrap();
        let dns = Dns {
            a: Some(Ok(vec![ip])),
            aaaa: Some(Err(Miss::NoData)),
            mx: Some(Err(Miss::Failed("the resolver answered SERVFAIL".into()))),
            ptr: vec![(ip, Ok(vec![Pointer { name: "mx.example".into(), leads_back: Some(true) }]))],
            ..Dns::default()
        };
        let rows = vec![row, ended(21, hailer::Outcome::Refused)];
        let case = Case::new(Host::Name("mail.example".into()), dns, rows, Vec::new());
        let text = document(&case).unwrap();
        assert!(text.ends_with("}\n") && text.lines().count() == 1 && !text.contains('\u{1b}'), "{text}");
        for row in &case.rows {
            assert!(text.contains(raw(row).unwrap().get()), "a row as it is in NDJSON: {text}");
        }
        let document: Value = serde_json::from_str(&text).unwrap();
        let dns = json!({
            "a": ["192.0.2.5"],
            "aaaa": [],
            "mx": {"error": "the resolver answered SERVFAIL"},
            "ptr": [{"ip": "192.0.2.5", "names": [{"name": "mx.example", "leads_back": true}]}],
        });
        assert_eq!(document["dns"], dns);
        assert_eq!((&document["host"], &document["exit_code"]), (&json!("mail.example"), &json!(5)));
        assert_eq!(document["ports"][0]["row"]["outcome"], json!("refused"));
        assert_eq!(document["ports"][1]["row"]["ptr"], json!(["mx.example"]));
        let finding = &document["findings"][0];
        let told = ["id", "severity", "detail", "ip", "port"].map(|key| finding[key].clone());
        assert_eq!(told, [json!("no_starttls"), json!("high"), json!(r"\x1bx"), json!("192.0.2.5"), json!(25)]);
    }
}
