//! `--format` and `--output`: a report on screens of any width, for documents and machines, and in files.

use std::path::PathBuf;

use rs_cli::{Cell, Column, CommonArgs, Format, OutputArgs, Report, Screen, Table};
use serde::Serialize;

use crate::screen::Seen;

/// A report of two tables.
#[derive(Serialize)]
struct Zoo {
    schema: &'static str,
    animals: Vec<Animal>,
}

#[derive(Serialize)]
struct Animal {
    name: &'static str,
    weight: Option<f64>,
}

const EMPTY: Zoo = Zoo { schema: "test.zoo/1", animals: Vec::new() };

fn zoo() -> Zoo {
    let animals = vec![
        Animal { name: "Elephant of a long name", weight: Some(5412.345) },
        Animal { name: "Mouse, \"small\"", weight: Some(0.02) },
        Animal { name: "Unicorn | Pegasus", weight: None },
    ];
    Zoo { animals, ..EMPTY }
}

impl Report for Zoo {
    fn tables(&self) -> Vec<Table> {
        let columns = || vec![Column::elastic("name", 8), Column::fixed("weight"), Column::fixed("letters").rank(1)];
        let (mut animals, mut letters) =
            (Table::new(columns()), Table::new(vec![Column::fixed("letters")]).titled("Letters"));
        for animal in &self.animals {
            let n_letters = animal.name.len() as u64;
            animals.rows.push(vec![
                Cell::Text(animal.name.to_owned()),
                Cell::option(animal.weight, |weight| Cell::Number(weight, 1)),
                Cell::Count(n_letters),
            ]);
            letters.rows.push(vec![Cell::Count(n_letters * 1000)]);
        }
        vec![animals, letters]
    }
}

/// What is printed, and what is said beside it.
#[track_caller]
fn print(report: &Zoo, format: Format, width: Option<usize>) -> String {
    let seen = Seen::default();
    let arguments = OutputArgs { format, output: None };
    arguments.print(&mut seen.ui(Screen { width, ..Screen::default() }, &CommonArgs::default()), report).unwrap();
    format!("{}-----\n{}", seen.out(), seen.err())
}

#[test]
fn for_people() {
    insta::assert_snapshot!(print(&zoo(), Format::Table, None), @r#"
    name                      weight  letters
    Elephant of a long name  5,412.3       23
    Mouse, "small"               0.0       14
    Unicorn | Pegasus                      17

    Letters
    letters
     23,000
     14,000
     17,000
    -----
    "#);
    insta::assert_snapshot!(print(&zoo(), Format::Table, Some(35)), @r#"
    name                      weight
    Elephant of a long name  5,412.3
    Mouse, "small"               0.0
    Unicorn | Pegasus

    Letters
    letters
     23,000
     14,000
     17,000
    -----
    note: too narrow for `letters`; a wider terminal or `--format json` shows all
    "#);
    insta::assert_snapshot!(print(&zoo(), Format::Table, Some(20)), @r#"
    name          weight
    Elephant o…  5,412.3
    Mouse, "sm…      0.0
    Unicorn | …

    Letters
    letters
     23,000
     14,000
     17,000
    -----
    note: too narrow for `letters`, and for all of `name`; a wider terminal or `--format json` shows all
    "#);
    insta::assert_snapshot!(print(&EMPTY, Format::Table, Some(10)), @"
    name  weight

    Letters
    letters
    -----
    ");
}

#[test]
fn for_documents_and_machines() {
    // However wide the screen is.
    insta::assert_snapshot!(print(&zoo(), Format::Markdown, Some(20)), @r#"
    | name | weight | letters |
    | --- | ---: | ---: |
    | Elephant of a long name | 5,412.3 | 23 |
    | Mouse, "small" | 0.0 | 14 |
    | Unicorn \| Pegasus |  | 17 |

    **Letters**

    | letters |
    | ---: |
    | 23,000 |
    | 14,000 |
    | 17,000 |
    -----
    "#);
    insta::assert_snapshot!(print(&zoo(), Format::Csv, Some(20)), @r#"
    name,weight,letters
    Elephant of a long name,5412.345,23
    "Mouse, ""small""",0.02,14
    Unicorn | Pegasus,,17
    -----
    "#);
    insta::assert_snapshot!(print(&zoo(), Format::Json, Some(20)), @r#"
    {
      "schema": "test.zoo/1",
      "animals": [
        {
          "name": "Elephant of a long name",
          "weight": 5412.345
        },
        {
          "name": "Mouse, \"small\"",
          "weight": 0.02
        },
        {
          "name": "Unicorn | Pegasus",
          "weight": null
        }
      ]
    }
    -----
    "#);
    insta::assert_snapshot!(print(&EMPTY, Format::Csv, None), @"
    name,weight,letters
    -----
    ");
}

#[test]
fn a_file_is_as_wide_as_needed_and_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("zoo.txt");
    let arguments = OutputArgs { format: Format::Table, output: Some(path.clone()) };
    for _ in 0..2 {
        let seen = Seen::default();
        let mut ui = seen.ui(Screen { width: Some(20), ..Screen::default() }, &CommonArgs::default());
        arguments.check().unwrap();
        arguments.print(&mut ui, &zoo()).unwrap();
        assert_eq!((seen.out(), seen.err()), (String::new(), String::new()));
    }
    let text = fs_err::read_to_string(&path).unwrap();
    assert_eq!(text + "-----\n", print(&zoo(), Format::Table, None));
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_cannot_be_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let check = |output: &str| OutputArgs { format: Format::Table, output: Some(folder.path().join(output)) }.check();
    let shown = |error: rs_cli::CommandError| error.to_string().replace(&folder.path().display().to_string(), "[DIR]");
    insta::assert_snapshot!(shown(check("none/zoo.txt").unwrap_err()), @"
    error: no folder `[DIR]/none` to write `[DIR]/none/zoo.txt` in
    hint: mkdir -p [DIR]/none
    ");
    insta::assert_snapshot!(shown(check("").unwrap_err()), @"error: `[DIR]/` is a folder; --output needs the name of a file");
    insta::assert_snapshot!(shown(check("..").unwrap_err()), @"error: `[DIR]/..` is a folder; --output needs the name of a file");
    check("zoo.txt").unwrap();
    OutputArgs::default().check().unwrap();
}
