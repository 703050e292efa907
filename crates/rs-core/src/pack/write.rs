//! Packs run folders and files.

use fs_err::os::unix::fs::FileExt;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use zstd::bulk::Compressor;
use zstd::zstd_safe::{self, CParameter};

use super::content::{check_files, check_unchanged, cut_short, identity, list_file};
use super::frames::{Line, MAX_FRAMES, Turn, Turns, unpoisoned};
use super::layout::{self, Layout, Part};
use super::{
    BlobId, COMPRESSION_LEVEL, ContentHash, FRAME_BYTES, MAX_BYTES, Member, Monitor, PackError, Packed, RunFile, toc,
};
use crate::store::Store;

/// Bytes that are read and hashed at a time, while they are in a core's cache.
const READ_BYTES: usize = 256 << 10;

/// Packs the files of a run folder, as listed, into `out`, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// A file cannot be read or changed since it was listed, `out` cannot be written, or the work was cancelled.
pub fn pack_run(
    folder: &Path,
    files: &[RunFile],
    out: &mut fs_err::File,
    monitor: &Monitor,
) -> Result<Packed, PackError> {
    let _span = tracing::info_span!("pack", files = files.len()).entered();
    check_files(folder, files)?;
    let too_large = || PackError::Unpackable { path: folder.to_owned(), why: "it is too large".into() };
    let named = files.iter().map(|file| (file.name.as_str(), file.size_bytes));
    let layout = Layout::of_run(named).filter(|layout| layout.n_frames() <= MAX_FRAMES).ok_or_else(too_large)?;
    let packer = Packer { files, layout: &layout, has_headers: true, hashes: Mutex::new(no_hashes(files)) };
    let mut sink = Sink::new(out);
    packer.pack(&mut sink, monitor)?;
    let hashes = unpoisoned(packer.hashes.into_inner());
    let members: Vec<Member> = files
        .iter()
        .zip(hashes)
        .enumerate()
        .map(|(position, (file, content))| Member {
            name: file.name.clone(),
            offset: layout.content_offset(position),
            size_bytes: file.size_bytes,
            content,
        })
        .collect();
    let toc = toc::write(&members)?.ok_or_else(too_large)?;
    sink.frames.push([toc.len() as u32, 0]);
    sink.write(&toc)?;
    let content = identity(members.iter().map(|member| (member.name.as_str(), member.size_bytes, member.content)));
    sink.finish(files, content)
}

/// [`pack_run`] into a store.
///
/// # Errors
/// As there, or the store cannot be written.
pub fn store_run(folder: &Path, files: &[RunFile], store: &Store, monitor: &Monitor) -> Result<Packed, PackError> {
    let mut temporary = store.temporary()?;
    let packed = pack_run(folder, files, &mut temporary.file, monitor)?;
    store.adopt(temporary.path(), &packed.blob)?;
    Ok(packed)
}

/// Packs a file by itself, like a database, into `out`, on all threads of the current rayon pool. Counts raw bytes.
///
/// # Errors
/// The file cannot be read or changes meanwhile, `out` cannot be written, or the work was cancelled.
pub fn pack_file(path: &Path, out: &mut fs_err::File, monitor: &Monitor) -> Result<Packed, PackError> {
    let _span = tracing::info_span!("pack").entered();
    let files = [list_file(path)?];
    let layout = Layout::of_file(files[0].size_bytes);
    if files[0].size_bytes > MAX_BYTES || layout.n_frames() > MAX_FRAMES {
        return Err(PackError::Unpackable { path: path.to_owned(), why: "it is too large".into() });
    }
    let packer = Packer { files: &files, layout: &layout, has_headers: false, hashes: Mutex::new(no_hashes(&files)) };
    let mut sink = Sink::new(out);
    packer.pack(&mut sink, monitor)?;
    let content = unpoisoned(packer.hashes.into_inner())[0];
    sink.finish(&files, content)
}

/// For each file the hash of no content: that of files which lie in no frame.
fn no_hashes(files: &[RunFile]) -> Vec<ContentHash> {
    vec![ContentHash::of(b""); files.len()]
}

struct Packer<'a> {
    files: &'a [RunFile],
    layout: &'a Layout,
    has_headers: bool,
    hashes: Mutex<Vec<ContentHash>>,
}

/// What a thread keeps between frames.
struct Scratch {
    raw: Vec<u8>,
    compressor: Compressor<'static>,
}

/// A compressed frame.
struct Packaged {
    stored: Vec<u8>,
    raw_bytes: u32,
}

