//! The figures: one table, one line a scenario.
//!
//! Limits: nothing is judged here, timings least of all; they are printed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::measure::{Cost, Sample};

/// The costs of one scenario, run by run.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) scenario: &'static str,
    pub(crate) endpoints: u32,
    /// Empty when the yardstick ran alone.
    pub(crate) hailer: Vec<Cost>,
    pub(crate) floor: Vec<Cost>,
}

/// The table, with its head.
pub(crate) fn table(all: &[Runs]) -> String {
    let mut text = format!(
        "{:<14} {:>9}  {:>10} {:>10}  {:<19}  {:>9} {:>9}  {:>10} {:>10}\n{:<14} {:>9}  {:>10} {:>10}  {:<19}  {:>9} \
         {:>9}  {:>10} {:>10}\n",
        "scenario",
        "endpoints",
        "hailer",
        "floor",
        "ratio",
        "hailer",
        "floor",
        "hailer",
        "floor",
        "",
        "",
        "µs CPU",
        "µs CPU",
        "median (min–max)",
        "wall",
        "wall",
        "peak",
        "peak",
    );
    for runs in all {
        let cpu = |cost: &Cost| cost.cpu().as_secs_f64() * 1e6 / f64::from(runs.endpoints);
        let wall = |cost: &Cost| cost.wall.as_secs_f64();
        let peak = |cost: &Cost| mebibytes(cost.peak_kib);
        let ratios = runs.hailer.iter().zip(&runs.floor).map(|(hailer, floor)| cpu(hailer) / cpu(floor));
        let ratio = Spread::of(ratios).map_or_else(
            || "–".to_owned(),
            |ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.most),
        );
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<14} {:>9}  {:>10} {:>10}  {ratio:<19}  {:>9} {:>9}  {:>10} {:>10}",
            runs.scenario,
            runs.endpoints,
            median(&runs.hailer, cpu, 2, ""),
            median(&runs.floor, cpu, 2, ""),
            median(&runs.hailer, wall, 2, " s"),
            median(&runs.floor, wall, 2, " s"),
            median(&runs.hailer, peak, 1, " MiB"),
            median(&runs.floor, peak, 1, " MiB"),
        );
    }
    text
}

/// The memory over time, from the first second to the last.
pub(crate) fn memory(samples: &[Sample]) -> String {
    let Some((first, last)) = samples.first().zip(samples.last()) else {
        return "no sample of the memory\n".to_owned();
    };
    let resident = |from: Duration| {
        Spread::of(samples.iter().filter(|sample| sample.at >= from).map(|sample| mebibytes(sample.resident_kib)))
    };
    let half = last.at / 2;
    let mut text = format!(
        "memory: {} samples over {:.0} s, at first {:.2} MiB, at last {:.2} MiB, high-water mark {:.2} MiB\n",
        samples.len(),
        last.at.as_secs_f64(),
        mebibytes(first.resident_kib),
        mebibytes(last.resident_kib),
        mebibytes(last.peak_kib),
    );
    for (name, from) in [("all of it", Duration::ZERO), ("second half", half)] {
        if let Some(spread) = resident(from) {
            let _ = writeln!(text, "  resident, {name}: {:.2}–{:.2} MiB", spread.least, spread.most);
        }
    }
    text
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values = values.collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { least, median: f64::midpoint(lower, upper), most })
    }
}

fn median(costs: &[Cost], figure: impl Fn(&Cost) -> f64, decimals: usize, unit: &str) -> String {
    Spread::of(costs.iter().map(figure))
        .map_or_else(|| "–".to_owned(), |spread| format!("{:.decimals$}{unit}", spread.median))
}

fn mebibytes(kib: u32) -> f64 {
    f64::from(kib) / 1024.0
}
