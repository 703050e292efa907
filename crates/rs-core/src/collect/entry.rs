//! A cache entry: what one file gave, part by part, so that no more than one part is in memory twice.
//!
//! [`MAGIC`]; of each part its length (u32, little-endian) and itself (postcard); length 0; BLAKE3 of all before it.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::part::{Part, PartPoint, PlacedProblem};
use super::spectra::Spectra;
use super::{Mark, Tally};
use crate::atomic_file::{self, UNFINISHED};
use crate::eval_id::Identity;
use crate::forensics::SPECTRUM_BINS;
use crate::monitor::Monitor;
use crate::point::Attributes;

/// How an entry begins; with another version of anything in it, otherwise.
const MAGIC: &[u8; 8] = b"rsparts5";
/// No part is larger: its samples are of 16 MiB of raw data and its spectra few, unless it has names of many megabytes. A
/// damaged length costs no more memory than this.
const MAX_PART_BYTES: usize = 64 << 20;

/// A part, borrowed to be written, owned once read.
#[derive(Serialize, Deserialize)]
struct StoredPart<'a> {
    offset: u64,
    identities: Cow<'a, [(Identity, Tally)]>,
    points: Cow<'a, [PartPoint]>,
    attributes: Cow<'a, [Attributes]>,
    /// One after another.
    spectra: Cow<'a, [f32]>,
    n_malformed: u64,
    diagnostics: Cow<'a, [PlacedProblem]>,
    n_lines: u64,
    marks: Cow<'a, [Mark]>,
}

/// What an entry holds, with the position of the file that it is of. `None` if there is none, it is damaged, or the work is
/// cancelled.
pub(super) fn read(path: &Path, file: usize, spectra: &Spectra<'_>, monitor: &Monitor) -> Option<Vec<Part>> {
    let mut entry = BufReader::new(fs_err::File::open(path).ok()?);
    let mut hasher = blake3::Hasher::new();
    let mut magic = [0; MAGIC.len()];
    entry.read_exact(&mut magic).ok().filter(|()| magic == *MAGIC)?;
    hasher.update(&magic);
    let (mut parts, mut piece) = (Vec::new(), Vec::new());
    loop {
        let mut length = [0; 4];
        entry.read_exact(&mut length).ok()?;
        hasher.update(&length);
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 {
            break;
        }
        if length > MAX_PART_BYTES || monitor.is_cancelled() {
            return None;
        }
        piece.resize(length, 0);
        entry.read_exact(&mut piece).ok()?;
        hasher.update(&piece);
        parts.push(postcard::from_bytes::<StoredPart>(&piece).ok()?.restored(file, spectra)?);
    }
    let mut hash = [0; blake3::OUT_LEN];
    entry.read_exact(&mut hash).ok()?;
    let is_whole = *hasher.finalize().as_bytes() == hash && entry.fill_buf().ok()?.is_empty();
    is_whole.then_some(parts)
}

/// Writes an entry, unless it is there as it is to be: writing a thousand files anew takes longer than looking at them.
///
/// # Errors
/// It cannot be written, spectra cannot be read, a part is larger than any entry's, or the work is cancelled.
pub(super) fn write(path: &Path, parts: &[&Part], spectra: &Spectra<'_>, monitor: &Monitor) -> io::Result<()> {
    if is_there(path, parts, spectra, monitor).unwrap_or(false) {
        return Ok(());
    }
    let folder = atomic_file::folder_of(path);
    fs_err::create_dir_all(folder)?;
    let mut partial = atomic_file::new_in(folder, UNFINISHED)?;
    let mut file = BufWriter::new(partial.as_file_mut());
    for_each_piece(parts, spectra, monitor, |piece| file.write_all(piece))
        .and_then(|()| file.flush())
        .map_err(|error| io::Error::new(error.kind(), format!("cannot write `{}`: {error}", path.display())))?;
    drop(file);
    // Renamed over another, some file systems send a file to the disk at once: a thousand of them take longer to write
    // than to make. Who looks for it in between makes it anew.
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs_err::rename(partial.path(), path),
    }
}

