//! Lines for people: headings, a timeline's lines and paragraphs, none wider than the page.
//!
//! What a peer can influence has been escaped before it comes here.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::super::page::wrap;

/// Narrower terminals wrap for themselves.
const MIN_WIDTH: usize = 60;

/// Where there is no terminal; and wider lines are hard to read.
const USUAL_WIDTH: usize = 100;

/// The column at which a timeline's words begin.
const WORDS: usize = 13;

/// A text that is being written.
#[derive(Debug)]
pub(in crate::cli) struct Page {
    text: String,
    width: usize,
}

impl Page {
    pub(in crate::cli) fn new(width: usize) -> Self {
        Self { text: String::new(), width: width.max(MIN_WIDTH) }
    }

    /// As wide as the terminal, within reason.
    pub(super) fn for_stdout() -> Self {
        let terminal = terminal_size::terminal_size_of(std::io::stdout());
        Self::new(terminal.map_or(USUAL_WIDTH, |(width, _)| usize::from(width.0).min(USUAL_WIDTH)))
    }

    pub(in crate::cli) fn into_text(self) -> String {
        self.text
    }

    /// A rule with words in it, and a blank line before.
    pub(super) fn heading(&mut self, words: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let rest = self.width.saturating_sub(words.chars().count() + 4);
        let _ = writeln!(self.text, "── {words} {}", "─".repeat(rest));
    }

    /// One line of a timeline: when, who (`>` we, `<` they, `*` nobody), and what.
    pub(super) fn moment(&mut self, at: Option<u128>, who: char, words: &str) {
        let at = at.map(|at| format!("{at} ms")).unwrap_or_default();
        let mut parts = chunks(words, self.width.saturating_sub(WORDS).max(1)).into_iter();
        let first = parts.next().unwrap_or_default();
        let _ = writeln!(self.text, "{}", format!("{at:>10} {who} {first}").trim_end());
        for part in parts {
            let _ = writeln!(self.text, "{:WORDS$}{part}", "");
        }
    }

    /// A paragraph between words: the first line begins with `label`, the others stand below what follows it.
    pub(super) fn paragraph(&mut self, label: &str, words: &str) {
        let rest = " ".repeat(label.chars().count());
        for line in wrap(words, label, &rest, self.width) {
            self.line(&line);
        }
    }

    /// A line as it stands: a command to copy, a row of a table.
    pub(super) fn line(&mut self, words: &str) {
        let _ = writeln!(self.text, "{}", words.trim_end());
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }
}

/// A text in pieces of at most so many columns, between words where a piece would not become short by that.
fn chunks(text: &str, width: usize) -> Vec<String> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((end, next)) = end(rest, width) {
        pieces.push(rest[..end].to_owned());
        rest = &rest[next..];
    }
    pieces.push(rest.to_owned());
    pieces
}

/// Where the first piece ends and the next begins, if there is more than one.
fn end(text: &str, width: usize) -> Option<(usize, usize)> {
    let (mut used, mut blank) = (0, None);
    for (at, c) in text.char_indices() {
        if c == ' ' && used > width / 2 {
            blank = Some((at, at + 1));
        }
        used += c.width().unwrap_or_default();
        if used > width {
            let at = at.max(c.len_utf8());
            return blank.or(Some((at, at))).filter(|(end, _)| *end < text.len());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a terminal has them: some characters are two columns wide, and some none.
    #[test]
    fn pieces_are_as_wide_as_columns() {
        assert_eq!(chunks("漢字漢字漢", 5), ["漢字", "漢字", "漢"]);
        assert_eq!(chunks("漢字 漢字 漢字", 9), ["漢字 漢字", "漢字"]);
        assert_eq!(chunks("e\u{301}e\u{301}e", 2), ["e\u{301}e\u{301}", "e"]);
        assert_eq!(chunks("漢字", 1), ["漢", "字"]);
        assert_eq!((chunks("", 9), chunks("a b c", 3)), (vec![String::new()], vec!["a b".into(), "c".to_owned()]));
    }

    #[test]
    fn nothing_is_wider_than_the_page() {
        let mut page = Page::new(60);
        page.heading("25 smtp  192.0.2.5");
        page.moment(Some(12), '<', &"x".repeat(100));
        page.moment(None, '<', "");
        page.paragraph("  high  ", &"some words to read ".repeat(6));
        let text = page.into_text();
        let expected = "\
── 25 smtp  192.0.2.5 ──────────────────────────────────────
     12 ms < xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
             xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
             xxxxxx
           <
  high  some words to read some words to read some words to
        read some words to read some words to read some
        words to read
";
        assert_eq!(text, expected);
    }
}
