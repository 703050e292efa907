//! What was said by a panic that somebody has caught.

use std::any::Any;

/// The message of a panic; a word for it if there is none.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(panic: fn(), text: &str) {
        assert_eq!(panic_text(&*std::panic::catch_unwind(panic).expect_err("panics")), text);
    }

    #[test]
    fn texts() {
        check(|| panic!("one"), "one");
        check(|| panic!("{}", 1 + 1), "2");
        check(|| std::panic::panic_any(7), "a panic");
    }
}
