//! Any bytes as a blob: it is refused, or unpacked as it promises, and nothing else is touched.
//!
//! Input that begins with `0` is a blob. Input that begins with another byte is put together to one, or no checksum
//! would ever be right: two bytes for the length of the table of contents, the table, and the stream.
#![no_main]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rs_core::pack::{self, Existing, Expected, FRAME_BYTES, Kind, Monitor, Pack};

/// Streams beyond this take long and show nothing new.
const MAX_STREAM_BYTES: u64 = 32 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blob = folder.path().join("blob");
    let stored = if *kind == b'0' { bytes.to_vec() } else { put_together(bytes) };
    fs::write(&blob, stored).expect("is written");
    let into = folder.path().join("out");
    let result = unpack(&blob, &into);
    let mut names: Vec<_> =
        fs::read_dir(folder.path()).expect("lists").map(|entry| entry.expect("lists").file_name()).collect();
    names.sort();
    let expected: &[&str] = if result.is_some() { &["blob", "out"] } else { &["blob"] };
    assert_eq!(names, expected);
});

/// The blob unpacked; `None` if it was refused.
fn unpack(blob: &Path, into: &Path) -> Option<()> {
    let pack = Pack::open(blob).ok()?;
    if pack.stream_bytes() > MAX_STREAM_BYTES {
        return None;
    }
    let mut stream = Vec::new();
    let read = pack.reader(0..u64::MAX).read_to_end(&mut stream);
    let monitor = Monitor::default();
    if pack.kind() == Kind::File {
        pack::unpack_file(blob, into, pack.raw_bytes(), Existing::Refuse, &monitor).ok()?;
        assert_eq!(fs::read(into).expect("is there"), stream);
        return Some(());
    }
    let content = pack.content().expect("a run folder has one");
    pack::extract_run(blob, into, &Expected::from(content), &monitor).ok()?;
    read.expect("what was unpacked can be read");
    for member in pack.members() {
        let range = member.range().start as usize..member.range().end as usize;
        assert_eq!(fs::read(into.join(&member.name)).expect("is there"), stream[range]);
    }
    let files = pack::list_run(into).expect("can be listed");
    // Hidden files do not go into blobs, but are no harm in one.
    let is_left_out = |name: &str| {
        name.split('/').any(|part| part.starts_with('.')) || name.ends_with(".tmp") || name.ends_with(".partial")
    };
    if !pack.members().iter().any(|member| is_left_out(&member.name)) {
        assert_eq!(pack::content_of(&files, &monitor).expect("is read"), content);
    }
    Some(())
}

fn put_together(bytes: &[u8]) -> Vec<u8> {
    let (length, rest) = bytes.split_at_checked(2).unwrap_or((&[0, 0], bytes));
    let length = usize::from(u16::from_le_bytes([length[0], length[1]])).min(rest.len());
    let (toc, stream) = rest.split_at(length);
    let mut blob = Vec::new();
    let mut sizes = Vec::new();
    for content in stream.chunks(FRAME_BYTES as usize) {
        let before = blob.len();
        let mut encoder = zstd::stream::write::Encoder::new(&mut blob, 1).expect("zstd works");
        encoder.include_checksum(true).expect("zstd works");
        encoder.set_pledged_src_size(Some(content.len() as u64)).expect("zstd works");
        encoder.write_all(content).expect("fits into memory");
        encoder.finish().expect("fits into memory");
        sizes.extend([(blob.len() - before) as u32, content.len() as u32]);
    }
    if !toc.is_empty() {
        sizes.extend([toc.len() as u32 + 8, 0]);
        blob.extend_from_slice(&0x184D_2A52_u32.to_le_bytes());
        blob.extend_from_slice(&(toc.len() as u32).to_le_bytes());
        blob.extend_from_slice(toc);
    }
    blob.extend_from_slice(&0x184D_2A5E_u32.to_le_bytes());
    blob.extend_from_slice(&(sizes.len() as u32 * 4 + 9).to_le_bytes());
    blob.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    blob.extend_from_slice(&(sizes.len() as u32 / 2).to_le_bytes());
    blob.push(0);
    blob.extend_from_slice(&0x8F92_EAB1_u32.to_le_bytes());
    blob
}
