//! A table that takes any number of rows: one sheet, and further ones where a sheet is full, each with its header, its
//! filter and a pane that stays. Of what is written one row is in memory, the others wait in a temporary file.

use std::fmt;

use rust_xlsxwriter::{
    ColNum, Color, ConditionalFormatCell, ConditionalFormatCellRule, Format, FormatAlign, FormatBorder, IgnoreError,
    RowNum, Workbook, Worksheet, XlsxError,
};

use super::cell::Value;
use crate::observation::Severity;

/// What a sheet can hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rows with the header, which no spreadsheet can exceed.
    pub(super) rows: RowNum,
    /// Bytes of XML. At 4 GiB a sheet would need an extension of ZIP that not every reader has.
    pub(super) bytes: u64,
}

impl Limits {
    pub(super) const EXCEL: Self = Self { rows: 1_048_576, bytes: 3 << 30 };
}

/// What a table is.
#[derive(Debug)]
pub struct Layout {
    /// The sheet's name; further ones have a number behind it.
    pub(super) name: &'static str,
    pub(super) tab: Color,
    pub(super) heads: Vec<Head>,
    /// How many columns stay where the others are scrolled.
    pub(super) frozen: ColNum,
    pub(super) limits: Limits,
}

impl Layout {
    /// A table of that name with these columns, of which the first stay in sight.
    pub fn new(name: &'static str, heads: Vec<Head>, frozen: u16) -> Self {
        Self { name, tab: Color::RGB(0x1f_3a_5f), heads, frozen, limits: Limits::EXCEL }
    }
}

/// A column's head.
#[derive(Debug)]
pub struct Head {
    pub(super) name: String,
    /// In characters.
    pub(super) width: f64,
    pub(super) look: Look,
}

impl Head {
    /// With the column's width in characters.
    pub fn new(name: impl Into<String>, width: f64, look: Look) -> Self {
        Self { name: name.into(), width, look }
    }
}

/// How a column's cells are shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    /// As it is.
    Plain,
    /// A number as it is, right or left as its type says.
    Number,
    /// A number with thousands set apart.
    Count,
    /// A time.
    Date,
    /// A word whose severity shows.
    Severity,
    /// A date that shows what is past it: those before the first day, and those before the second.
    Expiry(f64, f64),
}

/// A table that is being written: one sheet or several.
pub struct Sheets {
    layout: Layout,
    full: Vec<Worksheet>,
    sheet: Worksheet,
    /// The row that is next; the header has been written.
    row: RowNum,
    bytes: u64,
}

impl fmt::Debug for Sheets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layout, row, bytes, .. } = self;
        f.debug_struct("Sheets").field("layout", layout).field("row", row).field("bytes", bytes).finish_non_exhaustive()
    }
}

impl Sheets {
    pub(super) fn new(book: &mut Workbook, layout: Layout) -> Result<Self, XlsxError> {
        let sheet = begin(book, &layout, 1)?;
        Ok(Self { layout, full: Vec::new(), sheet, row: 1, bytes: 0 })
    }

    /// One more row.
    pub(super) fn write<'a>(
        &mut self,
        book: &mut Workbook,
        cells: impl Iterator<Item = Option<Value<'a>>>,
    ) -> Result<(), XlsxError> {
        let Limits { rows, bytes } = self.layout.limits;
        if self.row >= rows || self.bytes >= bytes {
            let next = begin(book, &self.layout, self.full.len() + 2)?;
            finish(&mut self.sheet, &self.layout, self.row)?;
            self.full.push(std::mem::replace(&mut self.sheet, next));
            (self.row, self.bytes) = (1, 0);
        }
        for (column, cell) in (0..).zip(cells) {
            let Some(cell) = cell else { continue };
            self.bytes += write(&mut self.sheet, (self.row, column), &cell)?;
        }
        self.row += 1;
        Ok(())
    }

    /// Puts the sheets into the workbook, behind those that are in it, with words below the last row where there are some.
    pub(super) fn end(mut self, book: &mut Workbook, note: Option<&str>) -> Result<(), XlsxError> {
        if let Some(note) = note {
            // The last sheet may be full to the last row but one.
            let row = self.row.saturating_add(1).min(Limits::EXCEL.rows - 1);
            self.sheet.write_string_with_format(row, 0, note, &note_format())?;
        }
        finish(&mut self.sheet, &self.layout, self.row)?;
        self.full.into_iter().chain([self.sheet]).for_each(|sheet| book.push_worksheet(sheet));
        Ok(())
    }
}

/// Writes a cell; how much XML that is, about.
pub(super) fn write(
    sheet: &mut Worksheet,
    (row, column): (RowNum, ColNum),
    cell: &Value<'_>,
) -> Result<u64, XlsxError> {
    /// The longest that stands around a cell's content.
    const AROUND: usize = 80;
    let mut len = AROUND;
    match cell {
        Value::Number(number) | Value::Date(number) => drop(sheet.write_number(row, column, *number)?),
        Value::Flag(flag) => drop(sheet.write_boolean(row, column, *flag)?),
        Value::Text(text) => {
            // `&` becomes five bytes, `_x` may become eight.
            let longer = text.bytes().filter(|byte| matches!(byte, b'&' | b'<' | b'>' | b'_')).count();
            len += text.len() + 6 * longer;
            sheet.write_string(row, column, &**text)?;
        }
    }
    Ok(u64::try_from(len).unwrap_or(u64::MAX))
}

