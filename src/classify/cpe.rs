//! CPE 2.3 names: a template of a signature, with the version put in place.
//!
//! The formatted-string binding of NISTIR 7695 §6.2: thirteen components, of which a value is in lower case, with every
//! character escaped but letters, digits and `.` `-` `_`. The template is checked for its shape, not against the
//! dictionary.

/// Where the version goes.
const PLACE: &str = "{version}";

/// `cpe`, `2.3`, and eleven attributes.
const COMPONENTS: usize = 13;

/// A checked template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    before: String,
    /// What follows the version; absent where the template has no place for one.
    after: Option<String>,
}

impl Template {
    /// Checks a template; the error says what is wrong with it.
    pub(super) fn parse(template: &str) -> Result<Self, &'static str> {
        let components: Vec<&str> = template.split(':').collect();
        match components.as_slice() {
            ["cpe", "2.3", "a" | "o" | "h", rest @ ..] if rest.len() + 3 == COMPONENTS => {
                if rest.iter().any(|component| component.is_empty()) {
                    return Err("a component of the CPE is empty: write `*`");
                }
            }
            ["cpe", "2.3", ..] => return Err("a CPE has a part (a, o or h) and thirteen components in all"),
            _ => return Err("a CPE begins with `cpe:2.3:`"),
        }
        Ok(match template.split_once(PLACE) {
            Some((before, after)) => Self { before: before.to_owned(), after: Some(after.to_owned()) },
            None => Self { before: template.to_owned(), after: None },
        })
    }

    /// The name for a version, `*` where it is not known.
    pub(super) fn fill(&self, version: Option<&str>) -> String {
        let after = self.after.as_deref();
        let len = self.before.len() + version.map_or(1, str::len) + after.map_or(0, str::len);
        let mut name = String::with_capacity(len);
        name.push_str(&self.before);
        if let Some(after) = after {
            match version {
                Some(version) => push_escaped(&mut name, version),
                None => name.push('*'),
            }
            name.push_str(after);
        }
        name
    }
}

fn push_escaped(name: &mut String, value: &str) {
    // What CPE cannot write, it must not guess; a lone hyphen unescaped would mean "not applicable".
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        name.push('*');
        return;
    }
    if value == "-" {
        name.push_str("\\-");
        return;
    }
    for c in value.chars() {
        match c {
            ' ' => name.push('_'),
            '.' | '-' | '_' => name.push(c),
            _ if c.is_ascii_alphanumeric() => name.push(c.to_ascii_lowercase()),
            _ => name.extend(['\\', c]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_put_in_place_and_escaped() {
        let template = Template::parse("cpe:2.3:a:exim:exim:{version}:*:*:*:*:*:*:*").unwrap();
        for (version, written) in [
            (Some("4.98.2"), "4.98.2"),
            (Some("4.96-RC1"), "4.96-rc1"),
            (Some("4.86_2"), "4.86_2"),
            (Some("8.11.6+Sun"), "8.11.6\\+sun"),
            (Some("1:2"), "1\\:2"),
            (Some("9.1 beta"), "9.1_beta"),
            (Some("a\\b"), "a\\\\b"),
            (Some("-"), "\\-"),
            (Some("é"), "*"),
            (None, "*"),
        ] {
            assert_eq!(template.fill(version), format!("cpe:2.3:a:exim:exim:{written}:*:*:*:*:*:*:*"));
        }
    }

    #[test]
    fn a_template_may_have_no_place() {
        let name = "cpe:2.3:a:microsoft:exchange_server:*:*:*:*:*:*:*:*";
        assert_eq!(Template::parse(name).unwrap().fill(Some("1")), name);
    }

    #[test]
    fn malformed_templates_are_refused() {
        for template in ["", "cpe:/a:exim:exim", "cpe:2.3:a:exim:exim:*", "cpe:2.3:x:e:e:*:*:*:*:*:*:*:*"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
        assert!(Template::parse("cpe:2.3:a:exim::*:*:*:*:*:*:*:*").is_err());
    }
}
