//! What came of one endpoint, in a sentence or two for whoever runs it.
//!
//! A cause that can only be guessed is hedged: who stands outside sees that a packet is gone, not who took it.

use hailer::observation::{Protocol, Reply, TlsFacts, TlsUse};
use hailer::output::escape::escape;
use hailer::{Observation, Outcome};

use super::front::front;
use super::names::{listed, stranger};
use super::timeline::judged;
use super::words;

/// The port that providers block on the way out.
const RELAY: u16 = 25;

/// Says what came of it, and what stands in front.
pub(super) fn verdict(row: &Observation) -> String {
    [Some(outcome(row)), front(row)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn outcome(row: &Observation) -> String {
    let Observation { port, service, .. } = *row;
    let detail = row.detail.as_deref().map(|detail| escape(detail.as_bytes()));
    let detail = detail.as_deref();
    match row.outcome {
        Outcome::Greeted => greeted(row),
        Outcome::OtherProtocol => {
            let what = row.protocol.map_or("Something else", spoken);
            let hint = match row.protocol {
                Some(Protocol::Tls) => "the port begins with TLS, as 465 and 990 do",
                Some(_) | None => "another program has the port, or it is forwarded to one",
            };
            format!("{what} speaks here, where {service} was expected: {hint}.") + in_clear(row)
        }
        Outcome::TlsFailed => {
            let why = tls_error(row).or_else(|| detail.map(str::to_owned));
            format!(
                "The connection stands, but there is no TLS: {}. See that the service has a certificate and a key that fit, \
                 and that the port is meant to begin with TLS.",
                why.as_deref().unwrap_or("the handshake failed")
            )
        }
        Outcome::Reset => "It took the connection and broke it off at once (RST): an access rule, a firewall that rejects \
                           after the handshake, or a proxy whose backend is down."
            .to_owned(),
        Outcome::Closed if row.greeting().is_empty() => {
            "It took the connection and closed it without a word: an access rule (hosts.allow, a list of clients), a limit \
             of connections, or a load balancer without a live backend."
                .to_owned()
        }
        Outcome::Closed => {
            let words = "It began a greeting and closed before that was complete: the service may be crashing; see its log.";
            words.to_owned() + in_clear(row)
        }
        Outcome::Silent if row.greeting().is_empty() => silent(row),
        Outcome::Silent => {
            let words = "It began a greeting and did not complete it in time: the service hangs, or is made to answer \
                         slowly on purpose.";
            words.to_owned() + in_clear(row)
        }
        Outcome::Refused => format!(
            "Refused: nothing listens on port {port} there, or a firewall says so. Start the service, or see on which \
             addresses it listens."
        ),
        Outcome::Timeout if port == RELAY => "No answer: a firewall drops what comes to port 25. It need not be the host's: \
                                              many providers block 25 on the way out, so try from another network."
            .to_owned(),
        Outcome::Timeout => format!(
            "No answer: a firewall drops what comes to port {port}, or the host is down, or the address is not the right \
             one."
        ),
        Outcome::Unreachable => format!(
            "Unreachable ({}): the network says so, not the host. A firewall may forbid it, there may be no route to it, or \
             the host is down.",
            detail.unwrap_or("no reason was given")
        ),
        Outcome::LocalError => format!(
            "This machine could not try it: {}. That says nothing of the host.",
            detail.unwrap_or("its own limit was reached")
        ),
        Outcome::Unresolved => format!("Not tried: {}.", detail.unwrap_or("the name leads nowhere")),
    }
}

/// A connection without a word. TLS is a guess only where it was not tried.
fn silent(row: &Observation) -> String {
    let causes = "a service that hangs (on a look-up of our address, mostly), or a proxy that waits for its backend";
    match row.tls.as_deref().map(|facts| facts.tls) {
        None => format!("It took the connection and said nothing in time: {causes}, or a port that begins with TLS."),
        Some(TlsUse::Implicit) => format!("It says nothing inside TLS: {causes}."),
        Some(TlsUse::Starttls | TlsUse::AuthTls | TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed) => {
            format!("It took the connection and said nothing in time, nor does TLS lead further: {causes}.")
        }
    }
}

/// What is to be added where plain text came on a port for TLS.
fn in_clear(row: &Observation) -> &'static str {
    let is_plain = row.tls.as_deref().is_some_and(|facts| facts.tls == TlsUse::NotOffered);
    if is_plain && row.service.is_implicit_tls() { " It is plain text, on a port where TLS comes first." } else { "" }
}

fn greeted(row: &Observation) -> String {
    let mut sentences = vec![match row.code {
        Some(220) => answers(row),
        Some(code) => refusal(code, row),
        None => "It answers, in a way that has no reply code.".to_owned(),
    }];
    sentences.extend(row.tls.as_deref().map(|facts| encryption(facts, row)));
    if let Some(names) = stranger(row) {
        sentences.push(format!(
            "It never calls itself {}, but {}: usual where many domains share a server; otherwise you may be talking to a \
             proxy, or to another host.",
            escape(row.name.as_deref().unwrap_or_default().as_bytes()),
            escape(listed(&names).as_bytes())
        ));
    }
    if let Some(why) = row.dialogue.as_deref().and_then(|dialogue| dialogue.broken_off.as_deref()) {
        sentences.push(format!("Not everything could be asked: {}.", escape(why.as_bytes())));
    }
    sentences.join(" ")
}

/// Who greets.
fn answers(row: &Observation) -> String {
    let mut words = "It answers".to_owned();
    if let Some(software) = row.software.as_deref() {
        words.push_str(" as ");
        words.push_str(&escape(software.name.as_bytes()));
        if let Some(version) = &software.version {
            words.push(' ');
            words.push_str(&escape(version.as_bytes()));
        }
    }
    if let Some(name) = &row.hostname {
        words.push_str(", and calls itself ");
        words.push_str(&escape(name.as_bytes()));
    }
    words + "."
}

/// What a greeting other than 220 says.
fn refusal(code: u16, row: &Observation) -> String {
    let own = match code {
        120 => "it is not ready yet: try again in some minutes",
        421 => "it is busy, shutting down, or has enough of connections from here: try again later, and see its limits",
        500..600 => "it does not serve us: see its block lists and access rules, and that our address has a name",
        400..500 => "it cannot serve us now: try again later",
        _ => "which is no usual greeting",
    };
    match words::reply(code, row.service.is_ftp()) {
        Some((means, advice)) => format!("It answers {code}. {means} {advice}"),
        None => format!("It answers {code}: {own}."),
    }
}

/// Whether and how it speaks TLS.
fn encryption(facts: &TlsFacts, row: &Observation) -> String {
    let command = if row.service.is_ftp() { "AUTH TLS" } else { "STARTTLS" };
    let error = facts.error.as_deref().map(|error| escape(error.as_bytes()));
    let error = error.as_deref().unwrap_or("no reason was given");
    let upgrade = row.dialogue.as_deref().and_then(|dialogue| dialogue.upgrade.as_ref());
    let is_granted = upgrade.is_some_and(Reply::is_positive);
    let works = |what: &str| {
        let version = facts.version.unwrap_or("an unknown version");
        let certificate = facts.verdict.map_or_else(|| "not shown".to_owned(), judged);
        format!("{what} works: {version}; its certificate is {certificate}.")
    };
    let plain = if row.service.is_implicit_tls() { "It speaks plain text where TLS comes first. " } else { "" };
    match facts.tls {
        TlsUse::Implicit => works("TLS"),
        TlsUse::Starttls | TlsUse::AuthTls => plain.to_owned() + &works(command),
        TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed if is_granted => {
            format!("{plain}It grants {command}, and then there is no TLS: {error}.")
        }
        // It greeted in clear.
        TlsUse::NotOffered | TlsUse::Refused | TlsUse::Failed if row.service.is_implicit_tls() => {
            "It speaks plain text where TLS comes first: TLS is switched off there, and clients that expect it cannot connect."
                .to_owned()
        }
        TlsUse::NotOffered => format!("It does not offer {command}: everything goes in clear."),
        TlsUse::Refused | TlsUse::Failed => format!("There is no {command}: {error}."),
    }
}

fn tls_error(row: &Observation) -> Option<String> {
    let error = row.tls.as_deref()?.error.as_deref()?;
    Some(escape(error.as_bytes()))
}

const fn spoken(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Ssh => "SSH",
        Protocol::Http => "HTTP",
        Protocol::Tls => "TLS",
        Protocol::Imap => "IMAP",
        Protocol::Pop3 => "POP3",
        Protocol::Nntp => "NNTP",
        Protocol::Telnet => "Telnet",
        Protocol::Mysql => "MySQL",
    }
}

