//! A first sheet: what a reader wants to know before any row, as figures, tables and charts. Its size does not depend on
//! how many rows there are.

use rust_xlsxwriter::{
    Chart, ColNum, Color, Format, FormatAlign, FormatBorder, IgnoreError, RowNum, Worksheet, XlsxError,
};

use super::cell::Value;
use super::charts::{self, Range, SHEET, Size, Stack};
use super::sheet::{A4, HEAD_HEIGHT, head_format, note_format};
use crate::inventory::Kinds;

/// So many lines a table beside a chart has; what is left is one more.
const MOST: usize = 10;

/// Rows from one table with its chart to the next.
const BLOCK: RowNum = 14;

/// Where tables begin: two stand side by side, each a name, a count and a share, with a chart behind.
const LEFT: ColNum = 0;
const RIGHT: ColNum = 10;
const LAST: ColNum = 18;

const CHART: Size = Size { width: 378, height: 252 };

const LINE: Color = Color::RGB(0xcc_cc_cc);
pub(super) const BLUE: u32 = 0x4f_86_c6;

/// The sheet, and the row that is next.
pub(super) struct Front {
    pub(super) sheet: Worksheet,
    row: RowNum,
}

/// A figure with its words, over these columns.
pub(super) type Tile<'a> = ((ColNum, ColNum), &'a str, u64);

/// A line of a table that is as wide as the sheet.
pub(super) struct Wide {
    pub(super) name: String,
    pub(super) second: (String, Format),
    pub(super) count: Option<u64>,
    pub(super) what: String,
    pub(super) more: String,
}

/// A table with its chart.
pub(super) struct Block<'a> {
    title: &'static str,
    lines: Vec<(String, u64)>,
    colours: Option<&'a [u32]>,
}

