//! Where webhooks may go: not into the networks that only this machine can reach. Else members could make it ask
//! services there that trust it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// The longest URL that is kept.
const MAX_URL_BYTES: usize = 2_048;

/// Why nothing is sent to a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadTarget {
    /// Not one at all.
    #[error("not a URL with a host, of 2048 bytes at most")]
    NotAUrl,
    /// What is sent could be read on the way.
    #[error("webhooks go to https addresses only")]
    NotHttps,
    /// A name and a password would be kept and sent in the clear.
    #[error("the URL may not have a user, a password or a fragment")]
    Decorated,
    /// It leads into a network that is not for all.
    #[error("{0} is not a public address")]
    Private(String),
}

/// Which addresses are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Those of the internet, over https.
    Public,
    /// Any, also over http. For tests, and for operators who know who their members are.
    Any,
}

impl Targets {
    /// A URL that may be used, as far as can be told without asking for addresses.
    ///
    /// # Errors
    /// [`BadTarget`].
    pub fn check(self, text: &str) -> Result<Url, BadTarget> {
        let url = Url::parse(text).ok().filter(|url| url.host().is_some() && text.len() <= MAX_URL_BYTES);
        let url = url.ok_or(BadTarget::NotAUrl)?;
        match (url.scheme(), self) {
            ("https", _) | ("http", Self::Any) => {}
            _ => return Err(BadTarget::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(BadTarget::Decorated);
        }
        // Addresses are not looked up, so the resolver does not see them.
        match url_address(&url) {
            Some(address) if !self.allows(address) => Err(BadTarget::Private(address.to_string())),
            _ => Ok(url),
        }
    }

    /// Whether anything may be sent to an address.
    pub fn allows(self, address: IpAddr) -> bool {
        self == Self::Any || is_public(address)
    }
}

fn url_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// All but what the IANA registry of special addresses says is not global, and multicast.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let special: [(Ipv4Addr, u32); 15] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 4),
        (Ipv4Addr::new(240, 0, 0, 0), 4),
    ];
    let is_in =
        |(network, bits): &(Ipv4Addr, u32)| (address.to_bits() ^ network.to_bits()) >> (32 - bits) == 0;
    !special.iter().any(is_in)
}

/// Of 2000::/3, the part that is given out, all but what is for something else: 2001::/23 (protocols, with Teredo),
/// 2001:db8::/32 and 3fff::/20 (documents), 2002::/16 (6to4, which leads to any IPv4 address).
fn is_public_v6(address: Ipv6Addr) -> bool {
    let special: [(u128, u32); 4] =
        [(0x2001 << 112, 23), (0x2001_0db8 << 96, 32), (0x3fff << 112, 20), (0x2002 << 112, 16)];
    let bits = address.to_bits();
    let is_in = |(network, length): &(u128, u32)| (bits ^ network) >> (128 - length) == 0;
    bits >> 125 == 1 && !special.iter().any(is_in)
}

/// Looks names up and lets only those addresses through that are allowed. What it returns is what is connected to, so a name
/// that changes in between leads nowhere.
pub(super) struct CheckedNames {
    pub(super) targets: Targets,
    pub(super) names: Arc<dyn Names>,
}

/// Knows the addresses of names.
pub trait Names: Send + Sync {
    /// All of them.
    fn look_up(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// What the operating system knows.
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, host: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (targets, host) = (self.targets, name.as_str().to_owned());
        let looked_up = self.names.look_up(host.clone());
        Box::pin(async move {
            let mut addresses = looked_up.await?;
            addresses.retain(|address| targets.allows(*address));
            if addresses.is_empty() {
                return Err(BadTarget::Private(host).into());
            }
            // The port of the URL takes the place of 0.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_for_all_are_refused() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in private {
            assert!(!Targets::Public.allows(text.parse().unwrap()), "{text}");
            assert!(Targets::Any.allows(text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
            "::ffff:1.1.1.1",
        ];
        for text in public {
            assert!(Targets::Public.allows(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn urls_are_checked_however_they_spell_an_address() {
        let refused = |text: &str| Targets::Public.check(text).unwrap_err();
        for text in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[0:0:0:0:0:ffff:7f00:1]:8443/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.1/",
            "https://\u{ff11}27.0.0.1/",
        ] {
            assert!(matches!(refused(text), BadTarget::Private(_)), "{text}");
            assert!(Targets::Any.check(text).is_ok(), "{text}");
        }
        for text in
            ["", "hooks.example", "/hook", "https://", "mailto:a@b.example", "data:,x", "file:///etc/passwd"]
        {
            assert_eq!(refused(text), BadTarget::NotAUrl, "{text}");
        }
        assert_eq!(refused(&format!("https://a.example/{}", "x".repeat(2_048))), BadTarget::NotAUrl);
        for text in ["http://hooks.example/", "ftp://hooks.example/"] {
            assert_eq!(refused(text), BadTarget::NotHttps, "{text}");
        }
        for text in ["https://me@a.example/", "https://me:word@a.example/", "https://a.example/#x"] {
            assert_eq!(refused(text), BadTarget::Decorated, "{text}");
        }
        for text in ["https://hooks.example/pop?x=1", "https://hooks.example:8443/", "https://1.1.1.1/"] {
            assert!(Targets::Public.check(text).is_ok(), "{text}");
        }
    }

    struct Fixed(&'static [&'static str]);

    impl Names for Fixed {
        fn look_up(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
            let found = self.0.iter().map(|text| text.parse().unwrap()).collect();
            Box::pin(std::future::ready(Ok(found)))
        }
    }

    async fn resolved(names: &'static [&'static str]) -> Result<Vec<String>, String> {
        let resolver = CheckedNames { targets: Targets::Public, names: Arc::new(Fixed(names)) };
        let found = resolver.resolve("hooks.example".parse().unwrap()).await;
        found.map(|all| all.map(|at| at.ip().to_string()).collect()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn names_lead_to_public_addresses_only() {
        assert_eq!(resolved(&["1.1.1.1", "127.0.0.1", "::1"]).await, Ok(vec!["1.1.1.1".to_owned()]));
        let refused = Err("hooks.example is not a public address".to_owned());
        assert_eq!(resolved(&["10.0.0.1", "fd00::1", "::ffff:127.0.0.1"]).await, refused);
        assert_eq!(resolved(&[]).await, refused);
    }
}
