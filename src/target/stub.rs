//! To be replaced.
use super::*;
impl Targets {
    pub(crate) fn admits(&self, ip: IpAddr) -> Result<(), Arc<str>> {
        if self.family.has(ip) { Ok(()) } else { Err("other".into()) }
    }
    pub(crate) fn has_names(&self) -> bool {
        self.blocks.iter().any(|block| matches!(block.place, Place_::Named(_)))
    }
    /// To be replaced.
    pub fn public_addresses(&self) -> u128 {
        u128::from(self.may_be_public())
    }
    /// To be replaced.
    pub fn excluded(&self) -> u128 {
        0
    }
    /// To be replaced.
    pub fn not_probed(&self) -> &[NotProbed] {
        &[]
    }
}
impl TargetsBuilder {
    /// To be replaced.
    pub fn exclude(&mut self, word: &str) -> Result<&mut Self, TargetError> {
        parse(word)?;
        Ok(self)
    }
    /// To be replaced.
    pub fn exclude_list(&mut self, source: &str, list: impl io::BufRead) -> Result<&mut Self, ListError> {
        list::read(source, list, |word| self.exclude(word).map(drop))?;
        Ok(self)
    }
}
/// To be replaced.
#[derive(Debug, Clone)]
pub struct NotProbed {
    /// To be replaced.
    pub addresses: u128,
}
impl fmt::Display for NotProbed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.addresses)
    }
}
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, service } = self;
        match host {
            Host::Address(ip) if ip.is_ipv6() => write!(f, "[{ip}]:{port}={service}"),
            Host::Address(_) | Host::Name(_) | Host::Mx(_) => write!(f, "{host}:{port}={service}"),
        }
    }
}
