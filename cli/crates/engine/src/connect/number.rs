//! Numbers connections, so that the record says which requests were sent over the same one.

use std::sync::atomic::{AtomicU32, Ordering};

/// The number of a new connection, from 1; unique within the process.
pub fn next() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}
