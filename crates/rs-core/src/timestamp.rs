//! RFC 3339 timestamps of raw records: to microseconds since 1970 (UTC), and back for people.

use jiff::Timestamp;

/// Microseconds since 1970-01-01T00:00:00Z. A timestamp without a zone is UTC; digits beyond microseconds are cut.
///
/// `None` if `text` is not an RFC 3339 date and time. `2026-01-14T09:30:00.5Z`, `2026-01-14 09:30:00+02:00` and
/// `2026-01-14T09:30:00` are accepted.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let (date_time, zone) = text.split_at_checked(19)?;
    let number = |range: std::ops::Range<usize>| {
        date_time[range]
            .iter()
            .try_fold(0_i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
    };
    let separators = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
    if separators.iter().any(|(at, byte)| date_time[*at] != byte[0]) || !matches!(date_time[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_micros, zone) = fraction(zone)?;
    let offset_seconds = offset(zone)?;
    let seconds = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_seconds;
    Some(seconds * 1_000_000 + fraction_micros)
}

/// The fraction of a second in microseconds, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else { return Some((0, text)) };
    let length = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let micros =
        (0..6).fold(0, |value, place| value * 10 + if place < length { i64::from(digits[place] - b'0') } else { 0 });
    (length > 0).then(|| (micros, &digits[length..]))
}

/// The zone's offset in seconds east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] if [h1, h2, m1, m2].iter().all(|d| d.is_ascii_digit()) => {
            let hours = i64::from(h1 - b'0') * 10 + i64::from(h2 - b'0');
            let minutes = i64::from(m1 - b'0') * 10 + i64::from(m2 - b'0');
            let seconds = hours * 3_600 + minutes * 60;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar, counting years from March so that the leap
/// day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// `2026-01-14 09:30:00`, in UTC, to the second.
#[must_use]
pub fn display(micros: i64) -> String {
    let Ok(timestamp) = Timestamp::from_microsecond(micros) else { return format!("{micros} µs") };
    timestamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-14`, in UTC.
#[must_use]
pub fn display_date(micros: i64) -> String {
    display(micros).split(' ').next().unwrap_or_default().to_owned()
}

/// RFC 3339 with `Z`, for machines.
#[must_use]
pub fn to_rfc3339(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| micros.to_string(), |timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, rfc3339: Option<&str>) {
        assert_eq!(parse(text.as_bytes()).map(to_rfc3339).as_deref(), rfc3339, "{text}");
    }

    #[test]
    fn accepts_rfc_3339() {
        check("2025-03-15T16:37:13.541789", Some("2025-03-15T16:37:13.541789Z"));
        check("2025-03-15T16:37:13Z", Some("2025-03-15T16:37:13Z"));
        check("2025-03-15 16:37:13+02:00", Some("2025-03-15T14:37:13Z"));
        check("2025-03-15t16:37:13.5-00:30", Some("2025-03-15T17:07:13.5Z"));
        check("2024-02-29T00:00:00.123456789z", Some("2024-02-29T00:00:00.123456Z"));
        check("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z"));
        check("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "yesterday",
            "2025-03-15",
            "2025-02-29T00:00:00",
            "2025-13-01T00:00:00",
            "2025-03-15T24:00:00",
            "2025-03-15T16:37:13.",
            "2025-03-15T16:37:13+0200",
            "2025-03-15T16:37:13 UTC",
            "2025-3-15T16:37:13",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(micros in -62_000_000_000_000_000_i64..250_000_000_000_000_000) {
            prop_assert_eq!(parse(to_rfc3339(micros).as_bytes()), Some(micros));
        }
    }
}
