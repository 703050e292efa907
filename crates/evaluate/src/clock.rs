//! The time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
pub(crate) fn now_nanos() -> i128 {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(i128::MAX))
}
