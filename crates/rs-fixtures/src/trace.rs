//! The words of a trace: working over the actual problem, with the restatements, doubts and second passes of a model
//! that thinks aloud; in circles where it never finds out.

use crate::evaluation::Voice;
use crate::question::Question;
use crate::random::Random;
use crate::task::push_display;

/// How a trace ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending<'a> {
    /// In this conclusion.
    Concludes(&'a str),
    /// Without one.
    GivesUp,
    /// In the middle of a circle.
    Circles,
    /// In the middle of a sentence.
    BreaksOff,
}

/// What a trace is about and how long it may be.
#[derive(Debug)]
pub(crate) struct Brief<'a> {
    pub(crate) question: &'a Question,
    pub(crate) voice: Voice,
    pub(crate) ending: Ending<'a>,
    /// Bytes of text, met to within a sentence; to the byte where the trace breaks off.
    pub(crate) target_bytes: usize,
}

/// Appends a trace to `out`.
pub(crate) fn write_trace(out: &mut String, brief: &Brief<'_>, random: &mut Random) {
    let mut writer = TraceWriter { start: out.len(), out, brief, random };
    writer.opening();
    match brief.ending {
        Ending::Concludes(answer) => {
            writer.passes(brief.target_bytes);
            writer.conclusion(answer);
        }
        Ending::GivesUp => {
            writer.passes(brief.target_bytes);
            let sentence = writer.random.pick(SURRENDERS);
            writer.out.push_str(sentence);
        }
        Ending::Circles => {
            writer.passes(brief.target_bytes * 2 / 5);
            writer.circles();
            writer.cut();
        }
        Ending::BreaksOff => {
            writer.passes(brief.target_bytes + 100);
            writer.cut();
        }
    }
}

struct TraceWriter<'a> {
    out: &'a mut String,
    start: usize,
    brief: &'a Brief<'a>,
    random: &'a mut Random,
}

/// Bytes of a sentence about a step, besides the step.
const SENTENCE_BYTES: usize = 34;

