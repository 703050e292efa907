//! Hashes by what they are of, so that one is never taken for another: 32 bytes of BLAKE3, written as 64 lower-case
//! hex digits.

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not 64 lower-case hex digits")]
pub struct DigestError(String);

/// Longest text that an error repeats, in characters.
const MAX_SHOWN: usize = 80;

fn from_hex(text: &str) -> Result<[u8; 32], DigestError> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let parsed = text.bytes().all(is_hex).then(|| blake3::Hash::from_hex(text).ok()).flatten();
    parsed.map(Into::into).ok_or_else(|| DigestError(text.chars().take(MAX_SHOWN).collect()))
}

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The digest of these bytes.
            #[must_use]
            pub fn of(bytes: &[u8]) -> Self {
                blake3::hash(bytes).into()
            }

            /// Its 32 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }
        }

        impl From<blake3::Hash> for $name {
            fn from(hash: blake3::Hash) -> Self {
                Self(hash.into())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                from_hex(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

digest! {
    /// Which blob: BLAKE3 of its stored bytes.
    BlobId
}

digest! {
    /// What files hold, however they are packed: BLAKE3 of one file's content, or the identity of a run's
    /// ([`content_of`](crate::pack::content_of)).
    ContentHash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str, message: &str) {
        assert_eq!(text.parse::<BlobId>().expect_err("is refused").to_string(), message);
    }

    #[test]
    fn sixty_four_lower_case_hex_digits() {
        let id = BlobId::of(b"abc");
        let text = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<BlobId>(&format!("\"{text}\"")).unwrap(), id);
        check_refused("", "`` is not 64 lower-case hex digits");
        check_refused("../../etc/passwd", "`../../etc/passwd` is not 64 lower-case hex digits");
        let upper = text.to_uppercase();
        check_refused(&upper, &format!("`{upper}` is not 64 lower-case hex digits"));
        check_refused(&"a".repeat(1000), &format!("`{}` is not 64 lower-case hex digits", "a".repeat(80)));
    }
}
