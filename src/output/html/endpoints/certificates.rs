//! What a page says of certificates, without a script: which expire next, and which expired last.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::sections::SOON;
use crate::inventory::{Certificate, Figures};
use crate::output::html::charts::thousands;
use crate::output::html::escape::Text;
use crate::output::html::words::{date, noun};

/// So many certificates of each kind are listed.
const MAX_CERTIFICATES: usize = 12;

const DAY: Duration = Duration::from_secs(86_400);

/// The certificates that expire next, and those that expired last.
pub(super) fn section(out: &mut String, figures: &Figures, now: SystemTime) {
    let (expired, valid): (Vec<_>, Vec<_>) =
        figures.certificates().partition(|certificate| certificate.not_after < now);
    if expired.is_empty() && valid.is_empty() {
        return;
    }
    let (earlier, later) = figures.certificates_left_out();
    out.push_str("<section id=\"certificates\" aria-labelledby=\"certificates-title\"><h2 id=\"certificates-title\">Certificates</h2>\n");
    if !valid.is_empty() {
        certificate_table(out, "The next to expire", valid.iter().take(MAX_CERTIFICATES).copied(), now);
    }
    push_untold(out, "expire later", valid.len(), later);
    if !expired.is_empty() {
        let latest = expired.iter().rev().take(MAX_CERTIFICATES).copied();
        certificate_table(out, "Expired, the latest first", latest, now);
    }
    push_untold(out, "expired before", expired.len(), earlier);
    out.push_str("</section>\n");
}

/// How many certificates are not in a table, of those that are kept and of the endpoints that show others.
fn push_untold(out: &mut String, what: &str, kept: usize, endpoints: u64) {
    let untold = u64::try_from(kept.saturating_sub(MAX_CERTIFICATES)).unwrap_or(u64::MAX);
    // Writing to a String does not fail.
    let _ = match (untold, endpoints) {
        (0, 0) => Ok(()),
        (more, 0) => writeln!(out, "<p class=\"look\">{} more {what}.</p>", thousands(more)),
        (_, endpoints) => writeln!(
            out,
            "<p class=\"look\">More {what}; {} {} that are not counted here.</p>",
            thousands(endpoints),
            noun(endpoints, "endpoint shows one", "endpoints show some")
        ),
    };
}

fn certificate_table<'a>(out: &mut String, title: &str, all: impl Iterator<Item = &'a Certificate>, now: SystemTime) {
    let _ = write!(
        out,
        "<h3 class=\"part\">{title}</h3><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Certificates: {title}\"><table class=\"list\"><thead><tr>"
    );
    for (label, class) in
        [("Expires", ""), ("In days", "n"), ("Subject", ""), ("Issuer", ""), ("Key", ""), ("Status", ""), ("Where", "")]
    {
        let _ = write!(out, "<th scope=\"col\" class=\"{class}\">{label}</th>");
    }
    out.push_str("</tr></thead><tbody>\n");
    for certificate in all {
        push_certificate(out, certificate, now);
    }
    out.push_str("</tbody></table></div>\n");
}

/// The day on which a time is, counted from 1970-01-01; one before that may be the end of a certificate, too.
fn day(at: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    let seconds = match at.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    };
    seconds.div_euclid(86_400)
}

fn push_certificate(out: &mut String, certificate: &Certificate, now: SystemTime) {
    let Certificate { sha256, subject, issuer, key, not_after, status, count, at, .. } = certificate;
    let class = match not_after.duration_since(now) {
        Ok(left) if left <= SOON * DAY => "warn",
        Ok(_) => "",
        Err(_) => "bad",
    };
    // Days of the calendar, as dates are all that stands beside them.
    let left = match day(*not_after) - day(now) {
        0 => "today".to_owned(),
        left => format!("{}{}", if left < 0 { "−" } else { "" }, thousands(left.unsigned_abs())),
    };
    let shown = |text: &Option<String>| Text(text.as_deref().unwrap_or("–")).to_string();
    let places: Vec<_> = at.iter().map(|place| format!("<code>{}</code>", Text(place))).collect();
    let more = count.saturating_sub(u64::try_from(at.len()).unwrap_or(u64::MAX));
    let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
    let _ = writeln!(
        out,
        "<tr><td class=\"when\">{}</td><td class=\"n {class}\">{left}</td><td class=\"name\" title=\"SHA-256 {}\">{}</td><td class=\"name\">{}</td><td>{}</td><td>{}</td><td class=\"where\">{}{more}</td></tr>",
        Text(&date(*not_after)),
        Text(sha256),
        shown(subject),
        shown(issuer),
        shown(key),
        Text(&status.as_deref().unwrap_or("–").replace('_', " ")),
        places.join(" "),
    );
}
