//! Which part of all there is, and for how long: what `--sample` and `--budget` say.

use std::str::FromStr;
use std::time::Duration;

/// One part of several equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) number: u64,
    pub(super) of: u64,
}

impl FromStr for Sample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 0 < number && number <= of => Ok(Self { number, of }),
            _ => Err("a part is written `1/7`: the first of seven".into()),
        }
    }
}

impl Sample {
    /// Whether a thing belongs to this part.
    pub(super) fn holds(self, key: &str) -> bool {
        let hash = blake3::hash(key.as_bytes());
        let number = hash.as_bytes()[..8].iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        number % self.of == self.number - 1
    }
}

/// How long new work is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget(pub(super) Duration);

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a time is written `60s`, `5m` or `1h`".to_owned();
        let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = text[..split].parse().map_err(|_| wrong())?;
        let seconds = match &text[split..] {
            "s" => Some(number),
            "m" => number.checked_mul(60),
            "h" => number.checked_mul(3600),
            _ => None,
        };
        seconds.map(|seconds| Self(Duration::from_secs(seconds))).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for key in ["a", "blob 12", "r12/M/run"] {
            let n = (1..=7).filter(|number| Sample { number: *number, of: 7 }.holds(key)).count();
            assert_eq!(n, 1, "{key}");
        }
        assert_eq!("1/7".parse(), Ok(Sample { number: 1, of: 7 }));
        for text in ["0/7", "8/7", "7", "1/0", "a/b", ""] {
            assert!(text.parse::<Sample>().is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("1h", 3600), ("0s", 0)] {
            assert_eq!(text.parse(), Ok(Budget(Duration::from_secs(seconds))));
        }
        for text in ["60", "s", "", "1d", "-1s", "1.5m", "99999999999999999999s"] {
            assert!(text.parse::<Budget>().is_err(), "{text}");
        }
    }
}
