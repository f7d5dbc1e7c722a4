//! What many greetings came to, in a few lines.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use hailer::Observation;
use hailer::output::escape::escape;
use indicatif::HumanCount;

/// So many products are shown.
const TOP: usize = 10;

/// Greetings, counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) named: u64,
    pub(super) unnamed: u64,
    /// Rows of endpoints that said nothing.
    pub(super) without_greeting: u64,
    /// Lines that could not be read.
    pub(super) unread: u64,
    products: HashMap<Arc<str>, u64>,
}

impl Tally {
    pub(super) fn count(&mut self, row: &Observation, is_named: bool) {
        *(if is_named { &mut self.named } else { &mut self.unnamed }) += 1;
        if let Some(software) = &row.software {
            *self.products.entry(Arc::clone(&software.name)).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.named += other.named;
        self.unnamed += other.unnamed;
        self.without_greeting += other.without_greeting;
        self.unread += other.unread;
        for (name, count) in other.products {
            *self.products.entry(name).or_default() += count;
        }
    }

    pub(super) fn render(&self) -> String {
        let Self { named, unnamed, .. } = *self;
        let all = named + unnamed;
        let noun = if all == 1 { "greeting" } else { "greetings" };
        let mut text =
            format!("{} {noun}: {} named, {} unnamed\n", HumanCount(all), HumanCount(named), HumanCount(unnamed));
        let mut products: Vec<_> = self.products.iter().collect();
        products.sort_by_key(|&(name, count)| (Reverse(*count), name));
        let shown: Vec<_> = products.iter().take(TOP).map(|(name, count)| (escape(name.as_bytes()), **count)).collect();
        let width = shown.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (name, count) in shown {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {name:width$} {:>9}", HumanCount(count).to_string());
        }
        if let Some(more @ 1..) = products.len().checked_sub(TOP) {
            let _ = writeln!(text, "  and {more} more products");
        }
        if self.without_greeting > 0 {
            let _ = writeln!(text, "rows without a greeting: {}", HumanCount(self.without_greeting));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_products_come_first() {
        let mut tally = Tally { named: 1_078, unnamed: 1, without_greeting: 3, ..Tally::default() };
        for product in 1..=12_u64 {
            tally.products.insert(format!("product {product}").into(), product);
        }
        tally.add(Tally { products: HashMap::from([("product 3".into(), 1_000)]), ..Tally::default() });
        let text = tally.render();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..3],
            ["1,079 greetings: 1,078 named, 1 unnamed", "  product 3      1,003", "  product 12        12"]
        );
        assert_eq!(lines[11..], ["  and 2 more products", "rows without a greeting: 3"]);
        assert_eq!(Tally { unnamed: 1, ..Tally::default() }.render(), "1 greeting: 0 named, 1 unnamed\n");
    }
}
