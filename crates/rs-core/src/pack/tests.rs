//! Blobs there and back, against other programs, and made to hurt.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// A folder with a run folder `run` in it.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs_err::create_dir(place.path("run")).unwrap();
        place
    }

    fn with(files: &[(&str, &[u8])]) -> Self {
        let place = Self::new();
        for (name, content) in files {
            place.write(&format!("run/{name}"), content);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, content).unwrap();
    }

    fn pack(&self) -> Result<Packed, PackError> {
        let files = list_run(&self.path("run"))?;
        let monitor = Monitor::default();
        let mut out = fs_err::File::create(self.path("blob")).unwrap();
        let packed = pack_run(&self.path("run"), &files, &mut out, &monitor)?;
        assert_eq!(monitor.done_bytes.into_inner(), packed.raw_bytes);
        Ok(packed)
    }

    fn blob(&self) -> Vec<u8> {
        fs_err::read(self.path("blob")).unwrap()
    }

    fn extract(&self, into: &str, expected: impl Into<Expected>) -> Result<(), PackError> {
        extract_run(&self.path("blob"), &self.path(into), &expected.into(), &Monitor::default())
    }

    /// Everything below a folder: names with contents, folders with none.
    fn tree(&self, name: &str) -> Vec<(String, Option<Vec<u8>>)> {
        let root = self.path(name);
        let walk = walkdir::WalkDir::new(&root).min_depth(1).sort_by_file_name().into_iter().map(|item| {
            let item = item.unwrap();
            let content = (!item.file_type().is_dir()).then(|| fs_err::read(item.path()).unwrap());
            (item.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), content)
        });
        walk.collect()
    }

    /// What stands in the folder itself, hidden things too.
    fn names(&self) -> Vec<String> {
        let entries = fs_err::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Compressible bytes that differ everywhere.
fn text(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut bytes = Vec::with_capacity(n_bytes + 64);
    while bytes.len() < n_bytes {
        bytes.extend_from_slice(format!("{{\"id\": {}, \"of\": {}}}\n", next() % 1000, next()).as_bytes());
    }
    bytes.truncate(n_bytes);
    bytes
}

const MIB: usize = 1 << 20;

/// Small and large files, long names, files without content, at and across the borders of frames.
fn varied() -> Place {
    let long = format!("{}/{}/z.ndjson", "l".repeat(200), "ä".repeat(100));
    Place::with(&[
        ("a.ndjson", &text(100, 1)),
        ("empty", b""),
        ("deep/er/b.ndjson", &text(3 * MIB, 2)),
        ("large.ndjson", &text(21 * MIB + 7, 3)),
        ("deep/block", &text(512, 4)),
        ("deep.zst", &text(1, 5)),
        (&long, &text(5 * MIB, 6)),
        ("z/empty", b""),
        ("n".repeat(100).as_str(), b"100"),
        ("n".repeat(101).as_str(), b"101"),
    ])
}

#[test]
fn there_and_back() {
    let place = varied();
    let packed = place.pack().unwrap();
    let content = content_of(&list_run(&place.path("run")).unwrap(), &Monitor::default()).unwrap();
    assert_eq!(Expected::from(content), Expected::from(packed));
    assert_eq!(packed.blob, BlobId::of(&place.blob()));
    assert_eq!(packed.size_bytes, place.blob().len() as u64);
    let monitor = Monitor::default();
    extract_run(&place.path("blob"), &place.path("back/run"), &packed.into(), &monitor).unwrap();
    assert_eq!(monitor.done_bytes.into_inner(), packed.raw_bytes);
    assert!(place.tree("run") == place.tree("back/run"));
    assert_eq!(place.names(), ["back", "blob", "run"]);
    // What came out packs to the same bytes.
    let blob = place.blob();
    fs_err::remove_dir_all(place.path("run")).unwrap();
    fs_err::rename(place.path("back/run"), place.path("run")).unwrap();
    assert_eq!(place.pack().unwrap(), packed);
    assert!(place.blob() == blob);
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let place = varied();
    let blobs = [1, 2, 3, 8].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let packed = pool.install(|| place.pack().unwrap());
        pool.install(|| place.extract(&format!("back{threads}"), packed).unwrap());
        assert!(place.tree("run") == place.tree(&format!("back{threads}")));
        packed
    });
    assert!(blobs.iter().all(|packed| *packed == blobs[0]), "{blobs:?}");
}

/// The format is a contract: other bytes for the same files are another version.
#[test]
fn a_blob_is_what_it_was() {
    let place = Place::with(&[("a.ndjson", b"{}\n"), ("b/c", b"")]);
    let packed = place.pack().unwrap();
    assert_eq!(packed.content.to_string(), "30d0aaeaa369da8466b875230fa58897eaf0989d09290e5757fa1ae58448bbab");
    assert_eq!(packed.blob.to_string(), "07cee48fc9db643cc0ac9b03ba59408552accc7dc71bedd5a55076697d5b3f75");
}

#[test]
fn an_empty_run_and_one_of_empty_files() {
    for files in [&[][..], &[("a", &b""[..]), ("b", b"")][..]] {
        let place = Place::with(files);
        let packed = place.pack().unwrap();
        assert_eq!((packed.raw_bytes, packed.n_files), (0, files.len() as u64));
        place.extract("back", packed).unwrap();
        assert!(place.tree("run") == place.tree("back"));
    }
}

