//! `data remote`: the places that blobs are pushed to and pulled from.

use serde::Deserialize;

use crate::project::{Project, check_same};

/// The document `data.remotes/1`, by its own definition: a key that is not here is a change of the format.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remotes {
    schema: String,
    remotes: Vec<Row>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    url: String,
}

#[test]
fn added_changed_listed_and_removed() {
    let project = Project::empty();
    project.write("data/x", "");
    insta::assert_snapshot!(project.data(&["remote", "list"]), @"
    exit code 0
    ----- stdout
    remote  url
    ");
    insta::assert_snapshot!(project.data(&["remote", "add", "origin", "../blobs"]), @"
    exit code 0
    ----- stderr
    note: `origin` is now ../blobs, the folder `blobs`; `data remote test origin` tries it
    ");
    insta::assert_snapshot!(project.data(&["remote", "add", "cloud", "s3://bucket/x?region=eu-central-1"]), @"
    exit code 0
    ----- stderr
    note: `cloud` is now s3://bucket/x?region=eu-central-1; `data remote test cloud` tries it
    ");
    insta::assert_snapshot!(project.data(&["remote", "add", "origin", "../other"]), @"
    exit code 0
    ----- stderr
    note: `origin` is now ../other, the folder `other`; `data remote test origin` tries it
    ");
    insta::assert_snapshot!(project.data(&["remote", "list"]), @"
    exit code 0
    ----- stdout
    remote  url
    cloud   s3://bucket/x?region=eu-central-1
    origin  ../other
    ");
    let remotes: Remotes = project.document(&["remote", "list"]);
    let row = |name: &str, url: &str| Row { name: name.to_owned(), url: url.to_owned() };
    assert_eq!(remotes.schema, "data.remotes/1");
    assert_eq!(remotes.remotes, [row("cloud", "s3://bucket/x?region=eu-central-1"), row("origin", "../other")]);
    insta::assert_snapshot!(project.data(&["remote", "remove", "cloud"]), @"exit code 0");
    insta::assert_snapshot!(fs_err::read_to_string(project.path("data/manifest.json")).unwrap(), @r#"
    {
    "databases":{},
    "evals":{},
    "remotes":{
    "origin":{"url":"../other"}
    },
    "version":1
    }
    "#);
    // From elsewhere.
    insta::assert_snapshot!(project.data_in("data", &["remote", "list", "--data", "."]), @"
    exit code 0
    ----- stdout
    remote  url
    origin  ../other
    ");
}

#[test]
fn tried() {
    let project = Project::small();
    insta::assert_snapshot!(project.shown(project.data(&["remote", "test"])), @"
    exit code 3
    ----- stderr
    error: `remote` is not there
    ");
    project.data(&["push", "cohort", "data/set/N"]).succeeds();
    let before = project.tree();
    insta::assert_snapshot!(project.shown(project.data(&["remote", "test", "origin"])), @"
    exit code 0
    ----- stdout
    origin (remote)
    read yes, write yes, list yes
    ");
    check_same("nothing is left behind", &project.tree(), &before);
    project.data(&["remote", "add", "web", "http://127.0.0.1:9/blobs"]).succeeds();
    insta::assert_snapshot!(project.data(&["remote", "test", "web"]), @"
    exit code 3
    ----- stderr
    error: `http://127.0.0.1:9/blobs/`: nobody listens there: connection refused
    ");
}

#[test]
fn wrong_input() {
    let project = Project::small();
    let before = project.tree();
    let remote = |arguments: &[&str]| project.shown(project.data(&[&["remote"], arguments].concat()));
    insta::assert_snapshot!(remote(&["add", "a b", "../x"]), @"
    exit code 2
    ----- stderr
    error: `a b` cannot be a remote's name: letters, digits, `-`, `_` and `.` are
    ");
    insta::assert_snapshot!(remote(&["add", "../x", "../x"]), @"
    exit code 2
    ----- stderr
    error: `../x` cannot be a remote's name: letters, digits, `-`, `_` and `.` are
    ");
    insta::assert_snapshot!(remote(&["add", "x", ""]), @"
    exit code 2
    ----- stderr
    error: the remote's URL is empty: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`
    ");
    insta::assert_snapshot!(remote(&["add", "x", "ftp://host/x"]), @"
    exit code 2
    ----- stderr
    error: `ftp:` is no kind of remote: give a folder, `file:`, `http://`, `https://` or `s3://bucket/prefix`
    ");
    insta::assert_snapshot!(remote(&["add", "x", "https://user:secret@host/x"]), @"
    exit code 2
    ----- stderr
    error: `https://host/x` holds a name or a password; URLs of remotes are for everybody who has the project: use a server that needs none, or `s3://`
    ");
    insta::assert_snapshot!(remote(&["add", "x"]), @"
    exit code 2
    ----- stderr
    error: the following required arguments were not provided:
      <URL>

    Usage: data remote add <NAME> <URL>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(remote(&["remove", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(remote(&["test", "orgin"]), @"
    exit code 2
    ----- stderr
    error: no remote `orgin` in data/manifest.json
    hint: did you mean `origin`?
    ");
    insta::assert_snapshot!(remote(&["list", "--data", "nowhere"]), @"
    exit code 2
    ----- stderr
    error: no folder `nowhere`
    hint: name the folder of the manifest with `--data DIR`
    ");
    check_same("nothing was done", &project.tree(), &before);
    project.data(&["remote", "add", "second", "../second"]).succeeds();
    project.data(&["remote", "add", "third", "../third"]).succeeds();
    project.data(&["remote", "remove", "origin"]).succeeds();
    insta::assert_snapshot!(remote(&["test"]), @"
    exit code 2
    ----- stderr
    error: which remote? There are second, third
    hint: --remote second
    ");
}

#[test]
fn the_store_is_no_remote_of_itself() {
    let project = Project::pushed();
    std::os::unix::fs::symlink("data/.blobs", project.path("link")).unwrap();
    let before = project.tree();
    for url in [
        ".blobs",
        "../data/.blobs/",
        "../data/set/../.blobs/below",
        "../link",
        &project.path("link").display().to_string(),
    ] {
        let run = project.data(&["remote", "add", "own", url]);
        assert!(run.code == Some(2) && run.stderr.contains("is the local store"), "{url}: {run}");
    }
    check_same("nothing was done", &project.tree(), &before);
    // Whoever wrote it into the manifest by hand.
    let manifest = fs_err::read_to_string(project.path("data/manifest.json")).unwrap();
    project.write("data/manifest.json", manifest.replace("../remote", "../link"));
    for command in [&["gc", "--drop-extracted"][..], &["push", "cohort", "data/set/N"], &["remote", "test"]] {
        let run = project.data(command);
        assert!(run.code == Some(2) && run.stderr.contains("is the local store"), "{run}");
    }
}
