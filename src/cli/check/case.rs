//! All that came of one host, and what stands in the end: findings over all its endpoints, and the exit code.

use std::net::IpAddr;
use std::sync::Arc;

use hailer::observation::{Finding, Severity};
use hailer::{Host, MailExchange, Observation, Outcome};

use super::dns::Dns;
use super::names::{Answered, listed};
use super::words::{self, MX_SILENT, NO_ANSWER, Place, UNEXPECTED_NAME, Words};

/// What came of one host.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) host: Host,
    pub(super) dns: Dns,
    /// In the order in which they are told.
    pub(super) rows: Vec<Observation>,
    /// What the mail exchanges answered that are not among the rows.
    pub(super) exchanges: Vec<Observation>,
    pub(super) expected: Option<Arc<str>>,
    /// What is said of the host as a whole.
    pub(super) findings: Vec<Finding>,
}

/// How a check stands; of several hosts the last that fits. What was found out weighs more than what could not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Nothing of high severity.
    Well,
    /// Nothing may be probed there, and why.
    Forbidden(String),
    /// Nothing could be checked, and why.
    Nothing(String),
    /// A finding of high severity.
    High,
}

impl Standing {
    /// As the shell sees it.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Well => 0,
            Self::High => 5,
            Self::Forbidden(_) => 4,
            Self::Nothing(_) => 1,
        }
    }
}

/// A finding, wherever it was found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) finding: &'a Finding,
    /// None for what is said of the host.
    pub(super) places: Vec<(IpAddr, u16)>,
    pub(super) words: Words,
}

impl Case {
    /// Draws what follows from all of it.
    pub(super) fn new(host: Host, dns: Dns, rows: Vec<Observation>, exchanges: Vec<Observation>) -> Self {
        let mut case = Self { host, dns, rows, exchanges, expected: None, findings: Vec::new() };
        for row in case.rows.iter_mut().chain(&mut case.exchanges) {
            row.ptr = row.ip.map(|ip| case.dns.names_of(ip)).unwrap_or_default();
        }
        let place = |row: &Observation| {
            let exchanges = case.dns.exchanges();
            let order = exchanges.iter().position(|exchange| Some(&*exchange.name) == row.name.as_deref());
            (order, row.ip, row.port)
        };
        case.rows.sort_by_key(place);
        case.exchanges.sort_by_key(place);
        case.findings.extend(no_answer(&case.rows));
        case.findings.extend(case.mx_silent());
        case
    }

    /// Holds every endpoint against the name that is expected.
    pub(super) fn expect(mut self, expected: Option<&Arc<str>>) -> Self {
        let Some(expected) = expected else { return self };
        for row in &mut self.rows {
            if let Answered::Other(names) = Answered::of(row, expected) {
                let detail = Some(format!("expected {expected}, got {}", listed(&names)));
                row.findings.push(Finding { id: UNEXPECTED_NAME, severity: Severity::High, detail });
                row.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            }
        }
        if !self.rows.iter().any(|row| matches!(Answered::of(row, expected), Answered::Yes(..) | Answered::Other(_))) {
            let detail = Some(format!("expected {expected}, got no name at all"));
            self.findings.push(Finding { id: UNEXPECTED_NAME, severity: Severity::High, detail });
        }
        self.expected = Some(Arc::clone(expected));
        self
    }

    /// Whether the expected server answered: somewhere, and nowhere another.
    pub(super) fn is_expected(&self) -> Option<bool> {
        let expected = self.expected.as_deref()?;
        let answers = || self.rows.iter().map(|row| Answered::of(row, expected));
        let is_here = answers().any(|answer| matches!(answer, Answered::Yes(..)));
        Some(is_here && !answers().any(|answer| matches!(answer, Answered::Other(_))))
    }