impl Packer<'_> {
    fn pack(&self, sink: &mut Sink<'_>, monitor: &Monitor) -> Result<(), PackError> {
        // Of these nothing will be read.
        for file in self.files.iter().filter(|file| file.size_bytes == 0) {
            check_unchanged(file, &fs_err::File::open(&file.path)?)?;
        }
        // Buffers are used again, or the allocator would hold twice as many.
        let spare = Mutex::new(Vec::new());
        Line::run(
            self.layout.n_frames(),
            monitor,
            || {
                let mut compressor = Compressor::new(COMPRESSION_LEVEL)?;
                compressor.set_parameter(CParameter::ChecksumFlag(true))?;
                compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
                Ok(Scratch { raw: Vec::new(), compressor })
            },
            |scratch, frame, turns| {
                self.read(frame, &mut scratch.raw, turns, monitor)?;
                let mut stored: Vec<u8> = unpoisoned(spare.lock()).pop().unwrap_or_default();
                stored.clear();
                stored.reserve_exact(zstd_safe::compress_bound(scratch.raw.len()));
                scratch.compressor.compress_to_buffer(&scratch.raw, &mut stored)?;
                Ok(Packaged { stored, raw_bytes: scratch.raw.len() as u32 })
            },
            |frame| {
                sink.frames.push([frame.stored.len() as u32, frame.raw_bytes]);
                sink.write(&frame.stored)?;
                unpoisoned(spare.lock()).push(frame.stored);
                Ok(())
            },
        )
    }

    /// Puts a frame of the stream into `raw`, and hashes the contents in it.
    fn read(&self, frame: usize, raw: &mut Vec<u8>, turns: &Turns, monitor: &Monitor) -> Result<(), PackError> {
        let range = self.layout.frame(frame);
        raw.reserve_exact((FRAME_BYTES as usize).saturating_sub(raw.len()));
        raw.resize((range.end - range.start) as usize, 0);
        let mut hashes = Vec::new();
        for piece in self.layout.pieces(frame) {
            let bytes = &mut raw[piece.at];
            match piece.part {
                Part::Zeros => bytes.fill(0),
                Part::Header { member, from } if self.has_headers => {
                    let file = &self.files[member];
                    let header = layout::header(&file.name, file.size_bytes);
                    bytes.copy_from_slice(&header[from..from + bytes.len()]);
                }
                Part::Header { .. } => {}
                Part::Content { member, from, whole } => {
                    let file = &self.files[member];
                    let hasher = read_content(file, from, bytes, whole.then(blake3::Hasher::new))?;
                    if let Some(hasher) = hasher {
                        hashes.push((member, hasher.finalize().into()));
                    } else {
                        match turns.take(member, from, bytes, file.size_bytes) {
                            Turn::Taken => {}
                            Turn::Last(hash) => hashes.push((member, hash)),
                            Turn::Stopped => return Err(PackError::Cancelled),
                        }
                    }
                    monitor.add(bytes.len() as u64);
                    if monitor.is_cancelled() {
                        return Err(PackError::Cancelled);
                    }
                }
            }
        }
        let mut known = unpoisoned(self.hashes.lock());
        for (member, hash) in hashes {
            known[member] = hash;
        }
        Ok(())
    }
}

/// Reads a part of a file, and hashes it where that can be done by itself.
fn read_content(
    file: &RunFile,
    from: u64,
    bytes: &mut [u8],
    mut hasher: Option<blake3::Hasher>,
) -> Result<Option<blake3::Hasher>, PackError> {
    let opened = fs_err::File::open(&file.path)?;
    let mut at = from;
    for bytes in bytes.chunks_mut(READ_BYTES) {
        opened.read_exact_at(bytes, at).map_err(|error| cut_short(file, error))?;
        at += bytes.len() as u64;
        if let Some(hasher) = &mut hasher {
            hasher.update(bytes);
        }
    }
    check_unchanged(file, &opened)?;
    Ok(hasher)
}

/// The blob in the making.
struct Sink<'a> {
    out: &'a mut fs_err::File,
    hasher: blake3::Hasher,
    size_bytes: u64,
    /// Stored and decoded sizes.
    frames: Vec<[u32; 2]>,
}

impl<'a> Sink<'a> {
    fn new(out: &'a mut fs_err::File) -> Self {
        Self { out, hasher: blake3::Hasher::new(), size_bytes: 0, frames: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.out.write_all(bytes)?;
        self.hasher.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(mut self, files: &[RunFile], content: ContentHash) -> Result<Packed, PackError> {
        let table = toc::seek_table(&self.frames);
        self.write(&table)?;
        Ok(Packed {
            blob: BlobId::from(self.hasher.finalize()),
            size_bytes: self.size_bytes,
            raw_bytes: files.iter().map(|file| file.size_bytes).sum(),
            n_files: files.len() as u64,
            content,
        })
    }
}