/// Whether an entry holds these parts, and nothing else.
fn is_there(path: &Path, parts: &[&Part], spectra: &Spectra<'_>, monitor: &Monitor) -> io::Result<bool> {
    let mut entry = BufReader::new(fs_err::File::open(path)?);
    let mut there = Vec::new();
    for_each_piece(parts, spectra, monitor, |piece| {
        there.resize(piece.len(), 0);
        entry.read_exact(&mut there)?;
        if there == piece { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
    })?;
    Ok(entry.fill_buf()?.is_empty())
}

/// Makes the bytes of an entry, a piece at a time.
fn for_each_piece(
    parts: &[&Part],
    spectra: &Spectra<'_>,
    monitor: &Monitor,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut hasher = blake3::Hasher::new();
    let mut take_hashed = |piece: &[u8]| {
        hasher.update(piece);
        take(piece)
    };
    take_hashed(MAGIC)?;
    let mut piece = Vec::new();
    for part in parts {
        if monitor.is_cancelled() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        piece.clear();
        piece = postcard::to_extend(&StoredPart::of(part, spectra)?, piece).map_err(io::Error::other)?;
        let length = u32::try_from(piece.len()).ok().filter(|length| *length as usize <= MAX_PART_BYTES);
        let length = length.ok_or_else(|| io::Error::other("what a part of a file gave is too large for the cache"))?;
        take_hashed(&length.to_le_bytes())?;
        take_hashed(&piece)?;
    }
    take_hashed(&[0; 4])?;
    take(hasher.finalize().as_bytes())
}

impl<'a> StoredPart<'a> {
    fn of(part: &'a Part, spectra: &Spectra<'_>) -> io::Result<Self> {
        Ok(Self {
            offset: part.offset,
            identities: (&part.identities).into(),
            points: (&part.points).into(),
            attributes: (&part.attributes).into(),
            spectra: spectra.read(part.first_spectrum, part.n_spectra)?.into_flattened().into(),
            n_malformed: part.n_malformed,
            diagnostics: (&part.diagnostics).into(),
            n_lines: part.n_lines,
            marks: (&part.marks).into(),
        })
    }

    /// `None` if its pieces do not belong together.
    fn restored(self, file: usize, spectra: &Spectra<'_>) -> Option<Part> {
        let (of_part, rest) = self.spectra.as_chunks::<SPECTRUM_BINS>();
        let is_sound = rest.is_empty()
            && self.points.iter().all(|point| {
                point.identity < self.identities.len()
                    && point.samples.iter().all(|sample| {
                        (sample.attributes as usize) < self.attributes.len()
                            && sample.spectrum.is_none_or(|number| (number.get() as usize) <= of_part.len())
                    })
            });
        is_sound.then(|| Part {
            file,
            offset: self.offset,
            first_spectrum: spectra.append(of_part),
            n_spectra: of_part.len(),
            identities: self.identities.into_owned(),
            points: self.points.into_owned(),
            attributes: self.attributes.into_owned(),
            n_malformed: self.n_malformed,
            diagnostics: self.diagnostics.into_owned(),
            n_lines: self.n_lines,
            marks: self.marks.into_owned(),
            unreadable: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::lexer::Lexer;
    use crate::record::parse;
    use crate::sample::Sample;
    use crate::shape::Shape;

    /// A part with two samples, of which the second has the second of two spectra.
    fn part(offset: u64, spectra: &Spectra<'_>) -> Part {
        let line =
            br#"{"model":"m","template":"t","sampler":"s","base_task":"b","params":{},"correct":true,"index":7}"#;
        let sample = Sample::new(&parse(Lexer::new(line), &mut Shape::default()).expect("is valid"), 0, None);
        let second = Sample { spectrum: NonZeroU32::new(2), ..sample };
        let identity = Identity { model: "m".into(), template: "t".into(), sampler: "s".into() };
        Part {
            file: 3,
            offset,
            identities: vec![(identity, Tally::default())],
            points: vec![PartPoint {
                identity: 0,
                base_task: "b".into(),
                params: "{}".into(),
                samples: vec![sample, second],
            }],
            attributes: vec![Attributes::default()],
            first_spectrum: spectra.append(&[[1.0; SPECTRUM_BINS], [offset as f32; SPECTRUM_BINS]]),
            n_spectra: 2,
            n_malformed: 1,
            diagnostics: Vec::new(),
            n_lines: 4,
            marks: vec![Mark { line: 1, offset }],
            unreadable: None,
        }
    }

    #[test]
    fn parts_come_back_with_their_spectra() {
        let folder = tempfile::tempdir().unwrap();
        let spectra = Spectra::new(folder.path());
        let parts = [part(0, &spectra), part(90, &spectra)];
        let path = folder.path().join("ab").join("entry");
        write(&path, &parts.each_ref(), &spectra, &Monitor::default()).unwrap();
        let other = Spectra::new(folder.path());
        other.append(&[[9.0; SPECTRUM_BINS]]);
        let found = read(&path, 5, &other, &Monitor::default()).unwrap();
        assert_eq!(found.iter().map(|part| (part.file, part.offset)).collect::<Vec<_>>(), [(5, 0), (5, 90)]);
        assert_eq!(found.iter().map(|part| part.first_spectrum).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(other.get(4), Some([90.0; SPECTRUM_BINS]));
        for (found, part) in found.iter().zip(&parts) {
            assert_eq!(found.points[0].samples, part.points[0].samples);
            assert_eq!((&found.identities, found.n_lines, &found.marks), (&part.identities, part.n_lines, &part.marks));
            assert_eq!((found.n_malformed, &found.attributes), (part.n_malformed, &part.attributes));
        }
        let names: Vec<_> =
            fs_err::read_dir(folder.path().join("ab")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["entry"]);
    }

    /// Nothing but the whole entry is one: not with any byte missing, changed or added.
    #[test]
    fn a_damaged_entry_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let spectra = Spectra::new(folder.path());
        let path = folder.path().join("entry");
        assert!(read(&path, 0, &spectra, &Monitor::default()).is_none(), "there is none");
        let part = part(0, &spectra);
        write(&path, &[&part], &spectra, &Monitor::default()).unwrap();
        let whole = fs_err::read(&path).unwrap();
        let is_none = |bytes: &[u8]| {
            fs_err::write(&path, bytes).unwrap();
            let is_none = read(&path, 0, &spectra, &Monitor::default()).is_none();
            assert_eq!(is_there(&path, &[&part], &spectra, &Monitor::default()).unwrap_or(false), !is_none);
            is_none
        };
        assert!(!is_none(&whole));
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            assert!(is_none(&changed), "byte {at} changed");
            assert!(is_none(&whole[..at]), "cut off at byte {at}");
        }
        assert!(is_none(&[&whole[..], &[0]].concat()));
    }

    #[test]
    fn an_entry_that_is_there_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let spectra = Spectra::new(folder.path());
        let path = folder.path().join("entry");
        let (first, second) = (part(0, &spectra), part(90, &spectra));
        let inode = || fs_err::metadata(&path).unwrap().ino();
        write(&path, &[&first], &spectra, &Monitor::default()).unwrap();
        let before = inode();
        write(&path, &[&first], &spectra, &Monitor::default()).unwrap();
        assert_eq!(inode(), before);
        write(&path, &[&first, &second], &spectra, &Monitor::default()).unwrap();
        assert_eq!(read(&path, 0, &spectra, &Monitor::default()).unwrap().len(), 2);
        write(&path, &[], &spectra, &Monitor::default()).unwrap();
        assert_eq!(read(&path, 0, &spectra, &Monitor::default()).unwrap().len(), 0);
        // What does not belong together is no part.
        let mut wrong = part(0, &spectra);
        wrong.points[0].samples[1].spectrum = NonZeroU32::new(3);
        write(&path, &[&wrong], &spectra, &Monitor::default()).unwrap();
        assert!(read(&path, 0, &spectra, &Monitor::default()).is_none());
        // What is cancelled, too large or cannot be read is not kept, and leaves nothing behind.
        let cancelled = Monitor::default();
        cancelled.cancel.store(true, Ordering::Relaxed);
        assert!(write(&path, &[&first], &spectra, &cancelled).is_err());
        let mut large = part(0, &spectra);
        large.points[0].base_task = "b".repeat(MAX_PART_BYTES);
        assert!(write(&path, &[&large], &spectra, &Monitor::default()).is_err());
        let lost = Part { first_spectrum: 1_000, ..part(0, &spectra) };
        let error = write(&path, &[&lost], &spectra, &Monitor::default()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write `{}`: ", path.display())), "{error}");
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
    }
}
