//! Token buckets in memory, for each client and kind of request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use pbft_crypto::Address;

/// What a request costs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Looks something up.
    Read,
    /// Changes something.
    Write,
    /// Makes the server hash a password.
    Password,
    /// Reads much more than it answers, computes for long, or asks all replicas.
    Heavy,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// A member who is signed in.
    Member(Address),
    /// Everyone who gives this name to sign in or up with, whether a member has it or not. In small Latin letters.
    Name(String),
    /// Everyone else at an address. Of IPv6 addresses the first 64 bits count, since a client has all the others.
    Address(IpAddr),
}

impl Client {
    /// Anyone at this address.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
            v4 => v4,
        })
    }
}

/// How much of one kind a client may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At once.
    pub burst: f64,
    /// Each second from then on.
    pub per_second: f64,
}

/// How much of each kind a client may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of `Kind::Read`.
    pub read: Rate,
    /// Of `Kind::Write`.
    pub write: Rate,
    /// Of `Kind::Password`.
    pub password: Rate,
    /// Of `Kind::Heavy`.
    pub heavy: Rate,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            read: Rate { burst: 2_000.0, per_second: 1_000.0 },
            write: Rate { burst: 400.0, per_second: 200.0 },
            password: Rate { burst: 60.0, per_second: 1.0 },
            heavy: Rate { burst: 100.0, per_second: 20.0 },
        }
    }
}

/// The most clients that are remembered. When there are more, those who have asked for least are forgotten, so that a
/// flood from many addresses costs memory of this size at most.
const MAX_CLIENTS: usize = 16_384;

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// The buckets.
pub(crate) struct RateLimiter {
    rates: Rates,
    buckets: Mutex<HashMap<(Client, Kind), Bucket>>,
}

impl RateLimiter {
    /// With all buckets full.
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, buckets: Mutex::default() }
    }

    const fn rate(&self, kind: Kind) -> Rate {
        match kind {
            Kind::Read => self.rates.read,
            Kind::Write => self.rates.write,
            Kind::Password => self.rates.password,
            Kind::Heavy => self.rates.heavy,
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// After how many seconds to try again.
    pub(crate) fn take(&self, client: Client, kind: Kind, now: Instant) -> Result<(), u32> {
        let rate = self.rate(kind);
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= MAX_CLIENTS && !buckets.contains_key(&(client.clone(), kind)) {
            self.forget(&mut buckets, now);
        }
        let full = Bucket { tokens: rate.burst, at: now };
        let bucket = buckets.entry((client, kind)).or_insert(full);
        let tokens = refilled(bucket, rate, now);
        *bucket = Bucket { tokens, at: now };
        if tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        let seconds = ((1.0 - tokens) / rate.per_second).ceil().clamp(1.0, 3_600.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 3600")]
        Err(seconds as u32)
    }

    /// Forgets the half that has most left: full buckets first, which are as good as new.
    fn forget(&self, buckets: &mut HashMap<(Client, Kind), Bucket>, now: Instant) {
        let level = |kind: Kind, bucket: &Bucket| {
            let rate = self.rate(kind);
            refilled(bucket, rate, now) / rate.burst
        };
        let mut levels: Vec<f64> = buckets.iter().map(|((_, kind), bucket)| level(*kind, bucket)).collect();
        levels.sort_by(f64::total_cmp);
        let median = levels.get(levels.len() / 2).copied().unwrap_or_default();
        buckets.retain(|(_, kind), bucket| level(*kind, bucket) < median);
    }
}

fn refilled(bucket: &Bucket, rate: Rate, now: Instant) -> f64 {
    let seconds = now.saturating_duration_since(bucket.at).as_secs_f64();
    seconds.mul_add(rate.per_second, bucket.tokens).min(rate.burst)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn limiter() -> RateLimiter {
        let rate = Rate { burst: 2.0, per_second: 0.5 };
        RateLimiter::new(Rates { read: rate, write: rate, password: rate, heavy: rate })
    }

    #[test]
    fn a_client_has_a_burst_then_a_rate_of_its_own() {
        let (limiter, start) = (limiter(), Instant::now());
        let take = |name: u8, kind, after| {
            limiter.take(
                Client::Member(Address::from_bytes([name; 32])),
                kind,
                start + Duration::from_secs(after),
            )
        };
        assert_eq!(take(1, Kind::Write, 0), Ok(()));
        assert_eq!(take(1, Kind::Write, 0), Ok(()));
        assert_eq!(take(1, Kind::Write, 0), Err(2));
        assert_eq!(take(2, Kind::Write, 0), Ok(()));
        assert_eq!(take(1, Kind::Read, 0), Ok(()));
        assert_eq!(take(1, Kind::Write, 1), Err(1));
        assert_eq!(take(1, Kind::Write, 2), Ok(()));
        assert_eq!(take(1, Kind::Write, 2), Err(2));
    }

    #[test]
    fn a_flood_of_addresses_is_bounded_and_does_not_free_the_limited() {
        let (limiter, now) = (limiter(), Instant::now());
        let bad = Client::at(IpAddr::V4(Ipv4Addr::LOCALHOST));
        for _ in 0..2 {
            assert_eq!(limiter.take(bad.clone(), Kind::Read, now), Ok(()));
        }
        for i in 0..40_000_u32 {
            let _ = limiter.take(Client::at(IpAddr::V4(i.into())), Kind::Read, now);
            assert!(limiter.buckets.lock().unwrap().len() <= MAX_CLIENTS);
        }
        assert_eq!(limiter.take(bad, Kind::Read, now), Err(2));
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let client = |text: &str| Client::at(text.parse().unwrap());
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("::ffff:127.0.0.1"), client("127.0.0.1"));
    }
}
