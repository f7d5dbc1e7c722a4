//! Hosts whose decoy was tried, and what came of it: one try stands for all endpoints of a host.
//!
//! So many are remembered; at one more the decoy is tried again for each of its endpoints.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Some 2 MB.
const MOST: usize = 1 << 16;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Knocked(Mutex<HashMap<IpAddr, bool>>);

impl Knocked {
    /// Whether the decoy of a host accepted; none where that is not known.
    pub(super) fn of(&self, host: IpAddr) -> Option<bool> {
        self.known().get(&host).copied()
    }

    /// Keeps what came of a try, if there is room.
    pub(super) fn keep(&self, host: IpAddr, accepted: bool) {
        let mut known = self.known();
        if known.len() < MOST {
            known.insert(host, accepted);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<IpAddr, bool>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let knocked = Knocked::default();
        let hosts = || (0..=u32::try_from(MOST).unwrap()).map(|number| IpAddr::from(number.to_be_bytes()));
        hosts().for_each(|host| knocked.keep(host, true));
        assert_eq!(hosts().filter(|host| knocked.of(*host).is_some()).count(), MOST);
    }
}
