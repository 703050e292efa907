//! Degenerate repetition: where a text begins to say the same thing over and over.

use hashbrown::HashMap;

/// Characters that must stand twice before anybody looks closer.
const SEED_CHARS: usize = 16;

/// A stretch of a text that is one phrase again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loop {
    /// Where it begins, in characters.
    pub(crate) start_chars: usize,
    /// Where it begins, in bytes.
    pub(crate) start_bytes: usize,
    /// Its length, in characters.
    pub(crate) n_chars: usize,
    /// The phrase, as it stands there first.
    pub(crate) phrase: String,
    /// How often the whole phrase stands there.
    pub(crate) n_times: usize,
}

/// What counts as a loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Least {
    /// Times that the phrase must stand there.
    pub(crate) n_times: usize,
    /// Characters that all of them must have together.
    pub(crate) n_chars: usize,
}

/// The longest loop of a text, the first of several equally long.
///
/// A stretch of period `p` is one in which each character equals the one `p` before it. Periods are guessed from places
/// where [`SEED_CHARS`] characters stand a second time, and then compared character by character: what is found is a
/// loop, and one whose phrase repeats nothing of itself is not missed.
pub(crate) fn longest_loop(text: &str, least: Least) -> Option<Loop> {
    let chars: Vec<char> = text.chars().collect();
    let mut last_seen: HashMap<&[char], usize> = HashMap::new();
    // The period compared last, and how far it held.
    let mut tried = (0, 0);
    let mut best: Option<(usize, usize, usize)> = None;
    let mut at = 0;
    while at + SEED_CHARS <= chars.len() {
        let before = last_seen.insert(&chars[at..at + SEED_CHARS], at);
        let period = before.map_or(0, |before| at - before);
        if period == 0 || tried.0 == period && at < tried.1 {
            at += 1;
            continue;
        }
        let held = chars[at..].iter().zip(&chars[at - period..]).take_while(|(a, b)| a == b).count();
        let end = at + held;
        // A phrase that repeats something of itself is guessed late.
        let before =
            chars[..at - period].iter().rev().zip(chars[..at].iter().rev()).take_while(|(a, b)| a == b).count();
        let start = at - period - before;
        tried = (period, end);
        let is_loop = (end - start) / period >= least.n_times && end - start >= least.n_chars;
        if is_loop && best.is_none_or(|(_, length, _)| end - start > length) {
            best = Some((start, end - start, period));
        }
        // Inside a loop there is nothing else to be found.
        at = if is_loop { end } else { at + 1 };
    }
    let (start, length, period) = best?;
    let skipped = to_word(&chars[..start + length], start, length % period);
    let (start, length) = (start + skipped, length - skipped);
    Some(Loop {
        start_chars: start,
        start_bytes: chars[..start].iter().map(|character| character.len_utf8()).sum(),
        n_chars: length,
        phrase: chars[start..start + period].iter().collect(),
        n_times: length / period,
    })
}

/// How many characters stand before the first word that begins at `start` or at most `room` behind it: what comes before a
/// loop often ends as its phrase does. 0 if none begins there.
fn to_word(chars: &[char], start: usize, room: usize) -> usize {
    let begins_word = |at: usize| at == 0 || chars[at - 1].is_whitespace() && !chars[at].is_whitespace();
    (0..=room).find(|skipped| begins_word(start + skipped)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEAST: Least = Least { n_times: 4, n_chars: 40 };

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, usize)>) {
        let found = longest_loop(text, LEAST);
        let shown = found.as_ref().map(|found| (&text[..found.start_bytes], found.phrase.as_str(), found.n_times));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn loops_are_found_where_they_begin() {
        check("", None);
        check("Nothing here is said more than once, as far as anybody can tell.", None);
        let looped = format!("It began well. {}", "Wait, let me check again. ".repeat(6));
        check(&looped, Some(("It began well. ", "Wait, let me check again. ", 6)));
        let cut = &looped[..looped.len() - 5];
        check(cut, Some(("It began well. ", "Wait, let me check again. ", 5)));
        let and_then = format!("{looped}And then it ended with an answer.");
        check(&and_then, Some(("It began well. ", "Wait, let me check again. ", 6)));
        check(&format!("so{}", "!".repeat(60)), Some(("so", "!", 60)));
        check(&format!("é{}", "等一下，再检查一遍。".repeat(8)), Some(("é", "等一下，再检查一遍。", 8)));
    }

    #[test]
    fn short_or_rare_repetition_is_none() {
        check(&"ab".repeat(19), None);
        check(&"A sentence of some length that stands here thrice. ".repeat(3), None);
    }

    /// The phrase repeats itself inside.
    #[test]
    fn loops_in_loops() {
        let phrase = "The answer is 4. The answer is 4. No, that is wrong. ";
        let found = longest_loop(&phrase.repeat(10), LEAST).expect("is there");
        assert_eq!((found.phrase.chars().count(), found.n_times), (phrase.len(), 10));
    }

    proptest! {
        #[test]
        fn what_is_found_is_a_loop(
            head in "[a-c ]{0,40}",
            phrase in "[a-c é]{1,30}",
            n_times in 0_usize..12,
            tail in "[a-c ]{0,40}",
        ) {
            let text = format!("{head}{}{tail}", phrase.repeat(n_times));
            let Some(found) = longest_loop(&text, LEAST) else { return Ok(()) };
            prop_assert!(found.n_times >= 4 && found.n_chars >= 40);
            let stretch: String = text[found.start_bytes..].chars().take(found.n_chars).collect();
            let repeated: String = found.phrase.chars().cycle().take(found.n_chars).collect();
            prop_assert_eq!(stretch, repeated);
            prop_assert_eq!(text[..found.start_bytes].chars().count(), found.start_chars);
        }

        #[test]
        fn a_loop_is_found(phrase in "[a-z ]{20,200}", n_times in 4_usize..8) {
            let text = format!("0123{}", phrase.repeat(n_times));
            let found = longest_loop(&text, LEAST);
            prop_assert!(found.is_some());
        }
    }
}
