//! Free ports of the loopback address, reserved until their service is started.

use std::net::TcpListener;

use super::LocalError;

/// Below the ports that Linux uses for outgoing connections, which could take a port while its service is
/// being started. The tests use ports from 26000 on.
const FROM: u16 = 20_000;
const COUNT: u16 = 6_000;

/// Hands out ports.
#[derive(Debug)]
pub(super) struct Ports {
    /// The next one to try.
    next: u16,
    /// Whether it must be the next one.
    fixed: bool,
    tried: u16,
}

/// A port that no other program can take until it is released.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) number: u16,
    listener: TcpListener,
}

impl Ports {
    /// For `needed` ports: consecutive ones from `base` on, or any that are free.
    pub(super) fn new(base: Option<u16>, needed: usize) -> Result<Self, LocalError> {
        match base {
            Some(base) if usize::from(u16::MAX - base) + 1 < needed => {
                Err(LocalError::PortBase { base, needed })
            }
            Some(base) => Ok(Self { next: base, fixed: true, tried: 0 }),
            None => {
                // Stacks that are started at the same time search from different ports on.
                let spread = std::process::id().wrapping_mul(2_654_435_761) >> 16;
                let offset = u16::try_from(spread % u32::from(COUNT)).unwrap_or_default();
                Ok(Self { next: FROM + offset, fixed: false, tried: 0 })
            }
        }
    }

    /// The next port, for the service in this role.
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
    /// Frees it for its service.
    pub(super) fn release(self) -> u16 {
        drop(self.listener);
        self.number
    }

    /// Its listener, so that no other program can take it in between.
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

    // One test: two would search from the same port on, and take ports from each other.
    #[test]
    fn ports_are_reserved_and_a_taken_one_is_reported() {
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
        insta::assert_snapshot!(text, @"port PORT for replica a is not available: Address already in use (os error 98)");
        insta::assert_snapshot!(error.hint().unwrap(), @"stop what listens there, or choose other ports with `--port-base`; without it free ports are found");
        let error = Ports::new(Some(65_530), 7).unwrap_err();
        insta::assert_snapshot!(error, @"7 ports from 65530 on go beyond 65535");
        insta::assert_snapshot!(error.hint().unwrap(), @"choose a lower `--port-base`");
    }
}
