//! A PointsDB in a temporary folder, made of raw records.

use std::path::PathBuf;

use duckdb::Connection;
use rs_core::collect::{self, Collected, How, Input, Keep, Monitor, OnMalformed, SampleFile, Wanted};
use rs_core::eval_id::{EvalId, Identity};
use rs_core::reader::Codec;
use rs_pointsdb::builder::{Builder, EvalRow, Old, RawFileRow};
use rs_pointsdb::connection::{Limits, Size, open_to_read};

pub(crate) const LIMITS: Limits = Limits { threads: 1 };

/// Raw records and the database that is made of them.
pub(crate) struct Database {
    folder: tempfile::TempDir,
    /// What was counted, one for each model.
    pub(crate) collected: Vec<Collected>,
}

impl Database {
    /// The database of some records (each only the members after the identity) of some models.
    pub(crate) fn new(records: &[(&str, &[&str])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text: String = records
            .iter()
            .flat_map(|(model, records)| records.iter().map(move |members| line(model, members)))
            .collect();
        let raw = folder.path().join("a.ndjson");
        fs_err::write(&raw, &text).unwrap();
        let wanted: Vec<Wanted> =
            records.iter().map(|(model, _)| Wanted { identity: identity(model), context_tokens: None }).collect();
        let input = Input {
            path: raw,
            codec: Codec::Plain,
            size_bytes: text.len() as u64,
            origin: rs_core::origin::Origin::File,
            evaluations: (0..wanted.len()).collect(),
        };
        let monitor = Monitor::default();
        let collection = collect::collect(
            &wanted,
            &[input],
            How { keep: Keep::Points, on_malformed: OnMalformed::Continue, examiner: None, cache: None },
            &monitor,
        )
        .unwrap();
        assert_eq!(collection.diagnostics, []);
        let database = Self { folder, collected: collection.evaluations };
        let mut builder = Builder::create(&database.path(), Old::Ignored, Size::Usual).unwrap();
        for ((model, _), collected) in records.iter().zip(&database.collected) {
            let file =
                |file: &SampleFile| RawFileRow { file: file.file, path: "a.ndjson".into(), marks: file.marks.clone() };
            let row = EvalRow { files: collected.files.iter().map(file).collect(), ..eval_row(model) };
            builder.append([(row, collected.points.as_slice())], || {}).unwrap();
        }
        builder.finish(&[("schema_version", "1".to_owned())]).unwrap();
        database
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("x.db")
    }

    pub(crate) fn open(&self) -> Connection {
        open_to_read(&self.path(), LIMITS).unwrap()
    }

    /// The files beside the database, hidden ones too, sorted.
    pub(crate) fn files(&self) -> Vec<String> {
        let items = fs_err::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn line(model: &str, members: &str) -> String {
    format!(
        "{{\"model\":\"{model}\",\"template\":\"t\",\"sampler\":\"s\",\"params\":{{}},\"correct\":true,{members}}}\n"
    )
}

pub(crate) fn identity(model: &str) -> Identity {
    Identity { model: model.into(), template: "t".into(), sampler: "s".into() }
}

pub(crate) fn eval_row(model: &str) -> EvalRow {
    EvalRow {
        eval_id: EvalId::new(&identity(model), None),
        identity: identity(model),
        context_tokens: None,
        label: format!("It's {model}"),
        hf_id: None,
        groups: vec!["arch:moe".into(), "plain".into()],
        tags: Vec::new(),
        cohort: None,
        n_files: 1,
        source_bytes: 2,
        n_records: 3,
        n_duplicates: 4,
        n_errors: 5,
        n_malformed: 6,
        n_foreign: 7,
        first_timestamp: Some(0),
        last_timestamp: None,
        fingerprint: "f".into(),
        files: Vec::new(),
    }
}

/// Everything that a query gives, as texts; `NULL` for what is none.
#[track_caller]
pub(crate) fn texts(connection: &Connection, sql: &str) -> Vec<Vec<String>> {
    let mut statement = connection.prepare(&format!("SELECT COLUMNS(*)::VARCHAR FROM ({sql})")).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let n_columns = row.as_ref().column_count();
        let text = |at| row.get::<_, Option<String>>(at).unwrap().unwrap_or_else(|| "NULL".to_owned());
        found.push((0..n_columns).map(text).collect());
    }
    found
}
