//! The sheet of software: each product and version, with how many endpoints name it.

use std::io;

use rust_xlsxwriter::Color;

use super::book::Book;
use super::cell::Value;
use super::sheet::{Head, Layout, Limits, Look};
use crate::inventory::{Figures, Product};

/// Writes the sheet; the commonest product comes first, and of each the commonest version.
pub(super) fn write(figures: &Figures, book: &mut Book, limits: Limits) -> io::Result<()> {
    let mut sheets = book.begin(layout(limits))?;
    for product in figures.software() {
        for (version, count) in &product.versions {
            let cells = [
                Some(text(product.name)),
                version.map(text),
                product.vendor.map(text),
                Some(Value::count(*count)),
                Some(Value::count(product.count)),
            ];
            book.write(&mut sheets, cells.into_iter())?;
        }
    }
    book.end(sheets, note(figures).as_deref())
}

/// What is not on the sheet, in words.
pub(super) fn note(figures: &Figures) -> Option<String> {
    let versions = figures.software().iter().map(|product| product.left_out).fold(0, u64::saturating_add);
    let parts = [
        (figures.unnamed(), "endpoints greeted and name no software that is known"),
        (figures.software_left_out(), "endpoints name further products, which are too many to tell apart"),
        (versions, "endpoints name further versions of these"),
    ];
    let words: Vec<_> =
        parts.iter().filter(|part| part.0 > 0).map(|(count, words)| format!("{count} {words}.")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The products with their counts, the commonest first.
pub(super) fn counts(figures: &Figures) -> Vec<(String, u64)> {
    figures.software().into_iter().map(|Product { name, count, .. }| (name.to_owned(), count)).collect()
}

fn text(text: &str) -> Value<'_> {
    Value::text(text)
}

fn layout(limits: Limits) -> Layout {
    let heads = vec![
        Head::new("software", 36.0, Look::Plain),
        Head::new("version", 18.0, Look::Plain),
        Head::new("vendor", 28.0, Look::Plain),
        Head::new("endpoints", 12.0, Look::Count),
        Head::new("of all versions", 16.0, Look::Count),
    ];
    Layout { name: "Software", tab: Color::RGB(0x6a_4c_93), heads, frozen: 1, limits }
}
