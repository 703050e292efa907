//! Panics that somebody catches, because foreign code panics at what a user may have given it.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Does work of foreign code. Nothing that it changes should be looked at after a panic.
///
/// # Errors
/// It panicked: what it said.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let was_caught = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CAUGHT.set(was_caught);
    result.map_err(|panic| text(&*panic).to_owned())
}

/// Whether a panic on this thread would be one that [`caught`] tells of, so that nobody else need.
#[must_use]
pub fn is_caught() -> bool {
    IS_CAUGHT.get()
}

/// The message of a panic; a word for it if there is none.
#[must_use]
pub fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(panic: fn(), text: &str) {
        assert_eq!(caught(panic).expect_err("panics"), text);
        assert!(!is_caught());
    }

    #[test]
    fn texts() {
        check(|| panic!("one"), "one");
        check(|| panic!("{}", 1 + 1), "2");
        check(|| std::panic::panic_any(7), "a panic");
        assert_eq!(caught(is_caught), Ok(true));
    }
}
