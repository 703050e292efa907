//! A bit flipped anywhere in a blob is found: by pull, which refuses it, and by verify.

use std::collections::BTreeSet;
use std::path::Path;

use data::remote::{FolderRemote, Options};
use data::transfer::{Damage, TransferError, Wanted, fetch_all};
use rs_core::digest::BlobId;
use rs_core::monitor::Monitor;
use rs_core::pack::{Packed, list_run, pack_run};
use rs_core::store::hash_file;
use serde::Deserialize;

use crate::project::{Project, record};
use crate::remotes::{Store, path_of};

const N_PLACES: usize = 1000;

/// The blob of a run folder with several files, of more than one frame.
fn blob(folder: &Path) -> (Packed, Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(5);
    for file in 0..4 {
        let text: Vec<u8> = std::iter::repeat_with(|| random.alphanumeric() as u8).take(40_000).collect();
        // Zeros take no room in the blob, and make it several frames.
        let text = [&text[..], &vec![b'0'; 5 << 20]].concat();
        fs_err::create_dir_all(folder.join("run/sub")).unwrap();
        fs_err::write(folder.join(format!("run/sub/{file}.ndjson")), text).unwrap();
    }
    let path = folder.join("blob");
    let mut out = fs_err::File::create(&path).unwrap();
    let run = folder.join("run");
    let packed = pack_run(&run, &list_run(&run).unwrap(), &mut out, &Monitor::default()).unwrap();
    (packed, fs_err::read(path).unwrap())
}

/// Different bits, spread at random; the first and the last are among them.
fn places(n_bytes: usize) -> BTreeSet<usize> {
    let mut random = fastrand::Rng::with_seed(6);
    let mut places = BTreeSet::from([0, n_bytes * 8 - 1]);
    while places.len() < N_PLACES {
        places.insert(random.usize(..n_bytes * 8));
    }
    places
}

#[test]
fn each_of_1000_bits_of_a_blob_is_found_by_fetching_and_by_hashing() {
    let folder = tempfile::tempdir().unwrap();
    let (packed, bytes) = blob(folder.path());
    assert_eq!(packed.size_bytes, bytes.len() as u64);
    let key: BlobId = packed.blob;
    let remote = folder.path().join("remote");
    let place = remote.join(path_of(&key));
    fs_err::create_dir_all(place.parent().unwrap()).unwrap();
    let wanted = [Wanted { key, size_bytes: packed.size_bytes, what: "cohort r12/M, run a".to_owned() }];
    let (store, monitor) = (Store::new(), Monitor::default());
    let fetch = || {
        let remote = FolderRemote::new(remote.clone());
        fetch_all(&remote, &wanted, &store, &Options::default(), &monitor).remove(0)
    };
    for bit in places(bytes.len()) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs_err::write(&place, &flipped).unwrap();
        assert_ne!(hash_file(&place, &monitor).unwrap(), key, "bit {bit}");
        let refused = fetch().unwrap_err();
        assert!(matches!(&refused, TransferError::Refused { damage: Damage::Hash { .. }, .. }), "bit {bit}: {refused}");
        assert!(!store.blob(&key).exists() && store.partial(&key).is_none(), "bit {bit}: something was kept");
    }
    fs_err::write(&place, &bytes).unwrap();
    fetch().unwrap();
    assert_eq!(store.read(&key).unwrap(), bytes);
}

/// The part of the documents `data.pull/1` and `data.verify/1` that is of interest here.
#[derive(Deserialize)]
struct Pulled {
    items: Vec<PulledRow>,
}

#[derive(Deserialize)]
struct PulledRow {
    failed: u64,
    fetch: u64,
}

#[derive(Deserialize)]
struct Verified {
    damaged: Vec<Damaged>,
}

#[derive(Deserialize)]
struct Damaged {
    what: String,
}

/// The same through the program, of which one run sees a thousand blobs, each with one bit flipped.
#[test]
fn a_bit_in_each_of_1000_blobs_is_found_by_pull_and_by_verify() {
    let project = Project::small();
    for run in 0..N_PLACES {
        project.write(&format!("data/set/M/m-{run:04}/a.ndjson"), record("m", &format!(",\"index\":{run}")));
    }
    project.remove("data/set/M/m-1");
    project.remove("data/set/M/m-2");
    project.remove("data/set/M/n-1");
    project.data(&["push", "cohort", "data/set/M"]).succeeds();
    let mut random = fastrand::Rng::with_seed(7);
    let mut flip = |store: &str| {
        for path in project.blobs(store).values() {
            let mut bytes = fs_err::read(path).unwrap();
            let bit = random.usize(..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs_err::write(path, bytes).unwrap();
        }
    };
    flip("data/.blobs");
    flip("remote");
    for remote in [&[][..], &["--remote"]] {
        let run = project.data(&[&["verify", "--format", "json"], remote].concat());
        assert_eq!(run.code, Some(1));
        let verified: Verified = run.document();
        let named: BTreeSet<&str> = verified.damaged.iter().map(|damaged| damaged.what.as_str()).collect();
        assert_eq!((verified.damaged.len(), named.len()), (N_PLACES, N_PLACES), "{remote:?}");
    }
    project.remove_untracked();
    let run = project.data(&["pull", "cohort", "data/set/M", "--format", "json"]);
    let pulled: Pulled = run.document();
    assert_eq!(run.code, Some(1));
    assert_eq!((pulled.items[0].fetch, pulled.items[0].failed), (0, N_PLACES as u64));
    // Each is named with its cohort, run, blob and remote.
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), N_PLACES);
    for line in lines {
        assert!(line.starts_with("cohort set/M, run m-") && line.contains("` of `remote` is refused: "), "{line}");
    }
    let tree = project.tree();
    let left: Vec<&str> = tree.paths().filter(|path| path.starts_with("data/set/M/")).collect();
    assert_eq!(left, ["data/set/M/", "data/set/M/evals.json"]);
    assert_eq!(project.blobs("data/.blobs").len(), 0);
}
