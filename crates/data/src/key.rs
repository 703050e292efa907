//! The name of a blob, as remotes and transfers use it.

pub use rs_core::store::BlobId as Key;
