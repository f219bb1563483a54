//! Names with several addresses: each address is a replica of its own, which is loaded, scraped and counted by
//! itself. Otherwise the load would go to all of them, and the metrics of one would be taken for all.

use std::{net::SocketAddr, time::Duration};

use tokio::net::TcpStream;

use saasbench_engine::connect::{
    resolve::Resolve,
    target::{Place, Target},
};
use saasbench_record::manifest::Replica;

/// How long an address may take to accept a connection, for its family to be chosen.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The replicas, with one for each address of a name. Addresses of IPv4 and IPv6 are two ways to the same
/// replicas: those of the first family that accepts a connection are taken. What cannot be looked up or
/// reached stays as it is, and is reported when it is connected to.
pub(super) async fn each_a_replica(replicas: Vec<Replica>, resolver: &impl Resolve) -> Vec<Replica> {
    let names: Vec<String> = replicas.iter().map(|replica| replica.name.clone()).collect();
    let mut all = Vec::new();
    for replica in replicas {
        let addresses = addresses(&replica, resolver).await;
        if addresses.len() < 2 {
            all.push(replica);
            continue;
        }
        let name = |number: usize| {
            let name = format!("{}{number}", replica.name);
            if names.contains(&name) { format!("{}-{number}", replica.name) } else { name }
        };
        all.extend(addresses.into_iter().enumerate().map(|(index, address)| Replica {
            name: name(index + 1),
            url: replica.url.clone(),
            instance: address.to_string(),
            address: Some(address),
        }));
    }
    all
}

/// The addresses of one family of a replica's name, in order; empty if it has no name.
async fn addresses(replica: &Replica, resolver: &impl Resolve) -> Vec<SocketAddr> {
    let Ok(Target { place: Place::Tcp { host, port }, .. }) = Target::parse(&replica.url) else {
        return Vec::new();
    };
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Vec::new();
    }
    let mut found = resolver.resolve(&host, port).await.unwrap_or_default();
    let prefers_v4 = found.first().is_some_and(SocketAddr::is_ipv4);
    found.sort_unstable();
    found.dedup();
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv4() == prefers_v4);
    if first.len() < 2 && second.len() < 2 {
        return Vec::new();
    }
    if !second.is_empty() && !one_accepts(&first).await && one_accepts(&second).await {
        std::mem::swap(&mut first, &mut second);
    }
    first
}

async fn one_accepts(addresses: &[SocketAddr]) -> bool {
    for address in addresses {
        if matches!(tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await, Ok(Ok(_))) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::net::TcpListener;

    use super::*;

    /// A resolver that knows one name.
    struct Knows(Vec<SocketAddr>);

    impl Resolve for Knows {
        async fn resolve(&self, host: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
            if host == "api.test" { Ok(self.0.clone()) } else { Err(io::Error::other("unknown")) }
        }
    }

    fn replica(name: &str, url: &str) -> Replica {
        Replica { name: name.to_owned(), url: url.to_owned(), instance: "i".to_owned(), address: None }
    }

    async fn shown(replicas: Vec<Replica>, addresses: &[&str]) -> Vec<String> {
        let known = Knows(addresses.iter().map(|address| address.parse().unwrap()).collect());
        let all = each_a_replica(replicas, &known).await;
        all.iter()
            .map(|replica| {
                format!("{} {} {} {:?}", replica.name, replica.url, replica.instance, replica.address)
            })
            .collect()
    }

    #[tokio::test]
    async fn each_address_of_a_name_is_a_replica() {
        let replicas = || {
            vec![
                replica("a", "http://api.test:80"),
                replica("a2", "http://127.0.0.1:81"),
                replica("c", "http://gone.test"),
            ]
        };
        insta::assert_debug_snapshot!(shown(replicas(), &["10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]).await, @r#"
        [
            "a1 http://api.test:80 10.0.0.1:80 Some(10.0.0.1:80)",
            "a-2 http://api.test:80 10.0.0.2:80 Some(10.0.0.2:80)",
            "a2 http://127.0.0.1:81 i None",
            "c http://gone.test i None",
        ]
        "#);
        insta::assert_debug_snapshot!(shown(replicas(), &["10.0.0.1:80"]).await, @r#"
        [
            "a http://api.test:80 i None",
            "a2 http://127.0.0.1:81 i None",
            "c http://gone.test i None",
        ]
        "#);
    }

    #[tokio::test]
    async fn of_two_families_the_one_that_accepts_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let v4 = listener.local_addr().unwrap().to_string();
        let only = || vec![replica("a", "http://api.test:80")];
        // One of each is two ways to one replica.
        assert_eq!(shown(only(), &["[::1]:1", &v4]).await.len(), 1);
        let both = shown(only(), &["[::1]:1", "[::1]:2", &v4, "127.0.0.1:1"]).await;
        assert_eq!(both.len(), 2);
        assert!(both.iter().all(|replica| replica.contains("127.0.0.1")), "{both:?}");
    }
}
