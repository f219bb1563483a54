//! Notations of addresses: a single one, or a range by prefix.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Complaint;

/// The most addresses in one range.
const MOST: usize = 65_536;

/// `"10.0.0.7"`, or all host addresses of `"10.0.0.0/28"`: for IPv4 all but the first and the last.
pub fn addresses(text: &str) -> Result<Vec<IpAddr>, Complaint> {
    const HELP: &str = "addresses are written `10.0.0.7` or `fd00::7`, ranges of them `10.0.0.0/28`";
    if let Ok(address) = text.parse() {
        return Ok(vec![address]);
    }
    let range: IpNet = text.parse().map_err(|_| {
        let message = if text.contains('/') { "this is no range of addresses" } else { "this is no address" };
        Complaint::new(message, HELP)
    })?;
    let addresses: Vec<IpAddr> = range.hosts().take(MOST + 1).collect();
    if addresses.len() > MOST {
        return Err(Complaint::new("this range is too large", "a range has at most 65536 addresses"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_exclude_addresses_that_are_not_hosts() {
        let first_and_last = |text: &str| {
            let all = addresses(text).unwrap();
            (all.len(), all[0].to_string(), all[all.len() - 1].to_string())
        };
        let of = |count, first: &str, last: &str| (count, first.to_owned(), last.to_owned());
        assert_eq!(first_and_last("127.0.0.2"), of(1, "127.0.0.2", "127.0.0.2"));
        assert_eq!(first_and_last("127.0.0.0/28"), of(14, "127.0.0.1", "127.0.0.14"));
        assert_eq!(first_and_last("10.0.0.4/31"), of(2, "10.0.0.4", "10.0.0.5"));
        assert_eq!(first_and_last("::1"), of(1, "::1", "::1"));
        assert_eq!(first_and_last("fd00::/126"), of(4, "fd00::", "fd00::3"));
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "fd00::/64", "10.0.0.0-10.0.0.9"] {
            assert!(addresses(wrong).is_err(), "{wrong}");
        }
    }
}