impl TraceWriter<'_> {
    fn written(&self) -> usize {
        self.out.len() - self.start
    }

    fn opening(&mut self) {
        let openings = match self.brief.voice {
            Voice::Qwen => QWEN_OPENINGS,
            Voice::GptOss => GPT_OSS_OPENINGS,
            Voice::Seed => SEED_OPENINGS,
            Voice::Nemotron => NEMOTRON_OPENINGS,
        };
        self.out.push_str(self.random.pick(openings));
        if self.brief.target_bytes > 300 {
            self.quote();
        }
        self.paragraph();
    }

    /// Goes through the steps, again and again, until `target` bytes are there.
    fn passes(&mut self, target: usize) {
        let mut pass = 0;
        loop {
            if pass > 0 {
                self.out.push_str(self.random.pick(PASS_LEADS));
                self.out.push(' ');
            }
            self.pass(target, pass);
            pass += 1;
            if self.written() + 80 >= target {
                return;
            }
            self.paragraph();
        }
    }

    /// Goes through the steps once, leaving out the middle where there is no room for all of them.
    fn pass(&mut self, target: usize, pass: usize) {
        let steps = &self.brief.question.steps;
        let n_bytes: usize = steps.iter().map(|step| step.len() + SENTENCE_BYTES).sum();
        let room = target.saturating_sub(self.written());
        let mean = n_bytes / steps.len();
        let (head, tail) = if n_bytes <= room {
            (steps.len(), steps.len())
        } else {
            // At least one step; the rest of the room goes half to the first and half to the last ones.
            let fitting = (room / mean.max(1)).clamp(1, steps.len());
            (fitting.div_ceil(2), steps.len() - fitting / 2)
        };
        let listed = self.random.chance(0.3);
        for (number, step) in steps.iter().enumerate() {
            if number == head && head < tail && tail < steps.len() {
                self.out.push_str(self.random.pick(SKIPS));
                self.out.push(' ');
            }
            if number >= head && number < tail {
                continue;
            }
            if self.written() > target + 40 {
                return;
            }
            if listed {
                self.listed(number, step);
            } else {
                self.sentence(step);
            }
            self.interruption(number, pass);
        }
        if listed {
            self.paragraph();
        }
    }

    fn listed(&mut self, number: usize, step: &str) {
        push_display(self.out, number + 1);
        self.out.push_str(". ");
        push_capitalised(self.out, step);
        self.out.push_str(self.random.pick(TAILS));
        self.out.push('\n');
    }

    fn sentence(&mut self, step: &str) {
        let lead = self.random.pick(LEADS);
        self.out.push_str(lead);
        if lead.is_empty() {
            push_capitalised(self.out, step);
        } else {
            self.out.push_str(step);
        }
        self.out.push_str(self.random.pick(TAILS));
        self.out.push(' ');
        if self.random.chance(0.12) {
            self.paragraph();
        }
    }

    /// Now and then a doubt, a look back, or a thought about nothing in particular.
    fn interruption(&mut self, number: usize, pass: usize) {
        let steps = &self.brief.question.steps;
        // Who goes over the same ground again has thoughts of other kinds.
        if self.random.chance(if pass == 0 { 0.08 } else { 0.4 }) {
            self.musing(&steps[number]);
            return;
        }
        let dice = self.random.unit();
        if dice < 0.10 {
            let earlier = &steps[self.random.below(number + 1)];
            let (before, after) = DOUBTS[self.random.below(DOUBTS.len())];
            self.out.push_str(before);
            self.out.push_str(earlier);
            self.out.push_str(after);
            self.out.push(' ');
        } else if dice < 0.17 {
            self.out.push_str(self.random.pick(ASIDES));
            self.out.push(' ');
        } else if dice < 0.22 {
            self.quote();
        } else if dice < 0.26 && number > 2 {
            self.out.push_str(self.random.pick(COUNTS_SO_FAR));
            push_display(self.out, number + 1);
            self.out.push_str(if pass == 0 { " steps so far, " } else { " steps checked, " });
            push_display(self.out, steps.len() - number - 1);
            self.out.push_str(" to go. ");
        } else if dice < 0.275 {
            self.out.push_str(match self.brief.voice {
                Voice::Qwen => self.random.pick(&["等等，再检查一遍。", "嗯，没问题。", "Hmm 🤔. "]),
                Voice::GptOss => self.random.pick(&["OK. ", "Good. ", "Fine → next. "]),
                Voice::Seed => self.random.pick(&["Got it. ", "Right ✅. ", "Oh, wait. "]),
                Voice::Nemotron => self.random.pick(&["Alright… ", "Yep. ", "Okay — onwards. "]),
            });
        }
    }

    /// A thought about the working as such: a check by digits, or a general remark.
    fn musing(&mut self, step: &str) {
        let number = step.rsplit(|letter: char| !letter.is_ascii_digit()).find(|digits| digits.len() > 2);
        if let Some(digits) = number
            && self.random.chance(0.35)
        {
            let sum: u32 = digits.chars().filter_map(|digit| digit.to_digit(10)).sum();
            self.out.push_str(self.random.pick(&["By digits, ", "Modulo 9, ", "A quick test: ", "As a cross-check, "]));
            self.out.push_str(digits);
            self.out.push_str(self.random.pick(&[" has digit sum ", " adds up to ", " sums to "]));
            push_display(self.out, sum);
            self.out.push_str(self.random.pick(&[", so its remainder is ", ", i.e. ", ", which leaves "]));
            push_display(self.out, sum % 9);
            self.out.push_str(". ");
            return;
        }
        let mut start = true;
        for bank in [ADVERBS, OWNERS, QUALITIES, NOUNS, VERBS, OWNERS, QUALITIES, NOUNS] {
            let word = self.random.pick(bank);
            if word.is_empty() {
                continue;
            }
            if start {
                push_capitalised(self.out, word);
            } else {
                self.out.push(' ');
                self.out.push_str(word);
            }
            start = false;
        }
        self.out.push_str(self.random.pick(MUSING_TAILS));
        self.out.push(' ');
    }

    /// Quotes some of the question.
    fn quote(&mut self) {
        let text = &self.brief.question.text;
        let from = boundary(text, self.random.below(text.len()));
        let from = text[from..].find([' ', '\n']).map_or(from, |blank| from + blank + 1);
        let wanted = boundary(text, from + 20 + self.random.below(60));
        let fragment = text[from..wanted.max(from)].split('\n').next().unwrap_or_default();
        // Whole words only, unless there is but one.
        let fragment = fragment.rsplit_once(' ').map_or(fragment, |(whole, _)| whole).trim();
        if fragment.len() < 4 {
            return;
        }
        let (before, after) = QUOTES[self.random.below(QUOTES.len())];
        self.out.push_str(before);
        self.out.push_str(fragment);
        self.out.push_str(after);
        self.out.push(' ');
    }

    fn conclusion(&mut self, answer: &str) {
        let (before, after) = CONCLUSIONS[self.random.below(CONCLUSIONS.len())];
        self.out.push_str(before);
        self.out.push_str(answer);
        self.out.push_str(after);
    }

    /// Says the same thing over and over, with other doubts in between.
    fn circles(&mut self) {
        let length = 160 + self.random.below(280);
        let from = boundary(self.out, self.out.len().saturating_sub(length).max(self.start));
        let segment = self.out[from..].to_owned();
        while self.written() < self.brief.target_bytes {
            if self.random.chance(0.4) {
                self.out.push_str(self.random.pick(CIRCLE_LEADS));
            }
            self.out.push_str(&segment);
        }
    }

    /// Cuts the text at its target, wherever that is.
    fn cut(&mut self) {
        let end = boundary(self.out, self.start + self.brief.target_bytes);
        self.out.truncate(end);
    }

    fn paragraph(&mut self) {
        while self.out.ends_with([' ', '\n']) {
            self.out.pop();
        }
        self.out.push_str("\n\n");
    }
}

