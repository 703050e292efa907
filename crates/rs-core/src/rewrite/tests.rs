use super::*;
use crate::zstd_frames::{Checksums, checksums};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// A folder with one raw file.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &[u8]) -> Original {
        let (_, codec) = raw_file_name(name).unwrap();
        let bytes = match codec {
            Codec::Plain => text.to_vec(),
            Codec::Zstd => zstd::encode_all(text, 1).unwrap(),
            Codec::Gzip => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                io::Write::write_all(&mut packer, text).unwrap();
                packer.finish().unwrap()
            }
        };
        fs_err::write(self.path(name), bytes).unwrap();
        Original::look(&self.path(name), codec).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let items = fs_err::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn text(path: &Path, codec: Codec) -> Vec<u8> {
    let mut text = Vec::new();
    decoded(path, codec, &AtomicU64::new(0)).unwrap().read_to_end(&mut text).unwrap();
    text
}

fn rewrite(original: Original, target: &Target, threads: Threads) -> Result<(), RewriteError> {
    let prepared = prepare(original, target, threads, &Monitor::default())?;
    commit(vec![prepared])?.remove(0)
}

#[test]
fn a_file_that_is_packed_keeps_content_time_and_permissions() {
    let long: Vec<u8> = (0..20_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8 & 31).collect();
    for (name, content) in [("a.ndjson", &b""[..]), ("b.jsonl.gz", b"\xEF\xBB\xBFone\ntorn"), ("c.ndjson", &long)] {
        for threads in [Threads::One, Threads::All] {
            let fixture = Fixture::new();
            fixture.write(name, content);
            let path = fixture.path(name);
            let time = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
            fs_err::OpenOptions::new().append(true).open(&path).unwrap().file().set_modified(time).unwrap();
            fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
            let (plain, codec) = raw_file_name(name).unwrap();
            let target = fixture.path(&format!("{plain}.zst"));
            rewrite(Original::look(&path, codec).unwrap(), &Target::Moved(target.clone()), threads).unwrap();
            assert_eq!(fixture.names(), [format!("{plain}.zst")]);
            assert!(text(&target, Codec::Zstd) == content);
            assert_eq!(checksums(&target).unwrap(), Checksums::All);
            let metadata = fs_err::metadata(&target).unwrap();
            assert_eq!(metadata.modified().unwrap(), time);
            assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        }
    }
}

#[test]
fn frames_say_their_size_and_stand_alone() {
    let fixture = Fixture::new();
    let content = b"0123456789abcde\n".repeat(1_200_000);
    let original = fixture.write("a.ndjson", &content);
    let target = fixture.path("a.ndjson.zst");
    rewrite(original, &Target::Moved(target.clone()), Threads::All).unwrap();
    let stored = fs_err::read(&target).unwrap();
    let (mut at, mut sizes) = (0, Vec::new());
    while at < stored.len() {
        let n_bytes = zstd::zstd_safe::find_frame_compressed_size(&stored[at..]).unwrap();
        let size = zstd::zstd_safe::get_frame_content_size(&stored[at..]).unwrap().unwrap();
        let from = sizes.iter().sum::<u64>() as usize;
        let frame = zstd::decode_all(&stored[at..at + n_bytes]).unwrap();
        assert!(frame == content[from..from + size as usize]);
        sizes.push(size);
        at += n_bytes;
    }
    assert_eq!(sizes, [8 << 20, 8 << 20, 19_200_000 - (16 << 20)]);
}

#[test]
fn edits_keep_the_codec_and_links() {
    for name in ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"] {
        let fixture = Fixture::new();
        fixture.write(name, b"one\ntwo\nthree");
        let (_, codec) = raw_file_name(name).unwrap();
        fs_err::create_dir(fixture.path("other")).unwrap();
        let link = fixture.path("other").join(name);
        std::os::unix::fs::symlink(format!("../{name}"), &link).unwrap();
        let splices = vec![
            Splice { offset: 0, n_bytes: 4, new: [].into() },
            Splice { offset: 8, n_bytes: 5, new: (*b"3").into() },
        ];
        rewrite(Original::look(&link, codec).unwrap(), &Target::Edited(splices), Threads::One).unwrap();
        assert!(link.is_symlink());
        assert_eq!(text(&fixture.path(name), codec), b"two\n3");
        assert_eq!(fixture.names(), [name, "other"]);
    }
}

#[test]
fn what_cannot_be_done_leaves_all_as_it_was() {
    let fixture = Fixture::new();
    let target = fixture.path("a.ndjson.zst");
    let moved = Target::Moved(target.clone());
    let original = fixture.write("a.ndjson", b"one\n");
    fs_err::write(&target, "other").unwrap();
    assert!(matches!(rewrite(original.clone(), &moved, Threads::One), Err(RewriteError::Occupied { .. })));
    assert_eq!(fs_err::read(&target).unwrap(), b"other");
    fs_err::remove_file(&target).unwrap();

    let prepared = prepare(original.clone(), &moved, Threads::One, &Monitor::default()).unwrap();
    fs_err::write(fixture.path("a.ndjson"), "two\n").unwrap();
    let results = commit(vec![prepared]).unwrap();
    assert!(matches!(results[0], Err(RewriteError::Changed { .. })));
    assert_eq!(fixture.names(), ["a.ndjson"]);

    let damaged = fixture.write("b.ndjson.gz", &b"one\n".repeat(1000));
    let stored = fs_err::read(&damaged.path).unwrap();
    fs_err::write(&damaged.path, &stored[..stored.len() - 3]).unwrap();
    let damaged = Original::look(&damaged.path, Codec::Gzip).unwrap();
    let target = Target::Moved(fixture.path("b.ndjson.zst"));
    assert!(matches!(rewrite(damaged, &target, Threads::One), Err(RewriteError::Unreadable { .. })));
    assert_eq!(fixture.names(), ["a.ndjson", "b.ndjson.gz"]);

    let stopped = Monitor::default();
    stopped.cancel.store(true, Ordering::Relaxed);
    let original = Original::look(&fixture.path("a.ndjson"), Codec::Plain).unwrap();
    assert!(matches!(prepare(original, &moved, Threads::All, &stopped), Err(RewriteError::Cancelled)));
    assert_eq!(fixture.names(), ["a.ndjson", "b.ndjson.gz"]);
}

#[test]
fn only_unfinished_files_are_swept() {
    let fixture = Fixture::new();
    let left = [".a.ndjson.zst.new-Ab12Cd", ".a.jsonl.new-1"];
    let others = [".a.json.new-Ab12Cd", ".hidden.ndjson", "a.ndjson.new-1", "b.ndjson"];
    left.iter().chain(&others).for_each(|name| fs_err::write(fixture.path(name), "x").unwrap());
    sweep(fixture.folder.path()).unwrap();
    assert_eq!(fixture.names(), others);
}