/// Runs a program with a file as its input; gives its output.
fn run(program: &mut Command, input: &Path) -> Vec<u8> {
    let input = Stdio::from(fs_err::File::open(input).unwrap().into_parts().0);
    let output = program.stdin(input).output().expect("zstd and tar are installed");
    assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn zstd_and_tar_unpack_a_blob() {
    let place = varied();
    place.pack().unwrap();
    let stream = run(Command::new("zstd").args(["-d", "-c"]), &place.path("blob"));
    place.write("stream", &stream);
    fs_err::create_dir(place.path("back")).unwrap();
    run(Command::new("tar").arg("x").arg("-C").arg(place.path("back")), &place.path("stream"));
    assert!(place.tree("run") == place.tree("back"));
    let listing = run(Command::new("tar").args(["tv", "--numeric-owner"]).env("TZ", "UTC"), &place.path("stream"));
    let listing = String::from_utf8(listing).unwrap();
    assert!(listing.starts_with("-rw-r--r-- 0/0             100 1970-01-01 00:00 a.ndjson\n"), "{listing}");
    assert_eq!(listing.lines().count(), 10);
    let shown = run(Command::new("zstd").arg("-l").arg(place.path("blob")), &place.path("blob"));
    assert!(String::from_utf8(shown).unwrap().contains("XXH64"));
}

#[test]
fn any_part_can_be_read() {
    let place = varied();
    place.pack().unwrap();
    let stream = run(Command::new("zstd").args(["-d", "-c"]), &place.path("blob"));
    let pack = Pack::open(&place.path("blob")).unwrap();
    assert_eq!(pack.kind(), Kind::Run);
    assert_eq!(pack.stream_bytes(), stream.len() as u64);
    assert_eq!(pack.frame_starts().collect::<Vec<_>>(), [0, FRAME_BYTES, 2 * FRAME_BYTES, 3 * FRAME_BYTES]);
    let contents = place.tree("run").into_iter().filter_map(|(_, content)| content);
    assert_eq!(pack.raw_bytes(), contents.map(|content| content.len() as u64).sum::<u64>());
    for member in pack.members() {
        let mut content = Vec::new();
        pack.reader(member.range()).read_to_end(&mut content).unwrap();
        assert!(content == fs_err::read(place.path("run").join(&member.name)).unwrap(), "{}", member.name);
    }
    let frame = FRAME_BYTES;
    for range in [0..0, 0..1, frame - 1..frame + 1, frame..2 * frame, 3..u64::MAX, u64::MAX - 1..u64::MAX] {
        let mut found = Vec::new();
        pack.reader(range.clone()).read_to_end(&mut found).unwrap();
        let end = range.end.min(stream.len() as u64) as usize;
        let expected = stream.get(range.start as usize..end).unwrap_or_default();
        assert!(found == expected, "{range:?}");
    }
}

/// In small steps, and with a decoder that has been somewhere else before.
#[test]
fn what_follows_a_frame_can_be_read_in_steps() {
    let place = varied();
    place.pack().unwrap();
    let stream = run(Command::new("zstd").args(["-d", "-c"]), &place.path("blob"));
    let pack = Pack::open(&place.path("blob")).unwrap();
    let mut decoder = StepDecoder::new().unwrap();
    let n_bytes = stream.len() as u64;
    for frame in [2, 0, 1, 3, 1, 4] {
        let start = frame * FRAME_BYTES;
        for end in [start, start + 1, start + 100_000, start + FRAME_BYTES + 5, n_bytes, n_bytes + 9] {
            let mut found = Vec::new();
            let mut steps = pack.steps(start..end, &mut decoder);
            let mut buffer = [0; 1000];
            loop {
                let read_bytes = steps.read(&mut buffer).unwrap();
                if read_bytes == 0 {
                    break;
                }
                found.extend_from_slice(&buffer[..read_bytes]);
            }
            let expected = stream.get(start as usize..end.min(n_bytes) as usize).unwrap_or_default();
            assert!(found == expected, "{start}..{end}");
        }
    }
}

#[test]
fn frames_tell_what_lies_in_them() {
    let place = varied();
    place.pack().unwrap();
    let pack = Pack::open(&place.path("blob")).unwrap();
    let mut found: Vec<Vec<u8>> = vec![Vec::new(); pack.members().len()];
    let mut decoder = FrameDecoder::new().unwrap();
    for frame in 0..pack.frame_starts().len() {
        for part in pack.decode(frame, &mut decoder).unwrap() {
            assert_eq!(part.from, found[part.member].len() as u64);
            found[part.member].extend_from_slice(part.bytes);
        }
    }
    for (member, found) in pack.members().iter().zip(found) {
        assert!(found == fs_err::read(place.path("run").join(&member.name)).unwrap(), "{}", member.name);
    }
    let error = pack.decode(4, &mut decoder).unwrap_err().to_string();
    assert!(error.ends_with("it has no frame 4"), "{error}");
}

#[test]
fn a_file_by_itself() {
    for n_bytes in [0, 1, 8 * MIB, 19 * MIB + 3] {
        let place = Place::new();
        place.write("x.db", &text(n_bytes, 9));
        let mut out = fs_err::File::create(place.path("blob")).unwrap();
        let packed = pack_file(&place.path("x.db"), &mut out, &Monitor::default()).unwrap();
        assert_eq!((packed.raw_bytes, packed.n_files), (n_bytes as u64, 1));
        assert_eq!(packed.content, ContentHash::of(&text(n_bytes, 9)));
        let (blob, into) = (place.path("blob"), place.path("back.db"));
        let unpack = |raw_bytes, existing| unpack_file(&blob, &into, raw_bytes, existing, &Monitor::default());
        unpack(n_bytes as u64, Existing::Refuse).unwrap();
        assert!(fs_err::read(&into).unwrap() == text(n_bytes, 9));
        assert!(run(Command::new("zstd").args(["-d", "-c"]), &blob) == text(n_bytes, 9));
        let message = |result: Result<(), PackError>| result.unwrap_err().to_string();
        assert!(message(unpack(n_bytes as u64, Existing::Refuse)).ends_with("back.db` is there already"));
        fs_err::write(&into, "old").unwrap();
        unpack(n_bytes as u64, Existing::Replace).unwrap();
        assert!(fs_err::read(&into).unwrap() == text(n_bytes, 9));
        let text = format!("its file has bytes `{n_bytes}`, expected `{}`", n_bytes + 1);
        assert!(message(unpack(n_bytes as u64 + 1, Existing::Replace)).ends_with(&text));
        let expected = Expected { content: packed.content, raw_bytes: packed.raw_bytes, n_files: 1 };
        assert!(message(place.extract("back", expected)).ends_with("it holds a `file`, expected `run folder`"));
        assert_eq!(place.names(), ["back.db", "blob", "run", "x.db"]);
    }
}

#[test]
fn what_goes_in_and_what_does_not() {
    let place = Place::with(&[
        ("a.ndjson", b"1"),
        (".hidden", b"2"),
        (".folder/x", b"3"),
        ("a.ndjson.partial", b"4"),
        ("x.tmp", b"5"),
        ("kept.tmp/x", b"6"),
        ("b/.x", b"7"),
        ("b/c", b"8"),
    ]);
    place.write("elsewhere/linked", b"9");
    fs_err::os::unix::fs::symlink("../elsewhere/linked", place.path("run/link")).unwrap();
    fs_err::os::unix::fs::symlink("../elsewhere", place.path("run/folder")).unwrap();
    fs_err::create_dir(place.path("run/empty")).unwrap();
    let files = list_run(&place.path("run")).unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.ndjson", "b/c", "folder/linked", "kept.tmp/x", "link"]);
    let packed = place.pack().unwrap();
    place.extract("back", packed).unwrap();
    assert_eq!(fs_err::read(place.path("back/link")).unwrap(), b"9");
    assert!(!place.path("back/link").is_symlink());
}

#[test]
fn what_cannot_be_packed_is_named() {
    #[track_caller]
    fn check(make: impl FnOnce(&Place), path: &str, why: &str) {
        let place = Place::with(&[("a", b"1")]);
        make(&place);
        let expected = format!("`{}` cannot be packed: {why}", place.path(path).display());
        assert_eq!(place.pack().unwrap_err().to_string(), expected);
    }
    let link = |to: &'static str| move |place: &Place| fs_err::os::unix::fs::symlink(to, place.path("run/x")).unwrap();
    check(link("nowhere"), "run/x", "the link leads nowhere");
    check(link("."), "run/x", "the link leads in a circle");
    check(link("/dev/null"), "run/x", "it is no regular file");
    let fifo = |place: &Place| assert!(Command::new("mkfifo").arg(place.path("run/x")).status().unwrap().success());
    check(fifo, "run/x", "it is no regular file");
    check(|place| place.write("run/A", b""), "run/a", "the name `a` and `A` differ in upper and lower case only");
    check(|place| place.write("run/b\\c", b""), "run/b\\c", "the name `b\\\\c` holds a backslash");
    check(|place| place.write("run/b\nc", b""), "run/b\nc", "its name holds the control character \\u{a}");
    let place = Place::new();
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xFF");
    fs_err::write(place.path("run").join(name), "").unwrap();
    assert!(place.pack().unwrap_err().to_string().ends_with("cannot be packed: its name is not UTF-8"));
    let place = Place::new();
    fs_err::write(place.path("file"), "").unwrap();
    let error = list_run(&place.path("file")).unwrap_err().to_string();
    assert!(error.ends_with("file` cannot be packed: it is no folder"), "{error}");
    let error = list_run(&place.path("none")).unwrap_err().to_string();
    assert!(error.starts_with("cannot list `") && error.contains("none"), "{error}");
}

#[test]
fn files_that_change_are_told() {
    let open = |path: &Path| fs_err::OpenOptions::new().write(true).open(path).unwrap();
    let change = |what: &str, path: &Path| match what {
        "grown" => fs_err::OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap(),
        "shrunk" => open(path).set_len(5).unwrap(),
        "touched" => open(path).set_modified(std::time::UNIX_EPOCH).unwrap(),
        _ => {
            fs_err::copy(path, path.with_extension("new")).unwrap();
            fs_err::rename(path.with_extension("new"), path).unwrap();
        }
    };
    for size in [0, 100, 9 * MIB] {
        for what in ["grown", "shrunk", "touched", "replaced"] {
            if (what, size) == ("shrunk", 0) {
                continue;
            }
            let place = Place::with(&[("a", b"1"), ("b", &text(size, 1))]);
            let files = list_run(&place.path("run")).unwrap();
            let before = fingerprint(&files);
            change(what, &place.path("run/b"));
            assert_ne!(fingerprint(&list_run(&place.path("run")).unwrap()), before, "{what}");
            let expected = format!("`{}` changed while it was read", place.path("run/b").display());
            let mut out = fs_err::File::create(place.path("blob")).unwrap();
            let monitor = Monitor::default();
            let error = pack_run(&place.path("run"), &files, &mut out, &monitor).unwrap_err();
            assert_eq!(error.to_string(), expected, "{what} {size}");
            assert_eq!(content_of(&files, &monitor).unwrap_err().to_string(), expected, "{what} {size}");
        }
    }
}

#[test]
fn the_identity_is_of_names_and_contents() {
    let of = |files: &[(&str, &[u8])]| {
        let place = Place::with(files);
        content_of(&list_run(&place.path("run")).unwrap(), &Monitor::default()).unwrap()
    };
    // Written out as the format's page says it.
    let mut hasher = blake3::Hasher::new();
    for (name, content) in [("a", &b"xy"[..]), ("b/c", b"")] {
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(blake3::hash(content).as_bytes());
    }
    let content = of(&[("b/c", b""), ("a", b"xy")]);
    assert_eq!(content, Content { hash: hasher.finalize().into(), raw_bytes: 2, n_files: 2 });
    for other in [&[("a", &b"xy"[..]), ("b/d", b"")][..], &[("a", b"xz"), ("b/c", b"")], &[("a", b"xy")], &[]] {
        assert_ne!(of(other).hash, content.hash);
    }
}

#[test]
fn cancelled_at_once_or_on_the_way() {
    let place = varied();
    let files = list_run(&place.path("run")).unwrap();
    let packed = place.pack().unwrap();
    let cancelled = || Monitor { cancel: std::sync::Arc::new(true.into()), ..Monitor::default() };
    let mut out = fs_err::File::create(place.path("blob2")).unwrap();
    let is_cancelled = |error: PackError| assert!(matches!(error, PackError::Cancelled), "{error}");
    is_cancelled(pack_run(&place.path("run"), &files, &mut out, &cancelled()).unwrap_err());
    is_cancelled(content_of(&files, &cancelled()).unwrap_err());
    is_cancelled(extract_run(&place.path("blob"), &place.path("back"), &packed.into(), &cancelled()).unwrap_err());
    let monitor = Monitor::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while monitor.done_bytes.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            monitor.cancel.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let _ = extract_run(&place.path("blob"), &place.path("back"), &packed.into(), &monitor);
    });
    let whole = place.path("back").exists();
    assert!(!whole || place.tree("run") == place.tree("back"));
    assert!(!place.names().iter().any(|name| name.starts_with('.')), "{:?}", place.names());
}

