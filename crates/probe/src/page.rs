//! Records as people read them: on a screen, and in a document.

use unicode_width::UnicodeWidthStr;

use crate::output::{Extent, SampleDocument, plain, prompt_text};
use crate::records::Found;

/// Columns of a page where nobody tells how wide the screen is.
const USUAL_WIDTH: usize = 80;
/// Lines longer than this tire the eye, however wide the screen is.
const MOST_WIDTH: usize = 100;
/// Columns of a page that has no more room.
const LEAST_WIDTH: usize = 20;

/// Characters of a long text that are shown at its beginning, and at its end.
const SHOWN_CHARS: usize = 1000;

/// Blanks between two columns side by side.
const GAP: usize = 2;

/// Columns of a page on a screen.
pub(crate) fn width(screen: Option<usize>) -> usize {
    screen.unwrap_or(USUAL_WIDTH).clamp(LEAST_WIDTH, MOST_WIDTH)
}

/// `name ─────`, as wide as the page.
pub(crate) fn heading(name: &str, width: usize) -> String {
    let rule = width.saturating_sub(name.width() + 1);
    format!("{name} {}\n", "─".repeat(rule))
}

/// A text that is too long, without its middle.
fn shortened(text: &str, extent: Extent) -> String {
    let n_chars = text.chars().count();
    // What is cut must be worth the line that tells of it.
    if extent == Extent::Full || n_chars <= 2 * SHOWN_CHARS + SHOWN_CHARS / 5 {
        return text.to_owned();
    }
    let nth = |n: usize| text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
    let (head, tail) = (&text[..nth(SHOWN_CHARS)], &text[nth(n_chars - SHOWN_CHARS)..]);
    let cut = rs_cli::Cell::Count((n_chars - 2 * SHOWN_CHARS) as u64).for_people();
    format!("{head}\n\n[… {cut} of {} characters cut; --full shows them …]\n\n{tail}", {
        rs_cli::Cell::Count(n_chars as u64).for_people()
    })
}

/// The lines of a text on a page of this width.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    let options = textwrap::Options::new(width);
    text.trim_end()
        .split('\n')
        .flat_map(|line| textwrap::wrap(line, &options))
        .map(|line| line.trim_end().into())
        .collect()
}

/// What a sample has to say, by name: parts that it lacks are left out.
pub(crate) fn parts(sample: &SampleDocument) -> Vec<(&'static str, String)> {
    let parts = [
        ("prompt", sample.prompt.as_deref().map(prompt_text)),
        ("reasoning", sample.reasoning.clone()),
        ("response", sample.response.clone()),
        ("answer", sample.answer.as_deref().map(plain)),
        ("reference", sample.reference.as_deref().map(plain)),
    ];
    parts.into_iter().filter_map(|(name, text)| Some((name, text.filter(|text| !text.is_empty())?))).collect()
}

