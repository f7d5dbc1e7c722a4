//! The figures: one table, one line a scenario.
//!
//! Limits: nothing is judged here, timings least of all; they are printed.

use std::fmt::Write as _;
use std::time::Duration;

use crate::measure::{Cost, Sample};
use crate::spread::Spread;

/// The costs of one scenario, run by run.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) scenario: String,
    pub(crate) endpoints: u32,
    /// Empty when the yardstick ran alone.
    pub(crate) hailer: Vec<Cost>,
    pub(crate) floor: Vec<Cost>,
}

impl Runs {
    /// A figure of hailer's by the floor's, pair by pair.
    pub(crate) fn ratios(&self, figure: impl Fn(&Cost) -> Duration) -> impl Iterator<Item = f64> {
        let seconds = move |cost: &Cost| figure(cost).as_secs_f64();
        self.hailer.iter().zip(&self.floor).map(move |(hailer, floor)| seconds(hailer) / seconds(floor))
    }
}

/// The table, with its head.
pub(crate) fn table(all: &[Runs]) -> String {
    let mut text = format!(
        "{:<18} {:>9}  {:>10} {:>10}  {:<19}  {:>9} {:>9}  {:<19}  {:>10} {:>10}\n{:<18} {:>9}  {:>10} {:>10}  {:<19}  \
         {:>9} {:>9}  {:<19}  {:>10} {:>10}\n",
        "scenario",
        "endpoints",
        "hailer",
        "floor",
        "ratio",
        "hailer",
        "floor",
        "ratio",
        "hailer",
        "floor",
        "",
        "",
        "µs CPU",
        "µs CPU",
        "median (min–max)",
        "wall",
        "wall",
        "median (min–max)",
        "peak",
        "peak",
    );
    for runs in all {
        let cpu = |cost: &Cost| cost.cpu().as_secs_f64() * 1e6 / f64::from(runs.endpoints);
        let wall = |cost: &Cost| cost.wall.as_secs_f64();
        let peak = |cost: &Cost| mebibytes(cost.peak_kib);
        let ratio = |figure: fn(&Cost) -> Duration| {
            Spread::of(runs.ratios(figure)).map_or_else(|| "–".to_owned(), |ratio| ratio.text(2))
        };
        let (of_cpu, of_wall) = (ratio(Cost::cpu), ratio(|cost| cost.wall));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<18} {:>9}  {:>10} {:>10}  {of_cpu:<19}  {:>9} {:>9}  {of_wall:<19}  {:>10} {:>10}",
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

fn median(costs: &[Cost], figure: impl Fn(&Cost) -> f64, decimals: usize, unit: &str) -> String {
    Spread::of(costs.iter().map(figure))
        .map_or_else(|| "–".to_owned(), |spread| format!("{:.decimals$}{unit}", spread.median))
}

fn mebibytes(kib: u32) -> f64 {
    f64::from(kib) / 1024.0
}