#[test]
fn a_folder_is_replaced_only_if_it_is_empty() {
    let place = Place::with(&[("a", b"1")]);
    let packed = place.pack().unwrap();
    fs_err::create_dir(place.path("back")).unwrap();
    place.extract("back", packed).unwrap();
    fs_err::write(place.path("file"), "").unwrap();
    fs_err::create_dir(place.path("empty")).unwrap();
    fs_err::os::unix::fs::symlink("empty", place.path("link")).unwrap();
    for into in ["back", "file", "link"] {
        let error = place.extract(into, packed).unwrap_err().to_string();
        assert_eq!(error, format!("`{}` is there already", place.path(into).display()));
    }
    assert_eq!(place.names(), ["back", "blob", "empty", "file", "link", "run"]);
}

#[test]
fn leftovers_are_removed_and_others_waited_out() {
    let place = Place::with(&[("a", b"1")]);
    let packed = place.pack().unwrap();
    place.write(".back.extracting/x/y", b"left over");
    place.write(".back.extracting.lock", b"4000000");
    place.extract("back", packed).unwrap();
    assert!(place.tree("run") == place.tree("back"));
    let lock = crate::lock::Lock::take(&place.path(".other.extracting.lock")).unwrap();
    assert!(matches!(place.extract("other", packed), Err(PackError::Locked(_))));
    drop(lock);
    // A link in the place of the leftovers is not followed.
    place.write("precious/x", b"1");
    fs_err::os::unix::fs::symlink("precious", place.path(".other.extracting")).unwrap();
    place.extract("other", packed).unwrap();
    assert_eq!(place.tree("precious"), [("x".to_owned(), Some(b"1".to_vec()))]);
}