/// The last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut boundary = at.min(text.len());
    while !text.is_char_boundary(boundary) {
        boundary -= 1;
    }
    boundary
}

fn push_capitalised(out: &mut String, text: &str) {
    let mut letters = text.chars();
    if let Some(first) = letters.next() {
        out.push(first.to_ascii_uppercase());
        out.push_str(letters.as_str());
    }
}

/// The visible reply that follows the thinking, or the few words around a bare answer.
pub(crate) fn write_reply(out: &mut String, answer: &str, random: &mut Random) {
    match random.below(6) {
        0 => {
            out.push_str("**Answer:** ");
            out.push_str(answer);
        }
        1 => {
            out.push_str("\\boxed{");
            out.push_str(answer);
            out.push('}');
        }
        2 => {
            out.push_str("After working through it step by step, I get:\n\n<answer>");
            out.push_str(answer);
            out.push_str("</answer>");
        }
        3 => {
            out.push_str("### Result\n\n");
            out.push_str(answer);
            out.push('\n');
        }
        4 => {
            out.push_str("The answer is \"");
            out.push_str(answer);
            out.push_str("\".");
        }
        _ => {
            out.push_str("I went through the problem twice and both passes agree.\n\nAnswer: ");
            out.push_str(answer);
        }
    }
}

/// A reply with no answer in it.
pub(crate) fn write_evasion(out: &mut String, random: &mut Random) {
    out.push_str(random.pick(SURRENDERS));
}

const QWEN_OPENINGS: &[&str] = &[
    "Okay, so let me see what is being asked here. ",
    "Alright, let's go through this problem carefully. ",
    "Okay, I have to find the answer to this one, so first things first. ",
    "Hmm, let me start by reading the problem again. ",
    "Okay, let's tackle this. I should take it one piece at a time. ",
    "First, I want to be sure that I understand the task. ",
];
const GPT_OSS_OPENINGS: &[&str] = &[
    "We need to solve this. ",
    "The user wants one final answer. Let's do it. ",
    "We must compute carefully. ",
    "Let's parse. ",
    "Need to produce the result; let's work it out. ",
];
const SEED_OPENINGS: &[&str] = &[
    "Got it, let's take this problem apart. ",
    "So, I'm asked for a single result. Let me begin. ",
    "Right, let me write down what is given. ",
    "Let me look at this slowly, because it's easy to slip. ",
    "Got it. I'll start at the beginning and keep notes. ",
];
const NEMOTRON_OPENINGS: &[&str] = &[
    "Okay, let me think this through from the start. ",
    "Alright, I'll work on this methodically. ",
    "Let me break this down into small pieces. ",
    "Okay, I'll keep track of everything as I go. ",
    "To answer this I need to follow each detail. ",
];

