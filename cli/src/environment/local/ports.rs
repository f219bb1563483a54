//! Free ports of the loopback address, held until their part is started.

use std::net::TcpListener;

use super::LocalError;

/// Below those that Linux hands out to outgoing connections, which could take a port while its part is being started. The
/// tests take theirs from 26000 on.
const FROM: u16 = 20_000;
const COUNT: u16 = 6_000;

/// Ports, one after the other.
#[derive(Debug)]
pub(super) struct Ports {
    /// The next one to try.
    next: u16,
    /// Whether it must be the next one.
    fixed: bool,
    tried: u16,
}

/// A port that nobody else can take until it is released.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    listener: TcpListener,
}

impl Ports {
    /// `needed` ports: from `base` on in a row, or wherever some are free.
    pub(super) fn new(base: Option<u16>, needed: usize) -> Result<Self, LocalError> {
        match base {
            Some(base) if usize::from(u16::MAX - base) + 1 < needed => {
                Err(LocalError::PortBase { base, needed })
            }
            Some(base) => Ok(Self { next: base, fixed: true, tried: 0 }),
            None => {
                // Stacks that are started at the same time begin their search at different places.
                let spread = std::process::id().wrapping_mul(2_654_435_761) >> 16;
                let offset = u16::try_from(spread % u32::from(COUNT)).unwrap_or_default();
                Ok(Self { next: FROM + offset, fixed: false, tried: 0 })
            }
        }
    }

    /// The next port, for this part.
    pub(super) fn take(&mut self, role: &str) -> Result<Port, LocalError> {
        loop {
            let number = self.next;
            self.next = match number.checked_add(1) {
                Some(next) if self.fixed || next < FROM + COUNT => next,
                _ => FROM,
            };
            match TcpListener::bind(("127.0.0.1", number)) {
                Ok(listener) => return Ok(Port { number, listener }),
                Err(cause) if self.fixed => {
                    return Err(LocalError::Port { port: number, role: role.to_owned(), cause });
                }
                Err(_) if self.tried == COUNT => return Err(LocalError::NoPort),
                Err(_) => self.tried += 1,
            }
        }
    }
}

impl Port {
    /// Lets its part have it.
    pub(super) fn release(self) -> u16 {
        drop(self.listener);
        self.number
    }

    /// Hands it over without a moment in which somebody else could take it.
    pub(super) fn into_listener(self) -> TcpListener {
        self.listener
    }

    /// `127.0.0.1:PORT`.
    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: two would begin their search at the same port, and take it from each other.
    #[test]
    fn free_ports_differ_and_are_held_and_one_that_is_asked_for_is_had_or_told() {
        let mut ports = Ports::new(None, 2).unwrap();
        let [a, b] = ["redis", "prometheus"].map(|role| ports.take(role).unwrap());
        assert_ne!(a.number, b.number);
        assert!(TcpListener::bind(("127.0.0.1", a.number)).is_err());
        let number = a.release();
        assert!(TcpListener::bind(("127.0.0.1", number)).is_ok());

        let held = b;
        let mut ports = Ports::new(Some(held.number), 2).unwrap();
        let error = ports.take("replica a").unwrap_err();
        let text = error.to_string().replace(&held.number.to_string(), "PORT");
        insta::assert_snapshot!(text, @"port PORT for replica a cannot be had: Address already in use (os error 98)");
        insta::assert_snapshot!(error.hint().unwrap(), @"stop what listens there, or choose other ports with `--port-base`; without it free ports are found");
        let error = Ports::new(Some(65_530), 7).unwrap_err();
        insta::assert_snapshot!(error, @"7 ports from 65530 on go beyond 65535");
        insta::assert_snapshot!(error.hint().unwrap(), @"choose a lower `--port-base`");
    }
}