/// `seed 1, index 4, repetition 2`.
fn sample_name(found: &Found) -> String {
    let row = &found.row;
    let names = [
        row.seed.map(|seed| format!("seed {seed}")),
        row.index.map(|index| format!("index {index}")),
        (row.repeat > 0).then(|| format!("repetition {}", row.repeat)),
    ];
    names.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Which question a sample is of.
pub(crate) fn question(found: &Found) -> String {
    format!("{} {}", found.row.base_task, found.row.params)
        + &match sample_name(found) {
            name if name.is_empty() => name,
            name => format!(" ({name})"),
        }
}

/// Tokens and compression: `8,192 tokens, compressed to 8.1 % of 29,313 bytes`.
pub(crate) fn measures(sample: &SampleDocument) -> String {
    let count = |count: u64| rs_cli::Cell::Count(count).for_people();
    let bytes = match sample.compressed_bytes {
        Some(compressed) if sample.trace_bytes > 0 => {
            let ratio = f64::from(compressed) / f64::from(sample.trace_bytes);
            format!("compressed to {ratio:.3} of {} bytes", count(sample.trace_bytes.into()))
        }
        _ => format!("{} bytes", count(sample.trace_bytes.into())),
    };
    match sample.completion_tokens {
        Some(tokens) => format!("{} tokens, {bytes}", count(tokens.into())),
        None => bytes,
    }
}

/// A page for a screen.
pub(crate) fn text(title: &str, found: &Found, width: usize, extent: Extent) -> String {
    let sample = SampleDocument::from(found);
    let mut page = heading(&format!("━━ {title}"), width);
    for line in [question(found), found.place(), format!("{} ({})", found.row.label, found.row.eval_id)] {
        // Places are copied: they are not broken, whatever the width.
        page.push_str(&line);
        page.push('\n');
    }
    page.push_str(&measures(&sample));
    page.push_str("\n\n");
    if let Some(problem) = &sample.problem {
        page.push_str(&wrapped(&format!("The record is not shown: {problem}."), width).join("\n"));
        page.push_str("\n\n");
    }
    for (name, text) in parts(&sample) {
        page.push_str(&heading(name, width));
        page.push_str(&wrapped(&shortened(&text, extent), width).join("\n"));
        page.push_str("\n\n");
    }
    page
}

/// The same for a document.
pub(crate) fn markdown(title: &str, found: &Found, extent: Extent) -> String {
    let sample = SampleDocument::from(found);
    let mut page = format!("## {title}\n\n{}\n\n", list(found, &sample));
    for (name, text) in parts(&sample) {
        page.push_str(&format!("### {}\n\n{}\n\n", capitalised(name), fenced(&shortened(&text, extent))));
    }
    page
}

fn list(found: &Found, sample: &SampleDocument) -> String {
    let mut items =
        vec![question(found), found.place(), format!("{} ({})", found.row.label, found.row.eval_id), measures(sample)];
    items.extend(sample.problem.as_ref().map(|problem| format!("The record is not shown: {problem}.")));
    items.iter().map(|item| format!("- {}", code(item))).collect::<Vec<_>>().join("\n")
}

/// What could be taken for markup, as code.
fn code(text: &str) -> String {
    let is_markup = text.contains(['*', '_', '[', '<', '`', '{', '#', '|']);
    if is_markup && !text.contains('`') { format!("`{text}`") } else { text.to_owned() }
}

/// A text that is not to be taken for markup, whatever is in it.
pub(crate) fn fenced(text: &str) -> String {
    let longest = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

pub(crate) fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A text over the whole width.
pub(crate) fn whole(text: &str, width: usize, extent: Extent) -> String {
    wrapped(&shortened(text, extent), width).join("\n") + "\n"
}

/// Two texts beside each other.
pub(crate) fn side_by_side(left: &str, right: &str, width: usize, extent: Extent) -> String {
    let column = (width - GAP) / 2;
    let [left, right] = [left, right].map(|text| wrapped(&shortened(text, extent), column));
    let empty = String::new();
    let mut page = String::new();
    for at in 0..left.len().max(right.len()) {
        let (left, right) = (left.get(at).unwrap_or(&empty), right.get(at).unwrap_or(&empty));
        let blanks = (column + GAP).saturating_sub(left.width());
        page.push_str(format!("{left}{}{right}", " ".repeat(blanks)).trim_end());
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_lose_their_middle() {
        let text = "é".repeat(10_000);
        let cut = shortened(&text, Extent::Ends);
        assert!(cut.contains("\n\n[… 8,000 of 10,000 characters cut; --full shows them …]\n\n"), "{cut}");
        assert_eq!(cut.chars().filter(|character| *character == 'é').count(), 2 * SHOWN_CHARS);
        assert_eq!(shortened(&text, Extent::Full), text);
        let text = "x".repeat(2 * SHOWN_CHARS + 1);
        assert_eq!(shortened(&text, Extent::Ends), text);
    }

    #[test]
    fn lines_are_wrapped_by_width() {
        assert_eq!(wrapped("a b c\r\n\r\n  d\te\n", 5), ["a b c", "", "  d", "e"]);
        assert_eq!(wrapped("模型模型", 4), ["模型", "模型"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn columns_stand_beside_each_other() {
        assert_eq!(side_by_side("a b\nc", "模型 x", 8, Extent::Full), "a b  模\nc    型\n     x\n");
    }

    #[test]
    fn fences_are_longer_than_any_in_the_text() {
        assert_eq!(fenced("a\n"), "```text\na\n```");
        assert_eq!(fenced("```x```"), "````text\n```x```\n````");
    }
}
