use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which addresses may be spoken to. Serialisable, so that it reaches a sandboxed child.
///
/// Refused unless allowed: this machine, link-local addresses, the clouds' metadata services, groups and
/// broadcast. The platform adds its cluster's addresses; what it allows is allowed, even if it is refused too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    allow: Vec<Cidr>,
    refuse: Vec<Cidr>,
}

/// A block of addresses, as `10.96.0.0/12`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

/// Why a text is not a block of addresses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a block of addresses, as 10.96.0.0/12 is")]
pub struct CidrError(String);

/// An address that may not be spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} is at {address}, {what}, which the platform does not allow")]
pub struct Refused {
    /// What was to be reached.
    pub host: String,
    /// Where it is.
    pub address: IpAddr,
    /// What kind of address that is.
    pub what: &'static str,
}

/// Why a host's name led to no address.
#[derive(Debug, thiserror::Error)]
pub enum Unresolved {
    /// Its addresses may not be spoken to.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It has none, or nobody could say.
    #[error("looking it up: {0}")]
    LookUp(#[from] io::Error),
}

impl Guard {
    /// Allows `allow`, and besides everything that is refused neither by `refuse` nor always.
    #[must_use]
    pub fn new(allow: impl IntoIterator<Item = Cidr>, refuse: impl IntoIterator<Item = Cidr>) -> Self {
        Self {
            allow: allow.into_iter().collect(),
            refuse: refuse.into_iter().collect(),
        }
    }

    /// Whether `host`, which is at `address`, may be spoken to.
    ///
    /// # Errors
    /// [`Refused`] says what the address is.
    pub fn check(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let inner = embedded(address);
        if self.allow.iter().any(|cidr| cidr.contains(inner)) {
            return Ok(());
        }
        let what = if self.refuse.iter().any(|cidr| cidr.contains(inner)) {
            Some("an address of the cluster")
        } else {
            reserved(inner)
        };
        match what {
            None => Ok(()),
            Some(what) => Err(Refused {
                host: host.to_owned(),
                address,
                what,
            }),
        }
    }
}

impl Guard {
    /// Looks `host` up, and gives only the addresses that are allowed. An address is its own name.
    ///
    /// # Errors
    /// [`Unresolved`]: when the name cannot be looked up, or all that it leads to is refused.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unresolved> {
        let host = host.trim_matches(['[', ']']);
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let mut allowed = Vec::with_capacity(found.len());
        let mut refused = None;
        for address in found {
            match self.check(host, address.ip()) {
                Ok(()) => allowed.push(address),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if allowed.is_empty() => Err(error.into()),
            _ => Ok(allowed),
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: a packet to one reaches the other.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        // mapped, and the deprecated compatible form but for :: and ::1
        (0, 0, 0, 0, 0, 0xffff) => v4(g, h),
        (0, 0, 0, 0, 0, 0) if (g, h) > (0, 1) => v4(g, h),
        // NAT64, and 6to4
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, high, low, ..) => v4(high, low),
        _ => address,
    }
}

fn reserved(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => reserved_v4(v4),
        IpAddr::V6(v6) => reserved_v6(v6),
    }
}

fn reserved_v4(v4: Ipv4Addr) -> Option<&'static str> {
    match v4.octets() {
        [127, ..] => Some("an address of this machine"),
        [0, ..] => Some("no address of a host"),
        // AWS, GCP, Azure and others; Azure's host; Alibaba
        [169, 254, 169, 254] | [168, 63, 129, 16] | [100, 100, 100, 200] => {
            Some("the metadata service of a cloud")
        }
        [169, 254, ..] => Some("a link-local address"),
        [224..=255, ..] => Some("an address of a group"),
        _ => None,
    }
}

fn reserved_v6(v6: Ipv6Addr) -> Option<&'static str> {
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("an address of this machine"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("no address of a host"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Some("the metadata service of a cloud")
        }
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("an address of a group"),
        _ => None,
    }
}

impl Cidr {
    /// Whether the address is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.bits);
                let cut = |a: Ipv4Addr| u32::from(a).checked_shr(shift).unwrap_or(0);
                cut(own) == cut(other)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.bits);
                let cut = |a: Ipv6Addr| u128::from(a).checked_shr(shift).unwrap_or(0);
                cut(own) == cut(other)
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let bad = || CidrError(text.chars().take(100).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|b| *b <= most).ok_or_else(bad)?,
        };
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl TryFrom<String> for Cidr {
    type Error = CidrError;
    fn try_from(text: String) -> Result<Self, CidrError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

#[cfg(test)]
mod tests;