/// How words are shown that stand beside figures.
pub(super) fn note_format() -> Format {
    Format::new().set_italic().set_font_color(Color::RGB(0x59_59_59))
}

/// In points; a line of text takes 15.
pub(super) const HEAD_HEIGHT: f64 = 18.0;

/// How the head of a table is shown.
pub(super) fn head_format() -> Format {
    Format::new()
        .set_bold()
        .set_font_color(Color::White)
        .set_background_color(Color::RGB(0x1f_3a_5f))
        .set_border_bottom(FormatBorder::Thin)
        .set_align(FormatAlign::VerticalCenter)
}

/// The colour that a severity is filled with, and that of its letters.
pub(super) const fn severity_colours(severity: Severity) -> (u32, u32) {
    match severity {
        Severity::High => (0xf4_b6_b6, 0x7a_0c_0c),
        Severity::Medium => (0xfa_d7_a8, 0x6b_3d_00),
        Severity::Low => (0xfb_f0_b2, 0x5a_4b_00),
        Severity::Info => (0xd6_e4_f5, 0x1f_3a_5f),
    }
}

/// The format of a cell with that severity.
pub(super) fn severity_format(severity: Severity) -> Format {
    let (fill, letters) = severity_colours(severity);
    Format::new().set_background_color(Color::RGB(fill)).set_font_color(Color::RGB(letters))
}

fn begin(book: &mut Workbook, layout: &Layout, number: usize) -> Result<Worksheet, XlsxError> {
    let mut sheet = book.new_worksheet_with_constant_memory()?;
    let name = if number == 1 { layout.name.to_owned() } else { format!("{} {number}", layout.name) };
    sheet.set_name(name)?.set_tab_color(layout.tab);
    for (column, head) in (0..).zip(&layout.heads) {
        sheet.set_column_width(column, head.width)?;
        if let Some(format) = column_format(head.look) {
            sheet.set_column_format(column, &format)?;
        }
    }
    let format = head_format();
    sheet.set_row_height(0, HEAD_HEIGHT)?;
    for (column, head) in (0..).zip(&layout.heads) {
        let Value::Text(name) = Value::text(head.name.as_str()) else { continue };
        let is_right = matches!(head.look, Look::Number | Look::Count);
        let format = if is_right { apart(format.clone()) } else { format.clone() };
        sheet.write_string_with_format(0, column, &*name, &format)?;
    }
    sheet.set_freeze_panes(1, layout.frozen)?.set_landscape().set_paper_size(A4).set_repeat_rows(0, 0)?;
    // Where more would make it too small to be read, pages stand side by side.
    if layout.heads.iter().map(|head| head.width).sum::<f64>() < WIDEST_PAGE {
        sheet.set_print_fit_to_pages(1, 0);
    } else {
        sheet.set_print_scale(50);
    }
    sheet.set_footer("&L&A&RPage &P of &N");
    Ok(sheet)
}

/// So many characters fit side by side on a page.
const WIDEST_PAGE: f64 = 300.0;

/// As Excel counts sizes of paper.
pub(super) const A4: u8 = 9;

fn column_format(look: Look) -> Option<Format> {
    match look {
        Look::Plain | Look::Severity => None,
        Look::Number => Some(apart(Format::new())),
        Look::Count => Some(apart(Format::new().set_num_format("#,##0"))),
        Look::Date | Look::Expiry(..) => Some(Format::new().set_num_format(DATE).set_align(FormatAlign::Left)),
    }
}

/// As ISO 8601 has it, and everybody reads it alike.
const DATE: &str = "yyyy-mm-dd hh:mm:ss";

/// To the right, and not too near to what stands in the next cell.
fn apart(format: Format) -> Format {
    format.set_align(FormatAlign::Right).set_indent(1)
}

/// What can be said of a sheet only when its last row is known; `end` is the row behind it.
fn finish(sheet: &mut Worksheet, layout: &Layout, end: RowNum) -> Result<(), XlsxError> {
    let last = end.saturating_sub(1).max(1);
    let last_column = ColNum::try_from(layout.heads.len().saturating_sub(1)).unwrap_or(ColNum::MAX);
    sheet.autofilter(0, 0, last, last_column)?;
    // `4.90` is a version, and no mistake.
    sheet.ignore_error_range(0, 0, last, last_column, IgnoreError::NumberStoredAsText)?;
    for (column, head) in (0..).zip(&layout.heads) {
        match head.look {
            Look::Plain | Look::Number | Look::Count | Look::Date => {}
            Look::Severity => {
                for severity in Severity::ALL {
                    let rule = ConditionalFormatCellRule::EqualTo(severity.as_str());
                    colour(sheet, (column, last), rule, severity)?;
                }
            }
            Look::Expiry(now, soon) => {
                // Of rules that overlap the first one counts. An empty cell is no date; it would be before any.
                let expired = ConditionalFormatCellRule::Between(1.0, now);
                colour(sheet, (column, last), expired, Severity::High)?;
                colour(sheet, (column, last), ConditionalFormatCellRule::Between(now, soon), Severity::Medium)?;
            }
        }
    }
    Ok(())
}

fn colour<T>(
    sheet: &mut Worksheet,
    (column, last): (ColNum, RowNum),
    rule: ConditionalFormatCellRule<T>,
    severity: Severity,
) -> Result<(), XlsxError>
where
    T: rust_xlsxwriter::IntoConditionalFormatValue,
{
    let format = ConditionalFormatCell::new().set_rule(rule).set_format(severity_format(severity));
    sheet.add_conditional_format(1, column, last, column, &format)?;
    Ok(())
}