#[test]
fn a_link_to_a_database_stays_one() {
    let place = Place::new();
    place.write("x.db", b"new");
    place.write("elsewhere/y.db", b"old");
    fs_err::os::unix::fs::symlink("elsewhere/y.db", place.path("link.db")).unwrap();
    let mut out = fs_err::File::create(place.path("blob")).unwrap();
    pack_file(&place.path("x.db"), &mut out, &Monitor::default()).unwrap();
    let (blob, link) = (place.path("blob"), place.path("link.db"));
    assert!(unpack_file(&blob, &link, 3, Existing::Refuse, &Monitor::default()).is_err());
    unpack_file(&blob, &link, 3, Existing::Replace, &Monitor::default()).unwrap();
    assert!(link.is_symlink());
    assert_eq!(place.tree("elsewhere"), [("y.db".to_owned(), Some(b"new".to_vec()))]);
}

#[test]
fn what_is_no_file_is_no_blob() {
    let place = Place::new();
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    for name in ["pipe", "run"] {
        let error = Pack::open(&place.path(name)).unwrap_err().to_string();
        assert!(error.ends_with("is damaged or no blob: it is no regular file"), "{error}");
    }
    assert!(matches!(Pack::open(&place.path("none")), Err(PackError::Io(_))));
}

/// A blob made by hand, part by part.
#[derive(Clone)]
struct Forgery {
    /// Stored frames, and what the seek table says of them.
    frames: Vec<(Vec<u8>, [u32; 2])>,
    toc: Value,
    /// The table of contents as it is stored, instead.
    toc_frame: Option<Vec<u8>>,
    seek_table: Option<Vec<u8>>,
    end: Vec<u8>,
}

