//! What the frames of a zstd file say of themselves, found without decoding them.

use std::io::{self, BufReader, Read};
use std::path::Path;

/// First four bytes of a frame.
const FRAME: u32 = 0xFD2F_B528;
/// First four bytes of a frame that decoders skip, but for their last four bits.
const SKIPPABLE_FRAME: u32 = 0x184D_2A50;
/// Bytes read at a time: headers are shorter, and blocks between them mostly longer.
const LOOK_AHEAD_BYTES: usize = 64;

/// Whether a flipped bit in the data would be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksums {
    /// Every frame has one.
    All,
    /// Some frame has none.
    Missing,
    /// The file's frames cannot be followed to its end: it is damaged or cut off.
    Damaged,
}

/// Looks at the headers of all frames and blocks of a file.
///
/// # Errors
/// The file cannot be read; the error names the path.
pub fn checksums(path: &Path) -> io::Result<Checksums> {
    let file = fs_err::File::open(path)?;
    let size_bytes = file.metadata()?.len();
    let mut frames = Frames { file: BufReader::with_capacity(LOOK_AHEAD_BYTES, file), at: 0, size_bytes };
    match frames.checksums() {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Checksums::Damaged),
        found => found,
    }
}

struct Frames {
    file: BufReader<fs_err::File>,
    at: u64,
    size_bytes: u64,
}

impl Frames {
    fn checksums(&mut self) -> io::Result<Checksums> {
        let mut found = Checksums::All;
        while self.at < self.size_bytes {
            match self.number(4)? {
                FRAME => {
                    let Some(has_checksum) = self.skip_frame()? else { return Ok(Checksums::Damaged) };
                    if !has_checksum {
                        found = Checksums::Missing;
                    }
                }
                magic if magic & !0xF == SKIPPABLE_FRAME => {
                    let bytes = self.number(4)?;
                    self.skip(bytes)?;
                }
                _ => return Ok(Checksums::Damaged),
            }
        }
        Ok(found)
    }

    /// Goes to the end of a frame; whether it has a checksum, or `None` if there is a block of no known kind.
    fn skip_frame(&mut self) -> io::Result<Option<bool>> {
        let descriptor = self.number(1)?;
        let is_single_segment = descriptor & 0x20 != 0;
        let has_checksum = descriptor & 4 != 0;
        let window_bytes = u32::from(!is_single_segment);
        let dictionary_bytes = [0, 1, 2, 4][(descriptor & 3) as usize];
        let content_size_bytes = match descriptor >> 6 {
            0 => u32::from(is_single_segment),
            power => 1 << power,
        };
        self.skip(window_bytes + dictionary_bytes + content_size_bytes)?;
        loop {
            let header = self.number(3)?;
            let bytes = header >> 3;
            match header >> 1 & 3 {
                0 | 2 => self.skip(bytes)?,
                1 => self.skip(1)?,
                _ => return Ok(None),
            }
            if header & 1 == 1 {
                break;
            }
        }
        if has_checksum {
            self.skip(4)?;
        }
        Ok(Some(has_checksum))
    }

    /// The next bytes as a number, least first.
    fn number(&mut self, n_bytes: usize) -> io::Result<u32> {
        let mut bytes = [0; 4];
        self.file.read_exact(&mut bytes[..n_bytes])?;
        self.at += n_bytes as u64;
        Ok(u32::from_le_bytes(bytes))
    }

    fn skip(&mut self, n_bytes: u32) -> io::Result<()> {
        self.file.seek_relative(i64::from(n_bytes))?;
        self.at += u64::from(n_bytes);
        // Behind the end there is nothing to read, and nothing that says so.
        if self.at > self.size_bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn packed(text: &[u8], has_checksum: bool) -> Vec<u8> {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("is made");
        encoder.include_checksum(has_checksum).expect("is set");
        encoder.write_all(text).expect("is packed");
        encoder.finish().expect("is packed")
    }

    #[track_caller]
    fn check(bytes: &[u8], expected: Checksums) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(bytes).expect("is written");
        assert_eq!(checksums(file.path()).expect("reads"), expected);
    }

    #[test]
    fn every_frame_is_looked_at() {
        let noise: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for text in [&b""[..], b"a", &[b'x'; 500_000], &noise] {
            let (with, without) = (packed(text, true), packed(text, false));
            check(&with, Checksums::All);
            check(&without, Checksums::Missing);
            check(&[with.as_slice(), &without, &with].concat(), Checksums::Missing);
            check(&[b"\x5E\x2A\x4D\x18\x03\0\0\0abc", with.as_slice()].concat(), Checksums::All);
            check(&zstd::bulk::compress(text, 3).expect("is packed"), Checksums::Missing);
            for cut in [1, 3, 5] {
                check(&with[..with.len() - cut], Checksums::Damaged);
            }
            check(&[with.as_slice(), b"more"].concat(), Checksums::Damaged);
        }
        check(b"", Checksums::All);
    }
}
