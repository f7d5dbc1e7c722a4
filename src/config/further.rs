//! What is tried on endpoints beyond their probe, and what is known of ourselves: which of it can be meant.

use std::net::IpAddr;

use super::Config;
use crate::error::Error;
use crate::scan;
use crate::target::Targets;

/// More connections than this tell nothing new of a pool, and are no sweep any longer.
const MAX_SAMPLES: u32 = 100;

/// The first of these settings that cannot be meant.
pub(super) fn check(config: &Config, targets: &Targets) -> Result<(), Error> {
    if config.samples.get() > MAX_SAMPLES {
        return Err(Error::Samples { asked: config.samples, most: MAX_SAMPLES });
    }
    if let Some(port) = config.decoy.filter(|port| *port == 0 || targets.ports().position(*port).is_some()) {
        return Err(Error::Decoy { port });
    }
    Config::check_our_addresses(&config.our_addresses)
}

impl Config {
    /// Whether [`Config::our_addresses`] can be these.
    ///
    /// # Errors
    /// Where one of them is nobody's.
    ///
    /// ```
    /// use hailer::Config;
    ///
    /// assert!(Config::check_our_addresses(&[[192, 0, 2, 7].into()]).is_ok());
    /// assert!(Config::check_our_addresses(&[[0, 0, 0, 0].into()]).is_err());
    /// ```
    pub fn check_our_addresses(addresses: &[IpAddr]) -> Result<(), Error> {
        let is_nobodys = |ip: &&IpAddr| ip.to_canonical().is_unspecified() || ip.to_canonical().is_multicast();
        match addresses.iter().find(is_nobodys) {
            Some(address) => Err(Error::OurAddress { address: *address }),
            None => Ok(()),
        }
    }
}

/// What slots are to try.
pub(super) fn plan(config: &Config) -> scan::Further {
    scan::Further { samples: config.samples, sample_interval: config.sample_interval, decoy: config.decoy }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::target::{Family, Ports};

    fn refusal(change: impl FnOnce(&mut Config)) -> Option<String> {
        let mut builder = Targets::builder();
        builder.add("127.0.0.1").unwrap();
        builder.add("127.0.0.2:2121=ftp").unwrap();
        let mut config = Config::default();
        change(&mut config);
        let targets = builder.build(&Ports::default(), Family::Any).unwrap();
        check(&config, &targets).err().map(|error| error.to_string())
    }

    #[test]
    fn samples_have_a_bound() {
        let refused = |samples| refusal(|config| config.samples = NonZeroU32::new(samples).unwrap());
        assert_eq!((refused(1), refused(100)), (None, None));
        assert!(refused(101).unwrap().starts_with("101 connections to each endpoint are too many"));
    }

    #[test]
    fn a_decoy_is_no_target() {
        let refused = |port| refusal(|config| config.decoy = Some(port));
        assert_eq!(refused(9), None);
        for port in [0, 25, 2121] {
            let words = refused(port).unwrap();
            assert!(words.starts_with(&format!("port {port} is no decoy")), "{words}");
        }
    }

    #[test]
    fn somebody_sees_us_at_our_addresses() {
        let refused =
            |ip: &str| refusal(|config| config.our_addresses = vec![[10, 0, 0, 1].into(), ip.parse().unwrap()]);
        for ip in ["192.0.2.7", "10.0.0.2", "127.0.0.1", "2001:db8::1"] {
            assert_eq!(refused(ip), None);
        }
        for ip in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "::ffff:0.0.0.0"] {
            let words = refused(ip).unwrap();
            assert!(words.starts_with(&format!("{ip} is not an address that anybody sees us at")), "{words}");
        }
    }
}