fn frame(content: &[u8], checksum: Checksum, window_log: Option<u32>) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(checksum == Checksum::There).unwrap();
    encoder.set_pledged_src_size(Some(content.len() as u64)).unwrap();
    if let Some(window_log) = window_log {
        encoder.window_log(window_log).unwrap();
    }
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[derive(PartialEq)]
enum Checksum {
    There,
    Missing,
}

fn skippable(magic: u32, content: &[u8]) -> Vec<u8> {
    [&magic.to_le_bytes(), &(content.len() as u32).to_le_bytes(), content].concat()
}

impl Forgery {
    /// What an honest program would make of these files, whatever their names.
    fn honest(files: &[(&str, &[u8])]) -> Self {
        let mut stream = Vec::new();
        let mut members = Vec::new();
        for (name, content) in files {
            stream.extend(layout::header(name, content.len() as u64));
            members.push(json!({
                "name": name, "offset": stream.len(), "size": content.len(), "content": ContentHash::of(content),
            }));
            stream.extend_from_slice(content);
            stream.resize(stream.len().next_multiple_of(512), 0);
        }
        stream.resize(stream.len() + 1024, 0);
        Self::of(&stream, json!({"version": 1, "members": members}))
    }

    fn of(stream: &[u8], toc: Value) -> Self {
        let frames = stream.chunks(FRAME_BYTES as usize).map(|content| {
            let stored = frame(content, Checksum::There, None);
            let sizes = [stored.len() as u32, content.len() as u32];
            (stored, sizes)
        });
        Self { frames: frames.collect(), toc, toc_frame: None, seek_table: None, end: Vec::new() }
    }

    /// The same table of contents with another stream.
    fn with_stream(files: &[(&str, &[u8])], change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let honest = Self::honest(files);
        let mut stream = Vec::new();
        for (stored, _) in &honest.frames {
            stream.extend(zstd::stream::decode_all(&stored[..]).unwrap());
        }
        change(&mut stream);
        Self::of(&stream, honest.toc)
    }

    /// Replaces a frame; the seek table says its true sizes.
    fn with_frame(mut self, stored: Vec<u8>, decoded_bytes: u32) -> Self {
        let stored_bytes = stored.len() as u32;
        self.frames = vec![(stored, [stored_bytes, decoded_bytes])];
        self
    }

    fn with_toc(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.toc);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut sizes = Vec::new();
        for (stored, said) in &self.frames {
            bytes.extend_from_slice(stored);
            sizes.push(*said);
        }
        let toc = self.toc_frame.clone().unwrap_or_else(|| skippable(0x184D_2A52, self.toc.to_string().as_bytes()));
        sizes.push([toc.len() as u32, 0]);
        bytes.extend(toc);
        bytes.extend(self.seek_table.clone().unwrap_or_else(|| toc::seek_table(&sizes)));
        bytes.extend_from_slice(&self.end);
        bytes
    }

    /// What a manifest would say that fits to the table of contents.
    fn expected(&self) -> Expected {
        let empty = Vec::new();
        let members = self.toc["members"].as_array().unwrap_or(&empty);
        let mut raw_bytes = 0_u64;
        let content = content::identity(members.iter().map(|member| {
            let size = member["size"].as_u64().unwrap_or(0);
            raw_bytes = raw_bytes.saturating_add(size);
            let hash = member["content"].as_str().and_then(|text| text.parse().ok());
            (member["name"].as_str().unwrap_or(""), size, hash.unwrap_or(ContentHash::of(b"")))
        }));
        Expected { content, raw_bytes, n_files: members.len() as u64 }
    }
}

/// Opening or unpacking these bytes must fail with this text, name the blob, and leave nothing behind.
#[track_caller]
fn check_refused(forgery: &Forgery, what: &str) {
    check_bytes_refused(&forgery.bytes(), &forgery.expected(), what);
}

#[track_caller]
fn check_bytes_refused(bytes: &[u8], expected: &Expected, what: &str) {
    let place = Place::new();
    place.write("blob", bytes);
    let error = place.extract("inner/back", *expected).expect_err(what).to_string();
    assert!(error.contains(what), "{error}");
    assert!(error.contains(place.path("blob").to_str().unwrap()), "{error}");
    let left = walkdir::WalkDir::new(place.folder.path()).min_depth(1).sort_by_file_name().into_iter();
    let left: Vec<PathBuf> = left.map(|item| item.unwrap().into_path()).collect();
    let allowed = ["blob", "inner", "run"].map(|name| place.path(name));
    assert!(left.iter().all(|path| allowed.contains(path)), "{left:?}");
}

const FILES: &[(&str, &[u8])] = &[("a.ndjson", b"{}\n"), ("b/c", b"xyz")];

#[test]
fn the_forger_can_be_honest() {
    for files in [FILES, &[("a", &text(9 * MIB, 1)), ("b", b"")]] {
        let forgery = Forgery::honest(files);
        let place = Place::with(files);
        let packed = place.pack().unwrap();
        assert_eq!(forgery.expected(), packed.into());
        place.write("blob", &forgery.bytes());
        place.extract("back", packed).unwrap();
        assert!(place.tree("run") == place.tree("back"));
    }
}

