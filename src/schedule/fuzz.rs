//! What must hold of journals whatever is in the file.

use super::journal::Journal;
use super::ledger::{Checkpoint, Ledger};

/// What is read is written as it was, and what it says can be gone on from.
pub(crate) fn journal(bytes: &[u8]) {
    let journal = match Journal::parse(bytes) {
        Ok(journal) => journal,
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("it is ") && !told.contains('\n'), "{told}");
            return;
        }
    };
    let content = journal.content().expect("a path that was read is UTF-8");
    let again = Journal::parse(&content).expect("what was written can be read");
    assert_eq!(again, journal);
    assert_eq!(again.content().ok().as_deref(), Some(content.as_slice()));
    // Until the last byte but the LF it is torn, and said to be.
    assert!(Journal::parse(&content[..content.len() - 2]).is_err());
    let checkpoint = journal.mark.checkpoint;
    if checkpoint.is_sound() {
        go_on(&checkpoint);
    }
}

/// A ledger that goes on from it is where it was, and hands out what is unfinished, each position once.
fn go_on(checkpoint: &Checkpoint) {
    let low = checkpoint.low_water_mark();
    // As short as it may be: beyond what is done lies no more than what is unfinished, which is listed.
    let len = (checkpoint.done()..=u64::MAX).find(|len| checkpoint.fits(*len)).expect("it ends somewhere");
    let mut ledger = Ledger::new(len, checkpoint.clone());
    assert_eq!(Checkpoint::new(&ledger, checkpoint.counts().clone()), *checkpoint);
    let mut last = None;
    while !ledger.all_begun() {
        let position = ledger.begin().expect("not all is begun").position;
        assert!(position >= low && position < len && last.is_none_or(|last| last < position));
        last = Some(position);
    }
    assert!(ledger.begin().is_none());
    assert_eq!(Checkpoint::new(&ledger, checkpoint.counts().clone()), *checkpoint, "nothing is finished yet");
}