    /// Every finding, the worst first; one that is the same in several places once.
    pub(super) fn found(&self) -> Vec<Found<'_>> {
        let mut all: Vec<Found<'_>> = Vec::new();
        let of_host = self.findings.iter().map(|finding| (finding, None));
        let of_rows = self.rows.iter().flat_map(|row| row.findings.iter().map(move |finding| (finding, Some(row))));
        for (finding, row) in of_host.chain(of_rows) {
            let place = row.and_then(|row| Some((row.ip?, row.port)));
            let at = row.map_or_else(|| self.place(), Place::of);
            if let Some(known) = all.iter_mut().find(|found| found.finding == finding) {
                known.places.extend(place);
                continue;
            }
            let software = row.and_then(|row| row.software.as_deref()).map(|software| &*software.name);
            let words = words::finding(finding.id, software, at);
            all.push(Found { finding, places: place.into_iter().collect(), words });
        }
        all.sort_by_key(|found| std::cmp::Reverse(found.finding.severity));
        all
    }

    /// The host as a whole, for command lines: at its first port.
    pub(super) fn place(&self) -> Place<'_> {
        let first = self.rows.iter().find(|row| row.ip.is_some());
        Place { name: self.dns.name.as_deref(), ..first.map_or_else(Place::default, Place::of) }
    }

    /// How it stands in the end.
    pub(super) fn standing(&self) -> Standing {
        let tried = |row: &Observation| !matches!(row.outcome, Outcome::Unresolved | Outcome::LocalError);
        if !self.rows.iter().chain(&self.exchanges).any(tried) {
            let forbidden = self.rows.iter().find(|row| row.outcome == Outcome::Unresolved && row.ip.is_some());
            let row = forbidden.or(self.rows.first());
            let detail = row.and_then(|row| row.detail.as_deref()).unwrap_or_else(|| self.dns.reason());
            let words = format!("{}: nothing could be checked: {detail}", self.host);
            return if forbidden.is_some() { Standing::Forbidden(words) } else { Standing::Nothing(words) };
        }
        let of_rows = self.rows.iter().flat_map(|row| &row.findings);
        let worst = of_rows.chain(&self.findings).map(|finding| finding.severity).max();
        if worst == Some(Severity::High) { Standing::High } else { Standing::Well }
    }

    /// What each mail exchange answered on port 25.
    pub(super) fn answers_of<'a>(&'a self, exchange: &'a str) -> impl Iterator<Item = &'a Observation> {
        let is_it = move |row: &&Observation| row.port == 25 && row.name.as_deref() == Some(exchange);
        self.rows.iter().chain(&self.exchanges).filter(is_it)
    }

    /// That mail exchanges do not answer. It weighs most where none does, unless all vanish: then it may be our own provider
    /// that blocks the port.
    fn mx_silent(&self) -> Option<Finding> {
        let exchanges = self.dns.exchanges();
        let heard = |row: &Observation| matches!(row.outcome, Outcome::Greeted | Outcome::LocalError);
        let is_silent = |it: &&MailExchange| {
            let mut rows = self.answers_of(&it.name).peekable();
            // One that was passed over by us may well answer.
            it.flaw.is_some() || rows.peek().is_some() && !rows.any(heard)
        };
        let silent: Vec<_> = exchanges.iter().filter(is_silent).collect();
        if silent.is_empty() {
            return None;
        }
        let vanish = |row: &Observation| matches!(row.outcome, Outcome::Timeout | Outcome::Unreachable);
        let all_vanish = silent.iter().all(|it| it.flaw.is_none() && self.answers_of(&it.name).all(vanish));
        let is_high = silent.len() == exchanges.len() && !all_vanish;
        let told = silent.iter().take(4).map(|it| {
            let outcomes: Vec<_> = self.answers_of(&it.name).map(|row| row.outcome.as_str()).collect();
            let told = if outcomes.is_empty() { "not to be asked".to_owned() } else { outcomes.join(", ") };
            format!("MX {} {}: {told}", it.preference, it.name)
        });
        let detail = Some(told.collect::<Vec<_>>().join("; "));
        Some(Finding { id: MX_SILENT, severity: if is_high { Severity::High } else { Severity::Medium }, detail })
    }
}