#[test]
fn names_made_to_hurt() {
    let long = "x".repeat(256);
    let longer = "x/".repeat(2048) + "x";
    for (names, what) in [
        (&["/etc/passwd"][..], "the name `/etc/passwd` is absolute"),
        (&["../x"], "the name `../x` has a part that is empty, `.` or `..`"),
        (&["a/../../x"], "has a part that is empty, `.` or `..`"),
        (&["a//x"], "has a part that is empty, `.` or `..`"),
        (&["./x"], "has a part that is empty, `.` or `..`"),
        (&["a/"], "has a part that is empty, `.` or `..`"),
        (&[""], "the name `` is empty"),
        (&["C:x"], "the name `C:x` is absolute"),
        (&["c:/x"], "is absolute"),
        (&["a\\b"], "the name `a\\\\b` holds a backslash"),
        (&["a\0b"], "the name `a\\0b` holds the control character \\u{0}"),
        (&["a\x1b[2Jb"], "holds the control character \\u{1b}"),
        (&["a\u{202e}b"], "the name `a\\u{202e}b` holds the control character \\u{202e}"),
        (&[&long], "is longer than 4096 bytes, or a part of it than 255"),
        (&[&longer], "is longer than 4096 bytes, or a part of it than 255"),
        (&["a", "a"], "the name `a` stands twice"),
        (&["b", "a"], "the name `a` is not in order"),
        (&["A", "a"], "the name `a` and `A` differ in upper and lower case only"),
        (&["A/x", "a/y"], "the name `a/y` and `A/x` differ in upper and lower case only"),
        (&["Ä", "ä"], "differ in upper and lower case only"),
        (&["a", "a/b"], "the name `a` is a file's, and the folder's of `a/b`"),
    ] {
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, &b"x"[..])).collect();
        check_refused(&Forgery::honest(&files), what);
    }
}

#[test]
fn entries_that_are_no_files() {
    for (kind, what) in [
        (b'2', "its tar has a link where the table of contents says the file `a.ndjson`"),
        (b'1', "its tar has a link"),
        (b'5', "its tar has a folder"),
        (b'3', "its tar has a device"),
        (b'4', "its tar has a device"),
        (b'6', "its tar has a device"),
        (b'x', "its tar has an entry of type 'x'"),
        (b'S', "its tar has an entry of type 'S'"),
    ] {
        check_refused(&Forgery::with_stream(FILES, |stream| stream[156] = kind), what);
    }
    let another = "its tar has a header of another file, or a damaged one";
    // Name, mode, checksum, and a long name.
    for at in [0, 101, 150] {
        check_refused(&Forgery::with_stream(FILES, |stream| stream[at] ^= 1), another);
    }
    let long = format!("{}/{}", "n".repeat(200), "m".repeat(99));
    check_refused(&Forgery::with_stream(&[(&long, b"x")], |stream| stream[512 + 299] = b'n'), another);
    // Something where nothing should be: after a content, and after the end.
    let between = "there is something between the files of its tar";
    check_refused(&Forgery::with_stream(FILES, |stream| stream[512 + 3] = b'x'), between);
    check_refused(&Forgery::with_stream(FILES, |stream| *stream.last_mut().unwrap() = b'x'), between);
}

#[test]
fn contents_that_are_not_what_was_promised() {
    let other = "the content of `b/c` is not what the table of contents says";
    check_refused(&Forgery::with_stream(FILES, |stream| stream[3 * 512] = b'X'), other);
    let large = text(17 * MIB, 1);
    let files: &[(&str, &[u8])] = &[("b/c", &large)];
    check_refused(&Forgery::with_stream(files, |stream| stream[9 * MIB] ^= 1), other);
    let forgery = Forgery::honest(&[("b/c", b"")]);
    check_refused(&forgery.with_toc(|toc| toc["members"][0]["content"] = json!(ContentHash::of(b"x"))), other);
}

#[test]
fn blobs_that_are_not_what_is_expected() {
    let honest = Forgery::honest(FILES);
    let expected = honest.expected();
    let check = |expected, what| check_bytes_refused(&honest.bytes(), &expected, what);
    check(Expected { n_files: 1, ..expected }, "the number of its files is `2`, expected `1`");
    check(Expected { raw_bytes: 5, ..expected }, "its files have bytes `6`, expected `5`");
    let content = ContentHash::of(b"x");
    check(Expected { content, ..expected }, &format!("its content is `{}`, expected `{content}`", expected.content));
}

#[test]
fn a_table_of_contents_that_lies() {
    let toc = |change: fn(&mut Value), what: &str| check_refused(&Forgery::honest(FILES).with_toc(change), what);
    let takes_up = "take up 3584 bytes, the frames hold 3072";
    toc(|toc| toc["members"][0]["size"] = json!(513), takes_up);
    toc(
        |toc| toc["members"][0]["size"] = json!(4),
        "its tar has a size of 3 bytes where the table of contents says the file `a.ndjson` of 4 bytes",
    );
    toc(|toc| toc["members"][0]["size"] = json!(1_u64 << 40), "the frames hold 3072");
    toc(|toc| toc["members"][0]["size"] = json!(u64::MAX), "has files of more than 9007199254740992 bytes");
    toc(|toc| toc["members"][0]["size"] = json!((1_u64 << 53) + 1), "has files of more than 9007199254740992 bytes");
    toc(|toc| toc["members"][0]["size"] = json!(-1), "the table of contents is wrong: invalid value: integer `-1`");
    toc(|toc| toc["members"][0]["offset"] = json!(0), "has `a.ndjson` at byte 0, where it cannot be: that is 512");
    toc(|toc| toc["members"][1]["offset"] = json!(512), "has `b/c` at byte 512, where it cannot be: that is 1536");
    toc(|toc| toc["members"][0]["content"] = json!("00"), "`00` is not 64 lower-case hex digits");
    toc(|toc| toc["members"][0]["mode"] = json!(4095), "unknown field `mode`");
    toc(|toc| toc["more"] = json!(1), "unknown field `more`");
    toc(|toc| drop(toc["members"].as_array_mut().unwrap().pop()), "take up 2048 bytes, the frames hold 3072");
    toc(|toc| toc["members"] = json!({}), "expected a list of at most 1000000 files");
    toc(|toc| toc["version"] = json!(2), "has a table of contents of version 2; this program reads version 1");
    toc(|toc| *toc = json!([]), "the table of contents cannot be decoded");
    toc(|toc| *toc = json!({}), "missing field `version`");
}