const LEADS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "",
    "Next, ",
    "Then ",
    "So ",
    "Now ",
    "Okay, ",
    "From there, ",
    "After that, ",
    "Moving on: ",
    "I see that ",
    "We have ",
    "Here ",
    "That means ",
    "Continuing, ",
    "This time ",
    "Let me note: ",
    "In this case, ",
    "Following on, ",
    "Looking at the next one, ",
    "And ",
    "Going further, ",
    "As for this part, ",
    "I get that ",
    "The next thing is that ",
    "Step by step: ",
    "Working it out, ",
    "Let's see, ",
    "Right, ",
    "Carefully now: ",
    "It follows that ",
    "Alright, ",
    "Given that, ",
    "What comes next is ",
    "Now I find ",
    "If I write it out, ",
];

const TAILS: &[&str] = &[
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ".",
    ". Good.",
    ". Okay.",
    ", if I'm not mistaken.",
    ", which seems right.",
    ". I'll keep that in mind.",
    ", as expected.",
    ". Noted.",
    ". That looks fine.",
    ", and I carry that forward.",
    ". So far so good.",
    ", I think.",
    ". No surprise there.",
    ". Fine.",
    ", which is what I wanted.",
    ". Let me hold on to this.",
    ", so far.",
];

const DOUBTS: &[(&str, &str)] = &[
    ("Wait, let me check that again: ", ". Yes, that holds."),
    ("Hold on. Was it really the case that ", "? I believe so."),
    ("Hmm, did I get that right? ", ". Okay, same as before."),
    ("Let me verify: ", ". Correct."),
    ("Wait, no, I should look once more. ", " - it is the same, good."),
    ("Just to be sure, ", ". Yes."),
    ("Looking back, ", ". That was right."),
    ("Actually, let me recompute this one: ", ". It matches."),
    ("I want to double-check one thing here: ", ". Confirmed."),
    ("Is there a slip somewhere? Earlier I had: ", ". No, that's sound."),
    ("Let me redo it slowly: ", ". Fine, nothing changed."),
    ("But wait, ", ", so what I wrote still stands."),
];

const ASIDES: &[&str] = &[
    "This is getting long, but there's no shortcut that I can see.",
    "I should be careful not to lose track here.",
    "It's easy to be off by one at this point.",
    "Maybe there's a pattern, but it's safer to go through everything.",
    "Let me write things down so that I don't mix them up.",
    "I don't see anything tricky yet.",
    "A small mistake here would spoil the whole result.",
    "There could be a faster way, but let's stay with this one.",
    "I'm fairly confident about this part.",
    "The order matters, so I keep to it.",
    "Nothing in the statement forbids that.",
    "Some of this is only there to distract.",
    "That is the part where people usually slip.",
    "Let me keep the notation short.",
    "Good, now the remaining part should be simpler.",
    "I'll come back to this if the result looks strange.",
];

const COUNTS_SO_FAR: &[&str] = &["That makes ", "I've done ", "So, ", "Up to here: "];

const QUOTES: &[(&str, &str)] = &[
    ("The problem says \"", "\"."),
    ("It reads \"", "\", so that is what I go by."),
    ("Let me reread: \"", "\"."),
    ("There's this bit: '", "'."),
    ("The statement has \"", "\" in it."),
    ("I'm told \"", "\", okay."),
    ("About \"", "\": that is part of what is given."),
    ("I keep looking at \"", "\"."),
];

const SKIPS: &[&str] = &[
    "I'll go through the middle part in my head, it works the same way.",
    "The next ones follow the same scheme, so I won't write all of them.",
    "(and so on for the ones in between)",
    "Skipping ahead over the routine part:",
    "Similarly for what comes next, until the last ones:",
];

