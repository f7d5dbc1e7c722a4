//! A page of words for people: headings, labels with wrapped text beside them, command lines that can be copied; and
//! pages side by side.
//!
//! Pages side by side are plain text of characters that are one column wide each, as the handbook's are.

use unicode_width::UnicodeWidthStr;

/// Room for a label and what stands beside it; on narrower pages the label has a line of its own.
const WIDE_ENOUGH: usize = 72;

/// As wide as the longest label, and two blanks.
const LABEL: usize = 15;

/// Between two pages side by side.
const GAP: usize = 4;

/// One thing explained.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) heading: String,
    pub(super) sections: Vec<Section>,
}

/// A part of a page, with its title, if it has one, and what stands first.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lead: String,
    pub(super) items: Vec<Item>,
}

/// A label and what it says.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) label: &'static str,
    pub(super) lines: Vec<Line>,
}

/// How a text is shown.
#[derive(Debug)]
pub(super) enum Line {
    /// Wrapped.
    Text(String),
    /// After a prompt; where it is too long, broken so that a shell still takes it.
    Command(String),
    /// What is typed into the command before it.
    Typed(String),
}

impl Page {
    /// The page as lines of at most that width, if words allow.
    pub(super) fn render(&self, width: usize) -> Vec<String> {
        let sections = self.sections.iter().flat_map(|section| section.render(width));
        std::iter::once(self.heading.clone()).chain(sections).collect()
    }

    /// Pages side by side, each of that width; sections that correspond begin on the same line.
    pub(super) fn render_beside(pages: &[Self], column: usize) -> Vec<String> {
        let mut lines = vec![beside(pages.iter().map(|page| page.heading.as_str()), column)];
        let most = pages.iter().map(|page| page.sections.len()).max().unwrap_or_default();
        for number in 0..most {
            let section = |page: &Self| page.sections.get(number).map(|it| it.render(column)).unwrap_or_default();
            let parts: Vec<_> = pages.iter().map(section).collect();
            let height = parts.iter().map(Vec::len).max().unwrap_or_default();
            for row in 0..height {
                lines.push(beside(parts.iter().map(|lines| lines.get(row).map_or("", String::as_str)), column));
            }
        }
        lines
    }

    /// How wide each of several pages can be side by side.
    pub(super) const fn column(pages: usize, width: usize) -> usize {
        match pages {
            0 | 1 => width,
            pages => width.saturating_sub(GAP * (pages - 1)) / pages,
        }
    }
}

fn beside<'a>(parts: impl Iterator<Item = &'a str>, column: usize) -> String {
    let width = column + GAP;
    parts.map(|part| format!("{part:width$}")).collect::<Vec<_>>().concat().trim_end().to_owned()
}

impl Section {
    fn render(&self, width: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend((!self.title.is_empty()).then(|| self.title.to_owned()));
        lines.extend(wrap(&self.lead, "  ", "  ", width));
        lines.extend((!self.items.is_empty()).then(String::new));
        for item in &self.items {
            lines.extend(item.render(width));
        }
        lines
    }
}

impl Item {
    fn render(&self, width: usize) -> Vec<String> {
        let is_wide = width >= WIDE_ENOUGH;
        let indent = " ".repeat(if is_wide { 2 + LABEL } else { 4 });
        let mut lines: Vec<String> = self.lines.iter().flat_map(|line| line.render(&indent, width)).collect();
        match lines.first_mut() {
            Some(first) if is_wide => *first = format!("  {:LABEL$}{}", self.label, first.trim_start()),
            _ => lines.insert(0, format!("  {}", self.label)),
        }
        lines
    }
}

impl Line {
    fn render(&self, indent: &str, width: usize) -> Vec<String> {
        match self {
            Self::Text(text) => wrap(text, indent, indent, width),
            Self::Command(command) => continued(command, indent, width),
            Self::Typed(line) => vec![format!("{indent}> {line}")],
        }
    }
}

/// Text in lines that begin with `first`, and from the second on with `rest`. A word that is too long has its own line.
pub(super) fn wrap(text: &str, first: &str, rest: &str, width: usize) -> Vec<String> {
    fill(text.split(' '), first, rest, width)
}

/// A command line, each of its lines but the last ended by a backslash. What is quoted stays whole.
fn continued(command: &str, indent: &str, width: usize) -> Vec<String> {
    let mut quoted = false;
    let words = command.split(|c: char| {
        quoted ^= c == '\'';
        c == ' ' && !quoted
    });
    let mut lines = fill(words, &format!("{indent}$ "), &format!("{indent}    "), width - 2);
    let last = lines.len() - 1;
    for line in &mut lines[..last] {
        line.push_str(" \\");
    }
    lines
}

fn fill<'a>(words: impl Iterator<Item = &'a str>, first: &str, rest: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut is_empty) = (first.to_owned(), true);
    for word in words {
        if !is_empty && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(heading: &str, lead: &str) -> Page {
        let lines = vec![
            Line::Text("one two three four".to_owned()),
            Line::Command("tool 'a quoted word' --long-option HOST".to_owned()),
            Line::Typed("QUIT".to_owned()),
        ];
        let items = vec![Item { label: "Do", lines }];
        Page { heading: heading.to_owned(), sections: vec![Section { title: "FTP", lead: lead.to_owned(), items }] }
    }

    #[test]
    fn labels_stand_beside_their_text_where_there_is_room() {
        let expected = [
            "220",
            "",
            "FTP",
            "  Ready.",
            "",
            "  Do             one two three four",
            "                 $ tool 'a quoted word' --long-option HOST",
            "                 > QUIT",
        ];
        assert_eq!(page("220", "Ready.").render(72), expected);
    }

    #[test]
    fn narrow_pages_wrap_and_break_commands_outside_quotes() {
        let expected = [
            "220",
            "",
            "FTP",
            "  Ready for a",
            "  new user.",
            "",
            "  Do",
            "    one two",
            "    three four",
            "    $ tool \\",
            "        'a quoted word' \\",
            "        --long-option \\",
            "        HOST",
            "    > QUIT",
        ];
        assert_eq!(page("220", "Ready for a new user.").render(16), expected);
    }

    /// As a terminal has them: some characters are two columns wide.
    #[test]
    fn lines_are_as_wide_as_columns() {
        assert_eq!(wrap("漢字 漢字 漢字", "", "  ", 9), ["漢字 漢字", "  漢字"]);
    }

    #[test]
    fn sections_side_by_side_begin_together() {
        let mut left = page("220", "Ready for a new user.");
        let mut right = page("221", "Bye.");
        for page in [&mut left, &mut right] {
            page.sections[0].items.clear();
            page.sections.push(Section { title: "SMTP", lead: "Yes.".to_owned(), items: vec![] });
        }
        let expected = [
            "220                 221",
            "",
            "FTP                 FTP",
            "  Ready for a         Bye.",
            "  new user.",
            "",
            "SMTP                SMTP",
            "  Yes.                Yes.",
        ];
        let column = Page::column(2, 36);
        let pages = [left, right];
        assert_eq!(Page::render_beside(&pages, column), expected);
        let [left, right] = pages;
        let third = Page { heading: "222".to_owned(), sections: vec![] };
        let lines = Page::render_beside(&[left, third, right], column);
        assert_eq!(
            lines[..3],
            ["220                 222                 221", "", "FTP                                     FTP"]
        );
    }
}