#[test]
fn a_table_of_contents_that_is_none() {
    let toc = |frame: Vec<u8>, what: &str| {
        check_refused(&Forgery { toc_frame: Some(frame), ..Forgery::honest(FILES) }, what);
    };
    toc(skippable(0x184D_2A50, b"{}"), "the frame before the seek table is no table of contents");
    toc(skippable(0x184D_2A52, b"{}")[..7].to_vec(), "the table of contents is cut short");
    let mut longer = skippable(0x184D_2A52, b"{}");
    longer[4] = 3;
    toc(longer, "the frame before the seek table is no table of contents");
    toc(skippable(0x184D_2A52, b""), "the table of contents cannot be decoded");
    toc(skippable(0x184D_2A52, b"no zstd"), "the table of contents cannot be decoded");
    let deep = "[".repeat(1_000_000);
    toc(skippable(0x184D_2A52, format!("{{\"version\": {deep}").as_bytes()), "the table of contents is wrong");
    // 300 MiB of blanks in a few kilobytes.
    let bomb = zstd::stream::encode_all(io::repeat(b' ').take(300 << 20), 3).unwrap();
    toc(skippable(0x184D_2A52, &bomb), "the table of contents has more than 268435456 bytes");
    let wide = frame(&vec![b' '; 20 << 20], Checksum::There, Some(25));
    toc(skippable(0x184D_2A52, &wide), "Frame requires too much memory");
}

