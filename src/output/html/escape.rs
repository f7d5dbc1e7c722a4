//! Text as a page can hold it: inert, whoever wrote it.
//!
//! Between tags and in quoted attributes the five characters that mean something there are written as references. In a
//! script element, whose text knows no references, JSON is written without `<`, `>` and `&`, so that nothing ends the
//! element or begins a comment in it; what reads the JSON sees them.

use std::fmt::{self, Write as _};

use crate::output::escape::inert;

/// Text between tags, or in a quoted attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // Nothing that a parser drops or replaces.
            '\0' => f.write_char('\u{fffd}'),
            character => f.write_char(character),
        })
    }
}

/// JSON in a script element. These characters are in its strings alone, where an escape stands for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(pub(super) &'a str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '<' => f.write_str("\\u003c"),
            '>' => f.write_str("\\u003e"),
            '&' => f.write_str("\\u0026"),
            '\u{2028}' => f.write_str("\\u2028"),
            '\u{2029}' => f.write_str("\\u2029"),
            character => f.write_char(character),
        })
    }
}

/// A value in an address's fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a>(pub(super) &'a str);

impl fmt::Display for Fragment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => f.write_char(byte.into()),
            byte => write!(f, "%{byte:02X}"),
        })
    }
}

/// Text that can be shown whoever wrote it, cut visibly.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut text = inert(text.into()).into_owned();
    if text.char_indices().nth(most).is_some() {
        let end = text.char_indices().nth(most.saturating_sub(1)).map_or(0, |(at, _)| at);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_place_has_its_own_form() {
        let hostile = "</script><!--\u{2028}&'\"\u{2029}-->é";
        assert_eq!(Text(hostile).to_string(), "&lt;/script&gt;&lt;!--\u{2028}&amp;&#39;&quot;\u{2029}--&gt;é");
        let json = Value::from(hostile).to_string();
        let expected = r#""\u003c/script\u003e\u003c!--\u2028\u0026'\"\u2029--\u003eé""#;
        assert_eq!(Json(&json).to_string(), expected);
        assert_eq!(Fragment("Exim 4.90 & <é>").to_string(), "Exim%204.90%20%26%20%3C%C3%A9%3E");
    }

    proptest! {
        #[test]
        fn nothing_that_means_something_survives(text in any::<String>(), around in "(<|>|&|-->|</script|<!--|\"|'|\u{2028}|\u{2029}){0,4}") {
            let text = format!("{around}{text}{around}");
            let shown = Text(&text).to_string();
            prop_assert!(!shown.contains(['<', '>', '"', '\'', '\0']));
            let plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(plain.replace("&amp;", "&"), text.replace('\0', "\u{fffd}"));
            let json = Value::from(text.as_str()).to_string();
            let shown = Json(&json).to_string();
            let means = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!shown.contains(means));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text.clone());
            prop_assert!(Fragment(&text).to_string().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte)));
        }
    }
}
