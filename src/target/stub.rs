//! To be replaced.
use super::*;
impl Targets {
    pub(crate) fn admits(&self, ip: IpAddr) -> Result<(), Arc<str>> {
        if self.family.has(ip) { Ok(()) } else { Err("other".into()) }
    }
    pub(crate) fn has_names(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.place, Place_::Named(_)))
    }
    pub fn public_addresses(&self) -> u128 {
        u128::from(self.may_be_public())
    }
}