const PASS_LEADS: &[&str] = &[
    "Let me double-check by going through it once more.",
    "To be safe, I'll verify the whole thing from the beginning.",
    "Before I answer, one more pass over every step.",
    "Let me try to confirm this another way.",
    "Hmm, I'm not completely sure, so let me redo it.",
    "Wait, maybe I misread something. Again from the top.",
    "A second look can't hurt.",
    "Let me retrace that and see whether I land on the same result.",
    "Okay, now let me recheck each step with fresh eyes.",
    "I'd rather be certain, so here it is again, more slowly.",
    "Let me check backwards against the problem statement.",
    "Once again, but with attention to the details.",
];

const CONCLUSIONS: &[(&str, &str)] = &[
    ("So the answer is ", "."),
    ("That gives ", " as the final result."),
    ("Therefore, the answer should be ", "."),
    ("Putting it all together: ", "."),
    ("I'm confident now: ", "."),
    ("So I'll answer ", "."),
    ("Which leaves me with ", "."),
    ("Thus ", "."),
];

const SURRENDERS: &[&str] = &[
    "I could not settle on a result; the details do not fit together for me.",
    "I'm sorry, but I can't say for certain what the result should be here.",
    "There seems to be something missing in the problem, so I'd rather not commit myself.",
    "It might be one of several possibilities, and I see no way to tell them apart.",
];

const CIRCLE_LEADS: &[&str] = &[
    "Wait, that doesn't look right. ",
    "Hmm, no. ",
    "But wait. ",
    "Let me start over. ",
    "No, that's the same as before. ",
    "Hold on, I think I made a mistake. ",
    "Okay, again. ",
    "Actually, ",
];

const ADVERBS: &[&str] = &[
    "",
    "perhaps",
    "surely",
    "oddly,",
    "again,",
    "still,",
    "in short,",
    "clearly",
    "maybe",
    "hopefully",
    "then",
    "likewise",
    "overall",
    "indeed",
    "possibly",
    "anyway,",
    "at worst",
    "on paper",
    "so far",
    "in theory",
    "by luck",
    "once more,",
    "elsewhere",
    "put simply,",
    "granted,",
    "frankly,",
];

const OWNERS: &[&str] = &[
    "the", "my", "that", "this", "one", "each", "any", "every", "some", "its", "their", "our", "no", "such a",
    "the same", "another",
];

const QUALITIES: &[&str] = &[
    "", "", "second", "earlier", "small", "final", "odd", "exact", "partial", "plain", "hidden", "rough", "open",
    "simple", "strict", "missing", "longer", "careful", "given", "likely", "new", "running", "outer", "inner", "late",
    "clean", "direct", "broken", "possible", "tricky", "routine", "opposite", "tiny", "unclear", "true",
];

const NOUNS: &[&str] = &[
    "value", "total", "note", "rule", "part", "case", "order", "term", "guess", "check", "path", "state", "clue",
    "result", "list", "pattern", "figure", "reading", "detail", "branch", "claim", "symbol", "position", "limit",
    "sketch", "balance", "event", "column", "method", "bound", "wording", "pair", "start", "end", "chain", "trap",
    "hint", "mistake", "item", "view",
];

const VERBS: &[&str] = &[
    "fits",
    "supports",
    "follows",
    "limits",
    "repeats",
    "needs",
    "breaks",
    "decides",
    "skips",
    "meets",
    "gives",
    "covers",
    "beats",
    "hides",
    "matches",
    "explains",
    "allows",
    "precedes",
    "confirms",
    "ignores",
    "adds to",
    "depends on",
    "points to",
    "rules out",
    "belongs to",
    "agrees with",
    "turns into",
    "differs from",
    "comes from",
    "stays with",
    "replaces",
    "touches",
];

const MUSING_TAILS: &[&str] = &[
    ".",
    ".",
    ".",
    ".",
    " here.",
    " now.",
    ", right?",
    ", I guess.",
    " after all.",
    ", more or less.",
    " anyhow.",
    " by design.",
    ", or so it seems.",
    " at this point.",
    " as stated.",
    ", which helps.",
];
