//! The charts of the summary. They show cells of that sheet, and have no words of their own but ours.

use rust_xlsxwriter::{
    Chart, ChartDataLabel, ChartFont, ChartFormat, ChartLegendPosition, ChartLine, ChartPoint, ChartSolidFill,
    ChartType, ColNum, Color, RowNum,
};

/// The sheet that charts are on and show.
pub(super) const SHEET: &str = "Summary";

/// The colour of bars that have none of their own.
const BAR: u32 = 0x2f_6f_b0;

/// Cells from the first to the last, which are one column, or one row.
pub(super) type Range = ((RowNum, ColNum), (RowNum, ColNum));

/// In pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// A horizontal bar for each name, from the top in the order of the table.
pub(super) fn bars(title: &str, names: Range, counts: Range, colours: Option<&[u32]>, size: Size) -> Chart {
    let mut chart = Chart::new(ChartType::Bar);
    let series = chart.add_series();
    series.set_categories(cells(names)).set_values(cells(counts)).set_gap(40).set_format(&mut filled(BAR));
    series.set_data_label(ChartDataLabel::new().show_value().set_num_format("#,##0").set_font(&small()));
    if let Some(colours) = colours {
        let points: Vec<_> = colours.iter().map(|colour| ChartPoint::new().set_format(&mut filled(*colour))).collect();
        series.set_points(&points);
    }
    // The axis of names begins below, and would leave names out where they are long.
    chart.y_axis().set_reverse().set_label_interval(1).set_font(&small());
    chart.x_axis().set_major_gridlines(false).set_hidden(true);
    chart.legend().set_hidden();
    framed(chart, title, size)
}

/// For each name a column, which is made of several counts.
pub(super) struct Stack {
    /// Where its word stands.
    pub(super) name: (RowNum, ColNum),
    pub(super) counts: Range,
    pub(super) colour: u32,
}

pub(super) fn stacks(title: &str, names: Range, stacks: &[Stack], size: Size) -> Chart {
    let mut chart = Chart::new(ChartType::ColumnStacked);
    for Stack { name, counts, colour } in stacks {
        let series = chart.add_series();
        series.set_name((SHEET, name.0, name.1)).set_categories(cells(names)).set_values(cells(*counts));
        series.set_gap(60).set_format(&mut filled(*colour));
    }
    chart.x_axis().set_font(&small());
    let grid = ChartLine::new().set_color(Color::RGB(0xdd_dd_dd)).clone();
    chart.y_axis().set_major_gridlines_line(&grid).set_num_format("#,##0").set_font(&small());
    chart.legend().set_position(ChartLegendPosition::Right).set_font(&small());
    framed(chart, title, size)
}

fn framed(mut chart: Chart, title: &str, Size { width, height }: Size) -> Chart {
    chart.title().set_name(title).set_font(ChartFont::new().set_size(11).set_bold());
    chart.chart_area().set_format(ChartFormat::new().set_border(ChartLine::new().set_color(Color::RGB(0xcc_cc_cc))));
    chart.set_width(width).set_height(height).set_alt_text(format!("{title}: the table beside it, as a chart"));
    chart
}

fn cells((first, last): Range) -> (&'static str, RowNum, ColNum, RowNum, ColNum) {
    (SHEET, first.0, first.1, last.0, last.1)
}

fn filled(colour: u32) -> ChartFormat {
    ChartFormat::new().set_solid_fill(ChartSolidFill::new().set_color(Color::RGB(colour))).clone()
}

fn small() -> ChartFont {
    let mut font = ChartFont::new();
    font.set_size(9);
    font
}
