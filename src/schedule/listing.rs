//! What a scan would probe, in its order, without a scan.

use std::io;

use super::order::{Order, Shard};
use crate::config::seed_from;
use crate::target::{Endpoint, Targets};

/// The endpoints of one shard in the order in which a scan with this seed begins them.
///
/// ```
/// use hailer::{Family, Ports, Shard, Targets, listing};
///
/// let mut targets = Targets::builder();
/// targets.add("192.0.2.0/30:25")?;
/// let targets = targets.build(&Ports::default(), Family::Any)?;
/// let endpoints: Vec<_> = listing(&targets, Some(7), Shard::WHOLE).collect::<Result<_, _>>()?;
/// assert_eq!(endpoints.len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn listing(targets: &Targets, seed: Option<u64>, shard: Shard) -> impl Iterator<Item = io::Result<Endpoint>> + '_ {
    let seed = seed.unwrap_or_else(|| seed_from(&targets.digest()));
    let order = Order::new(targets.len(), seed, shard);
    (0..order.len()).filter_map(move |position| targets.endpoint(order.at(position)?).transpose())
}