/// That nobody answers at all.
fn no_answer(rows: &[Observation]) -> Option<Finding> {
    let tried = || rows.iter().filter(|row| !matches!(row.outcome, Outcome::Unresolved | Outcome::LocalError));
    let answers = tried().any(|row| row.outcome == Outcome::Greeted);
    if answers || tried().next().is_none() {
        return None;
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in tried() {
        match counts.iter_mut().find(|(outcome, _)| *outcome == row.outcome.as_str()) {
            Some((_, count)) => *count += 1,
            None => counts.push((row.outcome.as_str(), 1)),
        }
    }
    let detail: Vec<_> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    Some(Finding { id: NO_ANSWER, severity: Severity::High, detail: Some(detail.join(", ")) })
}

#[cfg(test)]
mod tests {
    use hailer::Miss;

    use super::super::hand_made::{ended, greeted};
    use super::*;

    fn host() -> Host {
        Host::Name("mail.example".into())
    }

    fn case(rows: Vec<Observation>) -> Case {
        Case::new(host(), Dns::default(), rows, Vec::new())
    }

    fn of_exchange(name: &str, mut row: Observation) -> Observation {
        row.name = Some(name.into());
        row
    }

    fn ids(case: &Case) -> Vec<(&str, Severity)> {
        case.found().iter().map(|found| (found.finding.id, found.finding.severity)).collect()
    }

    #[test]
    fn a_host_that_answers_stands_well_and_one_that_does_not_stands_badly() {
        let case_of = |outcomes: &[Outcome]| case(outcomes.iter().map(|outcome| ended(21, *outcome)).collect());
        let table: [(&[Outcome], Option<&str>); 4] = [
            (&[Outcome::Greeted, Outcome::Refused], None),
            (&[Outcome::Refused, Outcome::Timeout, Outcome::Refused], Some("2 refused, 1 timeout")),
            (&[Outcome::OtherProtocol], Some("1 other_protocol")),
            (&[Outcome::Silent, Outcome::LocalError], Some("1 silent")),
        ];
        for (outcomes, detail) in table {
            let case = case_of(outcomes);
            assert_eq!(case.findings.first().and_then(|it| it.detail.as_deref()), detail);
            let standing = if detail.is_some() { Standing::High } else { Standing::Well };
            assert_eq!(case.standing(), standing, "{outcomes:?}");
        }
    }

    #[test]
    fn nothing_to_check_is_no_verdict() {
        let words = |detail: &str| format!("mail.example: nothing could be checked: {detail}");
        assert_eq!(case(Vec::new()).standing(), Standing::Nothing(words("the name has no address")));
        let failed = Observation { detail: Some("no route".into()), ..ended(25, Outcome::LocalError) };
        assert_eq!(case(vec![failed.clone()]).standing(), Standing::Nothing(words("no route")));
        let excluded = Observation { detail: Some("10.0.0.1 is private".into()), ..ended(25, Outcome::Unresolved) };
        assert_eq!(case(vec![failed, excluded]).standing(), Standing::Forbidden(words("10.0.0.1 is private")));
    }

    #[test]
    fn of_several_hosts_what_was_found_weighs_most() {
        let (forbidden, nothing) = (Standing::Forbidden("x".into()), Standing::Nothing("y".into()));
        let worst = |standings: [&Standing; 3]| standings.into_iter().max().map(Standing::exit_code);
        assert_eq!(worst([&Standing::High, &nothing, &forbidden]), Some(5));
        assert_eq!(worst([&Standing::Well, &nothing, &forbidden]), Some(1));
        assert_eq!(worst([&Standing::Well, &forbidden, &Standing::Well]), Some(4));
    }

    #[test]
    fn the_expected_name_must_be_somewhere_and_no_other_anywhere() {
        let right = || greeted(25, "220 mx1.example ESMTP\r\n");
        let wrong = || greeted(587, "220 mx2.example ESMTP\r\n");
        let nameless = || greeted(21, "220 ready\r\n");
        let table = [
            (vec![right(), nameless()], true, 0),
            (vec![right(), wrong()], false, 1),
            (vec![nameless()], false, 1),
            (vec![right(), ended(465, Outcome::Refused)], true, 0),
        ];
        for (rows, expected, findings) in table {
            let case = case(rows).expect(Some(&"mx1.example".into()));
            assert_eq!((case.is_expected(), case.found().len()), (Some(expected), findings));
            assert_eq!(case.standing() == Standing::High, !expected);
        }
        assert_eq!(case(vec![right()]).expect(None).is_expected(), None);
    }

    #[test]
    fn exchanges_that_do_not_answer_are_a_finding() {
        let exchange =
            |preference, name: &str| MailExchange { preference, name: name.into(), flaw: None, passed_over: None };
        let dns = || Dns { mx: Some(Ok(vec![exchange(10, "a.example"), exchange(20, "b.example")])), ..Dns::default() };
        let with = |a, b| {
            let exchanges = vec![of_exchange("a.example", ended(25, a)), of_exchange("b.example", ended(25, b))];
            Case::new(host(), dns(), vec![greeted(21, "220 ready\r\n")], exchanges)
        };
        assert_eq!(ids(&with(Outcome::Greeted, Outcome::LocalError)), []);
        assert_eq!(ids(&with(Outcome::Greeted, Outcome::Refused)), [(MX_SILENT, Severity::Medium)]);
        assert_eq!(ids(&with(Outcome::Timeout, Outcome::Timeout)), [(MX_SILENT, Severity::Medium)]);
        let case = with(Outcome::Refused, Outcome::Timeout);
        assert_eq!(ids(&case), [(MX_SILENT, Severity::High)]);
        assert_eq!(case.findings[0].detail.as_deref(), Some("MX 10 a.example: refused; MX 20 b.example: timeout"));
        let odd = |flaw: Option<&str>, passed_over: Option<&str>| {
            let [flaw, passed_over] = [flaw, passed_over].map(|words| words.map(Into::into));
            let mx = vec![MailExchange { flaw, passed_over, ..exchange(10, "odd.example") }];
            Case::new(
                host(),
                Dns { mx: Some(Ok(mx)), ..Dns::default() },
                vec![greeted(21, "220 ready\r\n")],
                Vec::new(),
            )
        };
        assert_eq!(ids(&odd(Some("the mail exchange is an address"), None)), [(MX_SILENT, Severity::High)]);
        assert_eq!(ids(&odd(None, Some("not looked up"))), [], "that is our limit, not the exchange's fault");
        let none = Dns { mx: Some(Err(Miss::NoData)), ..Dns::default() };
        assert_eq!(ids(&Case::new(host(), none, vec![greeted(21, "220 ready\r\n")], Vec::new())), []);
    }

    #[test]
    fn the_same_finding_is_told_once_with_all_its_places() {
        let finding = |severity| Finding { id: "no_starttls", severity, detail: None };
        let row = |port, severity| Observation { findings: vec![finding(severity)], ..greeted(port, "220 x\r\n") };
        let case = case(vec![row(25, Severity::Medium), row(587, Severity::High), row(2525, Severity::Medium)]);
        let told: Vec<_> =
            case.found().iter().map(|found| found.places.iter().map(|it| it.1).collect::<Vec<_>>()).collect();
        assert_eq!(told, [vec![587], vec![25, 2525]]);
    }
}