/// How many of each kind there are in each column, and the colour of that kind.
pub(super) type Series = (&'static str, u32, Vec<u64>);

impl Front {
    pub(super) fn new(title: &str) -> Result<Self, XlsxError> {
        let mut sheet = Worksheet::new();
        sheet.set_name(SHEET)?.set_tab_color(Color::RGB(0x40_40_40)).set_screen_gridlines(false);
        for column in [LEFT, RIGHT] {
            sheet.set_column_width(column, 27)?.set_column_width(column + 1, 10)?.set_column_width(column + 2, 8)?;
        }
        sheet.set_column_width(RIGHT - 1, 3)?;
        sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0).set_margins(0.4, 0.4, 0.5, 0.6, 0.3, 0.3);
        sheet.set_footer("&L&A&RPage &P of &N");
        let format = Format::new().set_bold().set_font_size(18).set_font_color(Color::RGB(0x1f_3a_5f));
        sheet.write_string_with_format(0, LEFT, title, &format)?.set_row_height(0, 26)?;
        Ok(Self { sheet, row: 1 })
    }

    /// A line of words.
    pub(super) fn line(&mut self, words: &str) -> Result<(), XlsxError> {
        self.styled(words, &Format::new())
    }

    /// One that stands beside figures.
    pub(super) fn note(&mut self, words: &str) -> Result<(), XlsxError> {
        self.styled(words, &note_format())
    }

    fn styled(&mut self, words: &str, format: &Format) -> Result<(), XlsxError> {
        self.text((self.row, LEFT), words, format)?;
        self.row += 1;
        Ok(())
    }

    pub(super) fn gap(&mut self) {
        self.row += 1;
    }

    /// The figures that a manager asks for.
    pub(super) fn tiles(&mut self, tiles: &[Tile<'_>]) -> Result<(), XlsxError> {
        let fill = Color::RGB(0xee_f3_f9);
        let label = Format::new().set_font_color(Color::RGB(0x44_44_44)).set_background_color(fill).set_indent(1);
        let label = label.set_text_wrap().set_align(FormatAlign::Bottom);
        let figure = Format::new().set_bold().set_font_size(20).set_background_color(fill).set_indent(1);
        let figure = figure.set_align(FormatAlign::Left).set_num_format("#,##0");
        let (row, below) = (self.row, self.row + 1);
        for ((first, last), words, count) in tiles {
            if first == last {
                self.sheet.write_string_with_format(row, *first, *words, &label)?;
            } else {
                self.sheet.merge_range(row, *first, row, *last, words, &label)?;
                self.sheet.merge_range(below, *first, below, *last, "", &figure)?;
            }
            if let Value::Number(count) = Value::count(*count) {
                self.sheet.write_number_with_format(below, *first, count, &figure)?;
            }
        }
        self.sheet.set_row_height(row, 31)?.set_row_height(below, 30)?;
        self.row += 3;
        Ok(())
    }

    /// Two tables of names with their counts side by side, each with its chart.
    pub(super) fn blocks(&mut self, left: &Block<'_>, right: &Block<'_>) -> Result<(), XlsxError> {
        self.block(LEFT, left)?;
        self.block(RIGHT, right)?;
        self.row += BLOCK;
        Ok(())
    }

    fn block(&mut self, column: ColNum, block: &Block<'_>) -> Result<(), XlsxError> {
        let head = head_format();
        let right = head.clone().set_align(FormatAlign::Right);
        self.sheet.write_string_with_format(self.row, column, block.title, &head)?;
        self.sheet.set_row_height(self.row, HEAD_HEIGHT)?;
        self.sheet.write_string_with_format(self.row, column + 1, "count", &right)?;
        self.sheet.write_string_with_format(self.row, column + 2, "share", &right)?;
        let total = block.lines.iter().fold(0u64, |sum, line| sum.saturating_add(line.1));
        if total == 0 {
            return self.text((self.row + 1, column), "none, or not asked for", &note_format());
        }
        let mut row = self.row;
        for (name, count) in &shortened(&block.lines) {
            row += 1;
            self.text((row, column), name, &Format::new())?;
            self.count((row, column + 1), *count)?;
            let share = Value::count(*count).number() / Value::count(total).number();
            self.sheet.write_number_with_format(row, column + 2, share, &Format::new().set_num_format("0.0 %"))?;
        }
        // What is left would hide the others.
        let last = if block.lines.len() > MOST { row - 1 } else { row };
        let first = self.row + 1;
        let (names, counts) = (((first, column), (last, column)), ((first, column + 1), (last, column + 1)));
        let chart = charts::bars(block.title, names, counts, block.colours, CHART);
        self.chart((self.row, column + 3), &chart)
    }

    /// A table of kinds by columns, with its chart; those that are nowhere are left out.
    pub(super) fn stacked(&mut self, title: &str, columns: &[String], series: &[Series]) -> Result<(), XlsxError> {
        let series: Vec<_> = series.iter().filter(|(.., counts)| counts.iter().any(|count| *count > 0)).collect();
        if columns.is_empty() || series.is_empty() {
            return Ok(());
        }
        let (head, top) = (head_format(), self.row);
        let right = head.clone().set_align(FormatAlign::Right);
        self.sheet.write_string_with_format(top, LEFT, title, &head)?;
        self.sheet.set_row_height(top, HEAD_HEIGHT)?;
        for (column, name) in (1..).zip(columns) {
            self.sheet.write_string_with_format(top, column, name, &right)?;
        }
        let last = ColNum::try_from(columns.len()).unwrap_or(LAST);
        let mut stacks = Vec::new();
        for (row, (name, colour, counts)) in (top + 1..).zip(&series) {
            self.text((row, LEFT), name, &Format::new())?;
            for (column, count) in (1..).zip(counts) {
                self.count((row, column), *count)?;
            }
            stacks.push(Stack { name: (row, LEFT), counts: ((row, 1), (row, last)), colour: *colour });
        }
        self.sheet.ignore_error_range(top, 1, top, last, IgnoreError::NumberStoredAsText)?;
        let names: Range = ((top, 1), (top, last));
        let chart = charts::stacks(title, names, &stacks, Size { width: 700, ..CHART });
        self.chart((top, RIGHT), &chart)?;
        self.row += BLOCK;
        Ok(())
    }

    /// A table as wide as the sheet, whose last two columns are words that wrap.
    pub(super) fn wide(&mut self, heads: [&str; 5], lines: &[Wide]) -> Result<(), XlsxError> {
        let [name, second, count, what, more] = heads;
        let head = head_format();
        let right = head.clone().set_align(FormatAlign::Right);
        for (column, name, format) in [(0, name, &head), (1, second, &head), (2, count, &right)] {
            self.sheet.write_string_with_format(self.row, column, name, format)?;
        }
        self.sheet.set_row_height(self.row, HEAD_HEIGHT)?;
        let indented = head.clone().set_indent(1);
        self.sheet.merge_range(self.row, 3, self.row, RIGHT - 1, what, &indented)?;
        self.sheet.merge_range(self.row, RIGHT, self.row, LAST, more, &indented)?;
        self.row += 1;
        let lined = |format: Format| {
            format.set_align(FormatAlign::Top).set_border_bottom(FormatBorder::Thin).set_border_bottom_color(LINE)
        };
        let (plain, wrapped) =
            (lined(Format::new()), lined(Format::new().set_text_wrap().set_align(FormatAlign::Left).set_indent(1)));
        let counted = lined(Format::new().set_num_format("#,##0"));
        for Wide { name, second: (second, format), count, what, more } in lines {
            self.text((self.row, 0), name, &plain)?;
            self.text((self.row, 1), second, &lined(format.clone()))?;
            match count {
                Some(count) => {
                    let count = Value::count(*count).number();
                    self.sheet.write_number_with_format(self.row, 2, count, &counted)?;
                }
                None => drop(self.sheet.write_blank(self.row, 2, &plain)?),
            }
            for (first, last, words) in [(3, RIGHT - 1, what), (RIGHT, LAST, more)] {
                let Value::Text(words) = Value::text(words.as_str()) else { continue };
                self.sheet.merge_range(self.row, first, self.row, last, &words, &wrapped)?;
            }
            // Merged cells do not grow by themselves.
            let lines = (what.len() / 56).max(more.len() / 104) + 1;
            self.sheet.set_row_height(self.row, 15.5 * Value::count(u64::try_from(lines).unwrap_or(1)).number())?;
            self.row += 1;
        }
        Ok(())
    }

    fn text(&mut self, (row, column): (RowNum, ColNum), words: &str, format: &Format) -> Result<(), XlsxError> {
        let Value::Text(words) = Value::text(words) else { return Ok(()) };
        self.sheet.write_string_with_format(row, column, &*words, format)?;
        Ok(())
    }

    fn count(&mut self, (row, column): (RowNum, ColNum), count: u64) -> Result<(), XlsxError> {
        let format = Format::new().set_num_format("#,##0");
        self.sheet.write_number_with_format(row, column, Value::count(count).number(), &format)?;
        Ok(())
    }

    fn chart(&mut self, (row, column): (RowNum, ColNum), chart: &Chart) -> Result<(), XlsxError> {
        self.sheet.insert_chart_with_offset(row, column, chart, 6, 0)?;
        Ok(())
    }
}

impl<'a> Block<'a> {
    pub(super) const fn new(title: &'static str, lines: Vec<(String, u64)>) -> Self {
        Self { title, lines, colours: None }
    }

    /// With a colour for each line.
    pub(super) fn coloured(self, colours: &'a [u32]) -> Self {
        Self { colours: Some(colours), ..self }
    }
}

/// The first lines, and the sum of the others.
fn shortened(lines: &[(String, u64)]) -> Vec<(String, u64)> {
    let (first, others) = lines.split_at(lines.len().min(MOST));
    let sum = others.iter().fold(0u64, |sum, line| sum.saturating_add(line.1));
    let others = (!others.is_empty()).then(|| (format!("{} others", others.len()), sum));
    first.iter().cloned().chain(others).collect()
}

pub(super) fn sorted(mut lines: Vec<(String, u64)>) -> Vec<(String, u64)> {
    lines.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    lines
}

/// Names with their counts, the commonest first.
pub(super) fn kinds(kinds: &Kinds) -> Vec<(String, u64)> {
    let mut lines: Vec<_> = kinds.commonest().into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    let left_out = kinds.left_out();
    if left_out > 0 {
        lines.push(("of further kinds".to_owned(), left_out));
    }
    lines
}
