//! Blocks of commands in a document, each command followed by what it prints.
//!
//! A block begins with "```console", and its commands run on the fixtures. Those of "```console real" run on the real
//! data; those of "```console example" do not run.

use std::error::Error;

/// What commands run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    Fixtures,
    Real,
}

/// Why the commands of a document cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsoleError {
    /// The block says something else after `console`.
    #[error("{document}:{line}: `{label}` is no kind of block; write `real`, `example` or nothing")]
    UnknownKind { document: String, line: usize, label: String },
    /// Something stands before the first command.
    #[error("{document}:{line}: a block begins with a command, like `$ analyze ...`")]
    NoCommand { document: String, line: usize },
    /// A command failed.
    #[error("{document}:{line}: `{command}`")]
    Command {
        document: String,
        line: usize,
        command: String,
        #[source]
        source: Box<dyn Error>,
    },
}

/// The document's text with what its commands print now. `run` returns `None` for a command that cannot be run here: what
/// the document says that it prints stays.
///
/// # Errors
///
/// If a block cannot be read, or `run` fails.
pub(crate) fn refreshed(
    document: &str,
    text: &str,
    mut run: impl FnMut(Data, &str) -> Result<Option<String>, Box<dyn Error>>,
) -> Result<String, ConsoleError> {
    let mut fresh = String::with_capacity(text.len());
    let mut keep = |line: &str| {
        fresh.push_str(line);
        fresh.push('\n');
    };
    let mut lines = (1..).zip(text.lines()).peekable();
    while let Some((number, line)) = lines.next() {
        keep(line);
        let Some(label) = line.strip_prefix("```console").map(str::trim) else { continue };
        let data = match label {
            "" => Data::Fixtures,
            "real" => Data::Real,
            "example" => continue,
            _ => {
                let (document, label) = (document.to_owned(), label.to_owned());
                return Err(ConsoleError::UnknownKind { document, line: number, label });
            }
        };
        while let Some((number, line)) = lines.next_if(|(_, line)| *line != "```") {
            let Some(command) = line.strip_prefix("$ ") else {
                return Err(ConsoleError::NoCommand { document: document.to_owned(), line: number });
            };
            keep(line);
            let printed = run(data, command).map_err(|source| {
                let (document, command) = (document.to_owned(), command.to_owned());
                ConsoleError::Command { document, line: number, command, source }
            })?;
            for line in printed.iter().flat_map(|printed| printed.lines()) {
                keep(line);
            }
            while let Some((_, line)) = lines.next_if(|(_, line)| *line != "```" && !line.starts_with("$ ")) {
                if printed.is_none() {
                    keep(line);
                }
            }
        }
    }
    Ok(fresh)
}

#[cfg(test)]
mod tests {
    use super::{Data, refreshed};

    /// Prints the command back, on two lines; there is no real data.
    fn echo(data: Data, command: &str) -> Result<Option<String>, Box<dyn std::error::Error>> {
        match (data, command) {
            (_, "fail") => Err("no".into()),
            (Data::Fixtures, _) => Ok(Some(format!("{command}\n\nso\n"))),
            (Data::Real, _) => Ok(None),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = refreshed("a.md", text, echo).unwrap_or_else(|error| error.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_printed_takes_the_place_of_what_was() {
        check("a\n```console\n$ b\nold\n$ c\n```\nd\n", "a\n```console\n$ b\nb\n\nso\n$ c\nc\n\nso\n```\nd\n");
    }

    #[test]
    fn what_does_not_run_stays() {
        for text in ["```console real\n$ b\nold\n```\n", "```console example\n# x\n$ fail\n```\n", "```sh\n$ b\n```\n"]
        {
            check(text, text);
        }
    }

    #[test]
    fn mistakes_name_their_line() {
        check("\n```console\n$ fail\n```\n", "a.md:3: `fail`");
        check("```console\nb\n```\n", "a.md:2: a block begins with a command, like `$ analyze ...`");
        check("```console reel\n", "a.md:1: `reel` is no kind of block; write `real`, `example` or nothing");
    }
}
