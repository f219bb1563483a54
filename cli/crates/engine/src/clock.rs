//! The run's clock: one zero, from which every instant of a recorded run is counted.

use tokio::time::Instant;

use saasbench_model::units::Nanos;

/// The run's clock. Copies agree: they share the zero.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    zero: Instant,
    zero_unix: Nanos,
}

impl RunClock {
    /// Starts the clock now.
    pub fn start() -> Self {
        let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { zero: Instant::now(), zero_unix: unix.into() }
    }

    /// Now.
    pub fn now(&self) -> Nanos {
        self.zero.elapsed().into()
    }

    /// The zero, in nanoseconds since the Unix epoch by the wall clock at that instant.
    pub fn zero_unix(&self) -> Nanos {
        self.zero_unix
    }

    /// `at` as an instant to sleep until.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.zero + at.to_duration()
    }
}