#[cfg(test)]
mod tests {
    use hailer::Service;
    use hailer::observation::{CertificateVerdict, Dialogue};

    use super::super::hand_made::{certified, ended, greeted};
    use super::*;

    fn with_tls(mut row: Observation, tls: TlsUse, error: Option<&'static str>) -> Observation {
        let facts = TlsFacts { error: error.map(Into::into), ..TlsFacts::new(tls) };
        row.tls = Some(Box::new(facts));
        row
    }

    fn detailed(outcome: Outcome, detail: &'static str) -> Observation {
        Observation { detail: Some(detail.into()), ..ended(25, outcome) }
    }

    /// How each verdict begins, or what must stand in it behind `…`.
    #[test]
    fn each_outcome_is_told_in_its_own_words() {
        let expired = |mut row: Observation| {
            let verdict = CertificateVerdict { expired: true, trusted: true, ..CertificateVerdict::default() };
            row.tls.as_mut().unwrap().verdict = Some(verdict);
            row
        };
        let named = |name: &str, mut row: Observation| {
            row.name = Some(name.into());
            row
        };
        let partial = |port, outcome| Observation { outcome, ..greeted(port, "220-wait") };
        let granted = |mut row: Observation| {
            let upgrade = Some(Reply { code: 220, bytes: b"220 go\r\n".to_vec() });
            row.dialogue = Some(Box::new(Dialogue { upgrade, ..Dialogue::default() }));
            row
        };
        let table = [
            (greeted(25, "220 mx.example ESMTP\r\n"), "It answers, and calls itself mx.example."),
            (greeted(21, "220 ready\r\n"), "It answers."),
            (greeted(25, "421 4.3.2 try later\r\n"), "It answers 421"),
            (greeted(21, "120 ready in 5 minutes\r\n"), "It answers 120"),
            (greeted(25, "554 5.7.1 go away\r\n"), "It answers 554"),
            (ended(21, Outcome::Refused), "Refused: nothing listens on port 21 there"),
            (ended(25, Outcome::Timeout), "…many providers block 25 on the way out"),
            (ended(21, Outcome::Timeout), "…what comes to port 21, or the host is down"),
            (ended(25, Outcome::Reset), "…broke it off at once (RST)"),
            (ended(25, Outcome::Closed), "…closed it without a word"),
            (ended(25, Outcome::Silent), "…or a port that begins with TLS."),
            (with_tls(ended(25, Outcome::Silent), TlsUse::Failed, None), "…waits for its backend."),
            (with_tls(ended(465, Outcome::Silent), TlsUse::Implicit, None), "It says nothing inside TLS: "),
            (
                with_tls(partial(465, Outcome::Silent), TlsUse::NotOffered, None),
                "…It is plain text, on a port where TLS",
            ),
            (
                with_tls(partial(990, Outcome::Closed), TlsUse::NotOffered, None),
                "…It is plain text, on a port where TLS",
            ),
            (with_tls(partial(25, Outcome::Closed), TlsUse::NotOffered, None), "…may be crashing; see its log."),
            (
                with_tls(granted(greeted(465, "220 x\r\n")), TlsUse::Failed, Some("alert")),
                "It answers. It speaks plain text where TLS comes first. It grants STARTTLS, and then there is no TLS",
            ),
            (
                detailed(Outcome::Unreachable, "ICMP 3/13 communication administratively prohibited"),
                "Unreachable (ICMP 3/13 communication administratively prohibited): the network says so, not the host.",
            ),
            (detailed(Outcome::LocalError, "no route"), "This machine could not try it: no route. That says nothing"),
            (detailed(Outcome::Unresolved, "10.0.0.1 is excluded"), "Not tried: 10.0.0.1 is excluded."),
            (
                Observation { protocol: Some(Protocol::Ssh), ..ended(25, Outcome::OtherProtocol) },
                "SSH speaks here, where smtp was expected: another program",
            ),
            (
                with_tls(ended(465, Outcome::TlsFailed), TlsUse::Failed, Some("alert handshake_failure")),
                "…there is no TLS: alert handshake_failure.",
            ),
            (with_tls(greeted(465, "220 x\r\n"), TlsUse::NotOffered, None), "…plain text where TLS comes first"),
            (with_tls(greeted(25, "220 x\r\n"), TlsUse::NotOffered, None), "…does not offer STARTTLS"),
            (with_tls(greeted(21, "220 x\r\n"), TlsUse::Refused, Some("502")), "…There is no AUTH TLS: 502."),
            (
                with_tls(granted(greeted(25, "220 x\r\n")), TlsUse::NotOffered, Some("plain text")),
                "It answers. It grants STARTTLS, and then there is no TLS: plain text.",
            ),
            (
                expired(certified(greeted(465, "220 x\r\n"), &["mail.example"])),
                "…TLS works: TLSv1.3; its certificate is expired.",
            ),
            (
                named("mail.example", greeted(25, "220 h7.hoster.example ESMTP\r\n")),
                "…never calls itself mail.example, but h7.hoster.example (the greeting): usual where many domains share",
            ),
        ];
        for (row, expected) in table {
            let words = verdict(&row);
            let fits = match expected.strip_prefix('…') {
                Some(part) => words.contains(part),
                None => words.starts_with(expected),
            };
            assert!(fits, "{expected}: {words}");
        }
    }

    #[test]
    fn hostile_words_are_inert() {
        let mut row = greeted(25, "220 x\r\n");
        row.hostname = Some("mx\u{1b}[31m.example".into());
        assert!(verdict(&row).contains(r"mx\x1b[31m.example"));
        let row = Observation { detail: Some("\u{1b}]0;title".into()), ..ended(25, Outcome::Unresolved) };
        assert!(!verdict(&row).contains('\u{1b}'));
        assert_eq!(Service::Smtp, row.service);
    }
}
