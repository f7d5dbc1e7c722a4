//! What stands around the facts of a page: its policy, style and script, its head and foot, and its table.

use std::fmt::Write as _;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::escape::{Json, Text};
use super::words::moment;
use crate::output::escape::inert;

const ICON: &str = include_str!("assets/icon.svg");

/// What one page has, and not the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) title: &'static str,
    pub(super) style: &'static str,
    pub(super) script: &'static str,
}

/// The style of all pages, and one of this page's own.
macro_rules! style {
    ($own:literal) => {
        concat!(include_str!("../assets/page.css"), include_str!("../assets/table.css"), include_str!($own))
    };
}

/// The script of all pages, behind what this page's own scripts say.
macro_rules! script {
    ($($own:literal),*) => {
        concat!(
            "'use strict';\n",
            $(include_str!($own),)*
            include_str!("../assets/rows.js"),
            include_str!("../assets/table.js"),
            include_str!("../assets/page.js"),
        )
    };
}

pub(super) use {script, style};

/// What a page says of itself above all figures.
#[derive(Debug)]
pub(super) struct Masthead<'a> {
    pub(super) about: &'a str,
    /// What has to be known.
    pub(super) notes: &'a [String],
    /// Where not everything is in the table.
    pub(super) limited: Option<String>,
    /// The page's parts: what each is called in the page, and by readers.
    pub(super) parts: &'a [(&'a str, &'a str)],
}

/// What the table is of.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What is searched for.
    pub(super) search: &'static str,
    /// What there is nothing of, where nothing is shown.
    pub(super) none: &'static str,
}

// Writing to a String does not fail.

pub(super) fn push_head(html: &mut String, look: &Look) {
    let icon = STANDARD.encode(ICON);
    html.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    let _ = writeln!(html, "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">", policy(look));
    html.push_str(concat!(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"referrer\" content=\"no-referrer\"><meta name=\"robots\" content=\"noindex\">\n",
        "<meta name=\"color-scheme\" content=\"light dark\"><meta name=\"generator\" content=\"hailer ",
        env!("CARGO_PKG_VERSION"),
        "\">\n",
    ));
    let _ = writeln!(html, "<title>{}</title>", Text(look.title));
    let _ = writeln!(html, "<link rel=\"icon\" href=\"data:image/svg+xml;base64,{icon}\">");
    let _ = write!(html, "<style>{}</style>\n</head><body>\n", look.style);
}

/// Nothing but what the page itself holds: no other script or style, no request, no form.
fn policy(look: &Look) -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(look.style),
        hash(look.script)
    )
}

/// What stands above the figures; the main part is open then.
pub(super) fn push_masthead(html: &mut String, look: &Look, masthead: &Masthead<'_>) {
    let Masthead { about, notes, limited, parts } = masthead;
    let _ = write!(
        html,
        "<a class=\"skip\" href=\"#main\">To the figures</a>\n<header class=\"masthead\"><div class=\"wide\"><h1>{}</h1><p class=\"about\">{}</p>",
        Text(look.title),
        Text(&inert((*about).into()))
    );
    for note in *notes {
        let _ = write!(html, "<p class=\"notice\">{}</p>", Text(&inert(note.into())));
    }
    if let Some(words) = limited {
        let _ = write!(
            html,
            "<p class=\"notice\" id=\"limited\"><strong>Not every endpoint is on this page.</strong> {}</p>",
            Text(words)
        );
    }
    html.push_str("</div></header>\n<nav aria-label=\"Parts of this page\"><div class=\"wide\">");
    for (id, name) in *parts {
        let _ = write!(html, "<a href=\"#{id}\">{name}</a>");
    }
    html.push_str("</div></nav>\n<main id=\"main\" tabindex=\"-1\">\n");
}

/// The table, which the script fills, the end of the main part, and the place of a host's own page.
pub(super) fn push_table(html: &mut String, Table { id, title, search, none }: &Table) {
    let named = [("{id}", *id), ("{title}", *title), ("{search}", *search), ("{none}", *none)];
    let table = named.iter().fold(include_str!("assets/table.html").to_owned(), |it, (name, is)| it.replace(name, is));
    html.push_str(&table);
    html.push_str("</main>\n<main id=\"host\" tabindex=\"-1\" hidden></main>\n");
}

/// The foot, and what the script must know besides rows.
pub(super) fn push_foot(html: &mut String, now: Option<SystemTime>, meta: &serde_json::Value) {
    html.push_str(concat!("<footer class=\"wide\"><p>Written by hailer ", env!("CARGO_PKG_VERSION")));
    if let Some(now) = now {
        let _ = write!(html, ", {}", moment(now));
    }
    html.push_str(". An empty cell was not asked for, and does not mean no. This page asks nothing of any network.</p></footer>\n");
    push_script(html, " type=\"application/json\" id=\"meta\"", &Json(&meta.to_string()).to_string());
}

/// The script, and the end of the page.
pub(super) fn push_end(html: &mut String, look: &Look) {
    push_script(html, "", look.script);
    html.push_str("</body></html>\n");
}

fn push_script(html: &mut String, attributes: &str, content: &str) {
    let _ = writeln!(html, "<script{attributes}>{content}</script>");
}
