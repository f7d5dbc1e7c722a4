//! What the answers to EHLO, FEAT and SYST say of the software, and whether it is what the greeting says.
//!
//! They are looked at where they were asked for anyway. An answer names what the greeting leaves unnamed, and fills in
//! what it leaves out. Where both are sure and name different software, one of them lies or another server answers:
//! the surer one stays, at little confidence, and the contradiction is kept for a finding. A product that runs the
//! other's software (`runs` in the wordlists) contradicts nothing.

use super::list::{List, RIVAL_PENALTY, RIVAL_WITHIN};
use super::signature::{Match, Said, Signature};
use super::text::Text;
use crate::observation::{Asked, Contradiction, Dialogue, Observation, Software};

/// From here two names contradict each other; below, one of them is a guess.
const SURE: u8 = 80;

/// How sure a name is at most that something contradicts.
const CONTRADICTED: u8 = 50;

/// What one answer names.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    signature: &'a Signature,
    software: Software,
    /// What it answered.
    asked: &'static str,
}

/// The surest of the answers, the first of those as sure.
pub(super) fn answer<'a>(dialogue: &Dialogue, ftp: &'a List, mail: &'a List) -> Option<Answer<'a>> {
    let offers = [&dialogue.offers, &dialogue.offers_inside].into_iter().flatten().map(|offers| {
        let (list, said) = match offers.asked {
            // HELO's answer is the first line of EHLO's.
            Asked::Ehlo | Asked::Helo => (mail, Said::Ehlo),
            Asked::Feat => (ftp, Said::Feat),
        };
        (list, said, offers.asked.as_str(), &offers.reply)
    });
    let system = dialogue.system.iter().map(|reply| (ftp, Said::Syst, "SYST", reply));
    let answers = offers.chain(system).filter_map(|(list, said, asked, reply)| {
        let (signature, Match { software, .. }) = list.best_said(said, &Text::read(&reply.bytes))?;
        Some(Answer { signature, software, asked })
    });
    answers.reduce(|best, next| if next.software.confidence > best.software.confidence { next } else { best })
}

/// Brings what an answer names together with what the greeting does, by its signature.
pub(super) fn reconcile(row: &mut Observation, greeting: Option<&Signature>, answer: Answer<'_>) {
    let (Some(software), Some(signature)) = (row.software.as_deref_mut(), greeting) else {
        row.software = Some(Box::new(answer.software));
        return;
    };
    if software.name == answer.software.name {
        fill_in(software, answer.software);
    } else if answer.signature.is_made_of(signature) {
        // The product says more than the engine that it runs.
        let engine = std::mem::replace(software, answer.software);
        software.os = software.os.take().or(engine.os);
    } else if signature.is_made_of(answer.signature) {
        software.os = software.os.take().or(answer.software.os);
    } else {
        row.contradiction = contradict(software, answer).map(Box::new);
    }
}

fn fill_in(software: &mut Software, answer: Software) {
    // A name with the version says more than one without.
    if software.version.is_none() && (answer.version.is_some() || software.cpe.is_none()) {
        software.cpe = answer.cpe.or_else(|| software.cpe.take());
    }
    software.version = software.version.take().or(answer.version);
    software.os = software.os.take().or(answer.os);
    software.device = software.device.take().or(answer.device);
    software.confidence = software.confidence.max(answer.confidence);
}

/// Keeps the surer of two, the greeting's where neither is; where both were sure the contradiction is told.
fn contradict(software: &mut Software, answer: Answer<'_>) -> Option<Contradiction> {
    let Answer { software: other, asked, .. } = answer;
    let (surer, lesser) = (software.confidence.max(other.confidence), software.confidence.min(other.confidence));
    let told =
        (lesser >= SURE).then(|| Contradiction { greeting: software.name.clone(), asked, answer: other.name.clone() });
    if other.confidence > software.confidence {
        *software = other;
    }
    software.confidence = match told {
        Some(_) => surer.min(CONTRADICTED),
        None => surer.saturating_sub(if surer - lesser <= RIVAL_WITHIN { RIVAL_PENALTY } else { 0 }).max(1),
    };
    told
}
