//! How many requests an address may send: a bucket each, of bounded number.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tokio::time::Instant;

/// Counts requests by address; see the module.
#[derive(Debug)]
pub(super) struct RateLimit {
    per_minute: f64,
    addresses: usize,
    buckets: HashMap<IpAddr, Bucket>,
    /// For all who have no bucket of their own, when there are too many addresses.
    others: Bucket,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl RateLimit {
    pub(super) fn new(per_minute: u32, addresses: usize, now: Instant) -> Self {
        let per_minute = f64::from(per_minute.max(1));
        let others = Bucket { left: per_minute, at: now };
        Self { per_minute, addresses, buckets: HashMap::new(), others }
    }

    /// Whether an address may send a request now; takes it off if so.
    pub(super) fn admits(&mut self, address: IpAddr, now: Instant) -> bool {
        let (most, address) = (self.per_minute, network(address));
        if !self.buckets.contains_key(&address) && self.buckets.len() >= self.addresses {
            // Whoever has been silent for long enough has a full bucket, as if it were new.
            self.buckets.retain(|_, bucket| bucket.filled(most, now).left < most);
        }
        let full = Bucket { left: most, at: now };
        let bucket = match self.buckets.len() >= self.addresses {
            true => self.buckets.get_mut(&address).unwrap_or(&mut self.others),
            false => self.buckets.entry(address).or_insert(full),
        };
        *bucket = bucket.filled(most, now);
        let admitted = bucket.left >= 1.0;
        if admitted {
            bucket.left -= 1.0;
        }
        admitted
    }
}

impl Bucket {
    fn filled(self, most: f64, now: Instant) -> Self {
        let passed = now.saturating_duration_since(self.at);
        let more = passed.as_secs_f64() / Duration::from_mins(1).as_secs_f64() * most;
        Self { left: (self.left + more).min(most), at: now }
    }
}

/// What one sender can choose its addresses from: of IPv6 the first half.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::from(u64::MAX) << 64)))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_address_sends_its_share_a_minute_and_does_not_hold_up_others() {
        let now = Instant::now();
        let mut rate = RateLimit::new(6, 10, now);
        let admitted = (0..100).filter(|_| rate.admits(v4(1), now)).count();
        assert_eq!(admitted, 6);
        assert!(rate.admits(v4(2), now));
        let later = now + Duration::from_secs(20);
        assert_eq!((0..100).filter(|_| rate.admits(v4(1), later)).count(), 2);
    }

    #[test]
    fn many_addresses_cost_bounded_memory_and_share_one_bucket() {
        let now = Instant::now();
        let mut rate = RateLimit::new(6, 4, now);
        let admitted = (0..=255).filter(|last| rate.admits(v4(*last), now)).count();
        assert_eq!(admitted, 4 + 6);
        assert_eq!(rate.buckets.len(), 4);
        let later = now + Duration::from_mins(2);
        assert!(rate.admits(v4(200), later), "those who went silent make room");
        assert_eq!(rate.buckets.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let now = Instant::now();
        let mut rate = RateLimit::new(3, 10, now);
        let admitted = (0..50_u128)
            .filter(|host| rate.admits(IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8 << 96) + host)), now));
        assert_eq!(admitted.count(), 3);
    }
}
