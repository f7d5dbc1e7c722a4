//! What stands in front of an endpoint, in a sentence or two: the verdict, and each piece of evidence in the handbook's words.

use hailer::Observation;
use hailer::handbook::Handbook;
use hailer::observation::{Evidence, Fronting};
use hailer::output::escape::escape;

/// More evidence than this makes no verdict clearer.
const SHOWN: usize = 3;

/// Says what stands in front; nothing where nothing was observed, which proves nothing.
pub(super) fn front(row: &Observation) -> Option<String> {
    let verdict = match row.fronting? {
        Fronting::NotObserved => return None,
        Fronting::Possible => "Something may stand in front of it",
        Fronting::Nat => "Its address or port is translated on the way",
        Fronting::Likely => "Something is likely to stand in front of it",
        Fronting::Confirmed => "Something stands in front of it",
    };
    let name = row.front().map(|name| format!(" ({})", escape(name.as_bytes()))).unwrap_or_default();
    let reasons: Vec<_> = row.evidence.iter().take(SHOWN).map(reason).collect();
    Some(format!("{verdict}{name}: {}", reasons.join(" ")))
}

/// One piece of evidence: what is seen, and under which name it is explained.
fn reason(evidence: &Evidence) -> String {
    let code = evidence.code.as_str();
    let sentence = Handbook::builtin().evidence(code).map_or("", |text| text.sentence.trim_end_matches('.'));
    let seen = evidence.excerpt.as_deref().map(|seen| format!("; seen: {}", escape(seen.as_bytes())));
    format!("{sentence} [{code}{}].", seen.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hailer::observation::{EvidenceCode, Grade};

    use super::super::hand_made::greeted;
    use super::*;

    fn fronted(fronting: Fronting, evidence: &[(EvidenceCode, Option<&str>, Option<&str>)]) -> Option<String> {
        let mut row = greeted(25, "220 mx.example ESMTP\r\n");
        row.fronting = Some(fronting);
        row.evidence = evidence
            .iter()
            .map(|(code, excerpt, front)| Evidence {
                code: *code,
                grade: Grade::Strong,
                excerpt: excerpt.map(str::to_owned),
                at: None,
                front: front.map(Into::into),
            })
            .collect();
        front(&row)
    }

    #[test]
    fn what_stands_in_front_is_told_with_its_reasons() {
        use EvidenceCode::{OtherPortNamed, Postscreen, UnsolicitedError};
        assert_eq!(fronted(Fronting::NotObserved, &[]), None);
        for (fronting, evidence, told) in [
            (
                Fronting::Likely,
                &[(Postscreen, None, Some("postscreen"))][..],
                "Something is likely to stand in front of it (postscreen): One line of a greeting comes, then seconds of \
                 nothing, then the greeting [postscreen].",
            ),
            (
                Fronting::Confirmed,
                &[(UnsolicitedError, Some("530 \x1b[2J"), None), (Postscreen, None, None)],
                "Something stands in front of it: Right after its greeting the server sends an error, though nothing was \
                 asked yet [unsolicited_error; seen: 530 \\x1b[2J]. One line of a greeting comes, then seconds of nothing, \
                 then the greeting [postscreen].",
            ),
            (
                Fronting::Nat,
                &[(OtherPortNamed, None, None)],
                "Its address or port is translated on the way: The server",
            ),
        ] {
            let words = fronted(fronting, evidence).unwrap();
            assert!(words.starts_with(told), "{words}");
        }
    }
}