#[test]
fn a_million_names_and_one() {
    let content = ContentHash::of(b"");
    let member = |n: usize| format!(r#"{{"name":"{n:07}","offset":{},"size":0,"content":"{content}"}}"#, 512 * (n + 1));
    let members: Vec<String> = (0..=MAX_FILES).map(member).collect();
    let json = format!(r#"{{"version":1,"members":[{}]}}"#, members.join(","));
    let json = zstd::stream::encode_all(json.as_bytes(), 1).unwrap();
    let forgery = Forgery { toc_frame: Some(skippable(0x184D_2A52, &json)), ..Forgery::honest(FILES) };
    check_refused(&forgery, "more than 1000000 files");
}

#[test]
fn frames_made_to_hurt() {
    let honest = Forgery::honest(&[("a", &text(MIB, 1))]);
    let stream = zstd::stream::decode_all(&honest.frames[0].0[..]).unwrap();
    let decoded_bytes = stream.len() as u32;
    let one = |stored: Vec<u8>, what: &str| check_refused(&honest.clone().with_frame(stored, decoded_bytes), what);
    one(frame(&stream, Checksum::Missing, None), "frame 0 has no checksum");
    one(vec![0; 20], "frame 0 is no zstd frame");
    one(Vec::new(), "frame 0 is no zstd frame");
    one(skippable(0x184D_2A50, b"xyz"), "frame 0 is no zstd frame");
    let good = frame(&stream, Checksum::There, None);
    one([&good[..], &good].concat(), "frame 0 is followed by something else");
    one([skippable(0x184D_2A50, b"xyz"), good.clone()].concat(), "frame 0 is no zstd frame");
    one([good.clone(), skippable(0x184D_2A50, b"xyz")].concat(), "frame 0 is followed by something else");
    one(good[..good.len() - 1].to_vec(), "frame 0 is damaged");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    one(flipped, "frame 0 is damaged: Restored data doesn't match checksum");
    one(frame(&vec![0; 300 << 20], Checksum::There, None), "frame 0 has not the size that the seek table says");
    // Bombs whose headers say the right size: without one for zstd to believe, and with more in them than that.
    let bomb = frame(&vec![0; 100 << 20], Checksum::There, None);
    let mut lies = bomb.clone();
    // The size stands in four bytes, behind magic number, descriptor and window.
    lies[6..10].copy_from_slice(&decoded_bytes.to_le_bytes());
    one(lies, "frame 0 is damaged");
    let mut nameless = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    nameless.include_checksum(true).unwrap();
    nameless.write_all(&stream).unwrap();
    one(nameless.finish().unwrap(), "frame 0 has not the size that the seek table says");
    // A window that no content needs.
    let mut wide = frame(&vec![0; 20 << 20], Checksum::There, Some(24));
    assert_eq!(wide[5] >> 3, 24 - 10);
    wide[6..10].copy_from_slice(&decoded_bytes.to_le_bytes());
    one(wide, "frame 0 needs a window of 16777216 bytes; it may have 8388608");
    let dictionary = zstd::bulk::Compressor::with_dictionary(3, &text(1000, 1)).unwrap();
    let mut dictionary = dictionary;
    dictionary.include_checksum(true).unwrap();
    let stored = dictionary.compress(&stream).unwrap();
    // A dictionary without an id is not seen in the header, but its absence in the content.
    one(stored, "");
}

#[test]
fn seek_tables_that_lie() {
    let honest = Forgery::honest(&[("a", &text(9 * MIB, 1))]);
    let sizes: Vec<[u32; 2]> = honest.frames.iter().map(|(_, said)| *said).collect();
    let toc_bytes = skippable(0x184D_2A52, honest.toc.to_string().as_bytes()).len() as u32;
    let table = |sizes: &[[u32; 2]], what: &str| {
        check_refused(&Forgery { seek_table: Some(toc::seek_table(sizes)), ..honest.clone() }, what);
    };
    let [first, second] = sizes[..] else { panic!("9 MiB are two frames") };
    let toc = [toc_bytes, 0];
    table(&[first, [second[0] + 1, second[1]], toc], "frame 2 reaches beyond the seek table's start");
    table(&[[u32::MAX, first[1]], second, toc], "frame 0 reaches beyond the seek table's start");
    table(&[first, second, [toc_bytes - 1, 0]], "there are 1 bytes between the last frame and the seek table");
    table(&[first, second], "between the last frame and the seek table");
    table(&[], "between the last frame and the seek table");
    // Overlapping, or with a gap: the next frame begins elsewhere.
    table(&[[first[0] - 8, first[1]], [second[0] + 8, second[1]], toc], "frame");
    table(&[[first[0] + 8, first[1]], [second[0] - 8, second[1]], toc], "frame 0 is followed by something else");
    table(&[first, [second[0], 0], toc], "frame 1 is empty or to be skipped");
    table(&[toc, first, second], "frame 0 is empty or to be skipped");
    table(&[[first[0], first[1] + 1], second, toc], "frame 0 has 8388609 bytes decoded; it may have 8388608");
    table(&[[first[0], first[1] - 1], second, toc], "frame 0 is not the last, but not full");
    table(&[first, [second[0], 1], toc], "frame 1 is larger than its content can be");
    table(&[first, [second[0], second[1] - 512], toc], "the frames hold");
    let byte = |back: usize, byte: u8, what: &str| {
        let mut table = toc::seek_table(&[first, second, toc]);
        let at = table.len() - back;
        table[at] = byte;
        check_refused(&Forgery { seek_table: Some(table), ..honest.clone() }, what);
    };
    let table_bytes = 8 + 3 * 8 + 9;
    byte(table_bytes, 0, "the seek table does not begin where it should");
    byte(table_bytes - 4, 0, "the seek table does not begin where it should");
    // Number of frames, descriptor, magic number.
    byte(9, 2, "the seek table does not begin where it should");
    byte(7, 0x0F, "the seek table is larger than the blob");
    byte(6, 0xFF, "frames; there may be 1048576");
    byte(5, 0x80, "the seek table's descriptor is 0x80");
    byte(1, 0, "no seek table at its end");
}

#[test]
fn cut_short_or_followed_by_something() {
    let honest = Forgery::honest(FILES);
    let (bytes, expected) = (honest.bytes(), honest.expected());
    for end in 0..bytes.len() {
        check_bytes_refused(&bytes[..end], &expected, "");
    }
    let no_table = "is damaged or no blob: no seek table at its end";
    for end in [&b"x"[..], &[0; 100], &skippable(0x184D_2A50, b"x"), &bytes[..bytes.len() - 1]] {
        check_refused(&Forgery { end: end.to_vec(), ..honest.clone() }, no_table);
    }
    // Two blobs in one: the seek table does not reach the start.
    check_refused(&Forgery { end: bytes.clone(), ..honest.clone() }, "between the last frame and the seek table");
    for other in [&b""[..], b"x", &zstd::stream::encode_all(&b"abc"[..], 3).unwrap()] {
        check_bytes_refused(other, &expected, no_table);
    }
}

/// Whatever bit is wrong, what comes out is right or nothing.
#[test]
fn flipped_bits_change_nothing() {
    let honest = Forgery::honest(FILES);
    let (bytes, expected) = (honest.bytes(), honest.expected());
    let place = Place::with(FILES);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        place.write("blob", &flipped);
        if place.extract("back", expected).is_ok() {
            assert!(place.tree("run") == place.tree("back"), "byte {at}");
            fs_err::remove_dir_all(place.path("back")).unwrap();
        }
    }
    assert!(place.names().iter().all(|name| !name.starts_with('.')));
}

#[test]
fn a_blob_that_is_cut_while_it_is_read() {
    let place = varied();
    place.pack().unwrap();
    let pack = Pack::open(&place.path("blob")).unwrap();
    let mut reader = pack.reader(0..u64::MAX);
    reader.read_exact(&mut [0; 10]).unwrap();
    fs_err::OpenOptions::new().write(true).open(place.path("blob")).unwrap().set_len(100).unwrap();
    let error = reader.read_to_end(&mut Vec::new()).unwrap_err().to_string();
    assert!(error.ends_with("it has been cut short"), "{error}");
}

#[test]
fn a_disk_that_is_full_or_read_only() {
    let place = varied();
    let files = list_run(&place.path("run")).unwrap();
    let mut out = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = pack_run(&place.path("run"), &files, &mut out, &Monitor::default()).unwrap_err().to_string();
    assert!(error.contains("/dev/full"), "{error}");
}
