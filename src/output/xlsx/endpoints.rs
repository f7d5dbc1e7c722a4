//! The sheet of endpoints: every row with every column of the schema, and those of others behind.

use std::sync::Arc;

use rust_xlsxwriter::Color;

use super::cell::Value;
use super::sheet::{Head, Layout, Limits, Look};
use crate::inventory::Row;
use crate::output::Column;

/// When, which and where stays in sight.
const FROZEN: u16 = 4;

pub(super) fn layout(others: &[Arc<str>], limits: Limits) -> Layout {
    let columns = Column::ALL.into_iter().map(|column| {
        let (width, look) = look(column);
        Head::new(column.as_str(), width, look)
    });
    let others = others.iter().map(|name| Head::new(&**name, 18.0, Look::Plain));
    let heads = columns.chain(others).collect();
    Layout { name: "Endpoints", tab: Color::RGB(0x1f_3a_5f), heads, frozen: FROZEN, limits }
}

/// The cells of a row, in the order of the columns.
pub(super) fn cells<'a>(row: &'a Row, others: &'a [Arc<str>]) -> impl Iterator<Item = Option<Value<'a>>> {
    let other = |name: &'a Arc<str>| row.other(name).filter(|text| !text.is_empty()).map(Value::text);
    Column::ALL.into_iter().map(|column| Value::of(row, column)).chain(others.iter().map(other))
}

/// How wide a column is, in characters, and how its cells are shown.
pub(super) const fn look(column: Column) -> (f64, Look) {
    match column {
        Column::Time | Column::CertNotBefore | Column::CertNotAfter => (19.5, Look::Date),
        Column::Severity => (10.0, Look::Severity),
        Column::Port => (8.0, Look::Number),
        Column::ConnectMs
        | Column::TlsMs
        | Column::GreetingMs
        | Column::Code
        | Column::Confidence
        | Column::Attempts => (13.0, Look::Number),
        Column::Truncated => (12.0, Look::Plain),
        Column::Service | Column::Tls | Column::TlsVersion | Column::Pasv => (12.5, Look::Plain),
        Column::Outcome
        | Column::Protocol
        | Column::Fronting
        | Column::Front
        | Column::CertKey
        | Column::CertStatus => (15.0, Look::Plain),
        Column::Ip | Column::Version | Column::TlsGroup | Column::Auth => (16.0, Look::Plain),
        Column::Software
        | Column::Vendor
        | Column::Device
        | Column::Os
        | Column::TlsError
        | Column::CertSignature
        | Column::Ptr => (22.0, Look::Plain),
        Column::Name | Column::Detail | Column::Hostname | Column::Findings | Column::TlsCipher => (26.0, Look::Plain),
        Column::Evidence
        | Column::Cpe
        | Column::CertSubject
        | Column::CertIssuer
        | Column::CertNames
        | Column::Capabilities => (34.0, Look::Plain),
        Column::CertSha256 | Column::BannerHash => (20.0, Look::Plain),
        Column::Banner => (50.0, Look::Plain),
    }
}
