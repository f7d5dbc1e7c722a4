//! How words look where they are read: how wide the place is, whether there may be colours, and bars.
//!
//! Colours follow `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, `TERM` and `CI`, as the `anstream` crate reads them; what is
//! no terminal gets none unless it is told to.

use std::borrow::Cow;
use std::os::fd::AsFd;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use hailer::output::Look;
use terminal_size::terminal_size_of;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where there is no terminal; and wider lines are hard to read.
const USUAL_WIDTH: usize = 120;

/// A bar is that wide at most, and not drawn where there is room for less than the least.
const BAR: std::ops::RangeInclusive<usize> = 8..=24;

/// Eighths of a block, from none to all.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// How lines of rows look on stdout.
pub(super) fn of_stdout() -> Look {
    of(&std::io::stdout())
}

/// The same on stderr.
pub(super) fn of_stderr() -> Look {
    of(&std::io::stderr())
}

fn of(stream: &(impl RawStream + AsFd)) -> Look {
    Look { width: width(stream).unwrap_or(Look::default().width), is_coloured: is_coloured(stream) }
}

fn width(stream: &impl AsFd) -> Option<usize> {
    // Where it is not known a terminal says 0.
    terminal_size_of(stream).map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// How words look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tone {
    width: usize,
    is_coloured: bool,
    /// Whether bars are drawn, and by which characters.
    bars: Bars,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bars {
    None,
    Ascii,
    Blocks,
}

impl Tone {
    /// Without colours and bars, as in a file.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { width: USUAL_WIDTH, is_coloured: false, bars: Bars::None };

    pub(super) fn of_stdout() -> Self {
        Self::of(&std::io::stdout())
    }

    pub(super) fn of_stderr() -> Self {
        Self::of(&std::io::stderr())
    }

    fn of(stream: &(impl RawStream + AsFd)) -> Self {
        let (is_coloured, width) = (is_coloured(stream), width(stream));
        let bars = match (stream.is_terminal() || is_coloured, has_blocks()) {
            (false, _) => Bars::None,
            (true, false) => Bars::Ascii,
            (true, true) => Bars::Blocks,
        };
        Self { width: width.map_or(USUAL_WIDTH, |width| width.min(USUAL_WIDTH)), is_coloured, bars }
    }

    /// How wide a bar can be behind so many columns; none where there is no room.
    pub(super) fn bar_behind(self, columns: usize) -> Option<usize> {
        let room = self.width.checked_sub(columns + 2)?.min(*BAR.end());
        (self.bars != Bars::None && BAR.contains(&room)).then_some(room)
    }

    /// Whether so many columns have room. A file has room for any.
    pub(super) fn has_room(self, columns: usize) -> bool {
        self.bars == Bars::None || columns <= self.width
    }

    /// How wide lines are to be.
    pub(super) const fn width(self) -> usize {
        self.width
    }

    /// A name cut to so many columns, where it is a terminal that has no more. A file has room for any.
    pub(super) fn fitted(self, name: &str, columns: usize) -> Cow<'_, str> {
        let mark = match self.bars {
            Bars::None => return Cow::Borrowed(name),
            Bars::Ascii => "..",
            Bars::Blocks => "…",
        };
        if name.width() <= columns {
            return Cow::Borrowed(name);
        }
        let (room, mut taken) = (columns.saturating_sub(mark.width()), 0);
        let fits = |character: &char| {
            taken += character.width().unwrap_or_default();
            taken <= room
        };
        Cow::Owned(name.chars().take_while(fits).chain(mark.chars()).collect())
    }

    /// A bar as long as its part of the most, and never without a trace of what there is.
    pub(super) fn bar(self, count: u64, most: u64, width: usize) -> String {
        let whole = u128::try_from(8 * width).unwrap_or_default();
        let eighths = (u128::from(count) * whole).checked_div(u128::from(most)).unwrap_or_default().min(whole);
        let eighths = usize::try_from(eighths).unwrap_or_default().max(usize::from(count > 0));
        match self.bars {
            Bars::None => String::new(),
            Bars::Ascii => "#".repeat(eighths.div_ceil(8)),
            Bars::Blocks => {
                let mut bar = EIGHTHS[8].to_string().repeat(eighths / 8);
                bar.extend(Some(EIGHTHS[eighths % 8]).filter(|_| !eighths.is_multiple_of(8)));
                bar
            }
        }
    }

    /// A text in that style, where there are colours.
    pub(super) fn paint(self, text: &str, style: Style) -> String {
        if self.is_coloured && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

fn is_coloured(stream: &impl RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Whether this locale's characters include blocks: that of a terminal without UTF-8 is said in the usual variables.
fn has_blocks() -> bool {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG"));
    locale.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: Tone = Tone { width: 80, is_coloured: true, bars: Bars::Blocks };

    #[test]
    fn bars_are_as_long_as_their_part() {
        let table =
            [(0, 10, ""), (10, 10, "████████"), (5, 10, "████"), (1, 1_000_000, "▏"), (9, 16, "████▌"), (3, 0, "▏")];
        for (count, most, expected) in table {
            assert_eq!(BLOCKS.bar(count, most, 8), expected, "{count}/{most}");
        }
        assert_eq!(Tone { bars: Bars::Ascii, ..BLOCKS }.bar(9, 16, 8), "#####");
        assert_eq!(Tone::PLAIN.bar(10, 10, 8), "");
        assert_eq!(BLOCKS.bar(u64::MAX, u64::MAX, 24).chars().count(), 24);
    }

    #[test]
    fn names_are_cut_to_the_terminal() {
        let ascii = Tone { bars: Bars::Ascii, ..BLOCKS };
        for (tone, name, expected) in [
            (BLOCKS, "Postfix", "Postfix"),
            (BLOCKS, "Mail Server", "Mail Se…"),
            (BLOCKS, "漢字漢字漢字", "漢字漢…"),
            (ascii, "Mail Server", "Mail S.."),
            (Tone::PLAIN, "Mail Server", "Mail Server"),
        ] {
            assert_eq!(tone.fitted(name, 8), expected);
        }
    }

    #[test]
    fn bars_take_what_room_there_is() {
        assert_eq!(
            [0, 54, 60, 70, 71, 200].map(|columns| BLOCKS.bar_behind(columns)),
            [Some(24), Some(24), Some(18), Some(8), None, None]
        );
        assert_eq!(Tone::PLAIN.bar_behind(0), None);
    }
}
