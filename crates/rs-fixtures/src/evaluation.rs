//! The cohorts and evaluations: who they are, how well they do, and how the harness that ran them writes its records.

/// A cohort: one model family's folder.
#[derive(Debug)]
pub(crate) struct Cohort {
    /// The name of its folder under `data/r12`.
    pub(crate) folder: &'static str,
}

/// The cohorts, in the order of the dataset.
pub(crate) static COHORTS: [Cohort; 4] = [
    Cohort { folder: "Qwen3-32B" },
    Cohort { folder: "GPT-OSS-120B" },
    Cohort { folder: "Seed-OSS-36B" },
    Cohort { folder: "Llama-Nemotron-Super-49B" },
];

/// Who made a record: the three keys that decide to which evaluation it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) model: &'static str,
    pub(crate) template: &'static str,
    pub(crate) sampler: &'static str,
}

/// An entry of an `evals.json`.
#[derive(Debug)]
pub(crate) struct Evaluation {
    pub(crate) cohort: usize,
    pub(crate) identity: Identity,
    /// Under the cohort's folder.
    pub(crate) glob: &'static str,
    pub(crate) label: &'static str,
    pub(crate) groups: &'static [&'static str],
    pub(crate) tags: &'static [&'static str],
    pub(crate) hf_id: &'static str,
    pub(crate) context: Option<u64>,
}

/// How a model does: the source of the records of one identity.
#[derive(Debug)]
pub(crate) struct Subject {
    /// A short name for the plan of runs.
    pub(crate) key: &'static str,
    pub(crate) identity: Identity,
    /// Log-odds of knowing the answer at the easiest point of an average task.
    pub(crate) skill: f64,
    /// Completion tokens at the easiest point of an average task.
    pub(crate) tokens: f64,
    /// Tokens at which generation stops.
    pub(crate) limit: u64,
    pub(crate) thinks: bool,
    /// Share of requests that fail.
    pub(crate) error_rate: f64,
    /// Share of answers that cannot be read out.
    pub(crate) invalid_rate: f64,
    /// Share of records that were stopped from outside.
    pub(crate) killed_rate: f64,
    pub(crate) voice: Voice,
    pub(crate) writer: Writer,
    pub(crate) server: Server,
}

/// The manner of speaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    Qwen,
    GptOss,
    Seed,
    Nemotron,
}

/// What the run's `metadata.json` says of the server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
}

/// How records are written.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) order: KeyOrder,
    pub(crate) syntax: Syntax,
    pub(crate) clock: Clock,
    /// Whether the prompt is a list of messages or one string.
    pub(crate) chat: bool,
    pub(crate) prompt_tokens: bool,
    pub(crate) score: bool,
    pub(crate) request_id: bool,
    /// Whether keys with nothing to say are written as `null`, `false` or 0, or left out.
    pub(crate) defaults: bool,
    /// Whether grid points, too, name a manifold.
    pub(crate) manifold: bool,
    pub(crate) params: ParamsOrder,
}

/// Which of a record's keys come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOrder {
    Identity,
    Text,
    Outcome,
}

/// Small differences between JSON writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    /// No blanks, UTF-8 as it is.
    Compact,
    /// A blank after `:` and `,`, and everything beyond ASCII escaped, in surrogate pairs where need be.
    Python,
    /// No blanks, and `/` escaped.
    EscapedSlash,
}

/// How timestamps are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// Microseconds, no zone.
    Bare,
    /// Microseconds and `Z`.
    Zulu,
    /// Microseconds and `+01:00`.
    OneHourAhead,
    /// Microseconds and `-08:00`.
    Pacific,
}

/// The order of the keys of `params`, and where its `count` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamsOrder {
    CountFirst,
    CountLast,
    ReversedWithoutCount,
    CountAfterFirst,
}

const QWEN_OFF: Identity = Identity { model: "Qwen3-32B-fp16", template: "zerocot-nothink", sampler: "greedy-16k" };
const QWEN_ON: Identity = Identity { model: "Qwen3-32B-fp16", template: "think", sampler: "t0.6-p0.95-16k" };
const QWEN_AWQ: Identity = Identity { model: "Qwen3-32B-awq", template: "think", sampler: "t0.6-p0.95-16k" };
const GPT_LOW: Identity = Identity { model: "GPT-OSS-120B", template: "harmony-low", sampler: "t1.0-p1.0-32k" };
const GPT_HIGH: Identity = Identity { model: "GPT-OSS-120B", template: "harmony-high", sampler: "t1.0-p1.0-32k" };
const SEED: Identity = Identity { model: "Seed-OSS-36B-fp16", template: "think", sampler: "t1.1-p0.95-32k" };
const SEED_GREEDY: Identity = Identity { model: "Seed-OSS-36B-fp16", template: "think", sampler: "greedy-32k" };
const SEED_INT4: Identity = Identity { model: "Seed-OSS-36B-int4", template: "think", sampler: "t1.1-p0.95-32k" };
const SEED_TRIAL: Identity = Identity { model: "Seed-OSS-36B-fp8", template: "think", sampler: "t1.1-p0.95-8k" };
const NEMOTRON_ON: Identity =
    Identity { model: "Llama-Nemotron-Super-49B-v1.5", template: "detailed-think-on", sampler: "t0.6-p0.95-32k" };
const NEMOTRON_OFF: Identity =
    Identity { model: "Llama-Nemotron-Super-49B-v1.5", template: "detailed-think-off", sampler: "greedy-16k" };

/// The evaluations that the cohorts list, cohort by cohort.
pub(crate) static EVALUATIONS: [Evaluation; 11] = [
    Evaluation {
        cohort: 0,
        identity: QWEN_ON,
        glob: "*_Qwen3-32B-fp16_think_*/*",
        label: "Qwen3-32B (fp16, thinking)",
        groups: &["family:qwen3", "arch:dense", "size:mid", "quant:fp16", "ctx:16k", "thinking:on"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "Qwen/Qwen3-32B",
        context: None,
    },
    Evaluation {
        cohort: 0,
        identity: QWEN_ON,
        glob: "*_Qwen3-32B-fp16_think_*/*",
        label: "Qwen3-32B (fp16, thinking, 8k)",
        groups: &["family:qwen3", "arch:dense", "size:mid", "quant:fp16", "ctx:8k", "thinking:on"],
        tags: &["open-weights", "context-study"],
        hf_id: "Qwen/Qwen3-32B",
        context: Some(8_192),
    },
    Evaluation {
        cohort: 0,
        identity: QWEN_OFF,
        glob: "*_Qwen3-32B-fp16_zerocot-nothink_*/*",
        label: "Qwen3-32B (fp16, no thinking)",
        groups: &["family:qwen3", "arch:dense", "size:mid", "quant:fp16", "ctx:16k", "thinking:off"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "Qwen/Qwen3-32B",
        context: None,
    },
    Evaluation {
        cohort: 0,
        identity: QWEN_AWQ,
        glob: "*_Qwen3-32B-awq_think_*/*",
        label: "Qwen3-32B (AWQ int4, thinking)",
        groups: &["family:qwen3", "arch:dense", "size:mid", "quant:awq", "ctx:16k", "thinking:on"],
        tags: &["open-weights", "quantisation-study"],
        hf_id: "Qwen/Qwen3-32B-AWQ",
        context: None,
    },
    Evaluation {
        cohort: 1,
        identity: GPT_HIGH,
        glob: "*_GPT-OSS-120B_harmony-*high_*/*",
        label: "GPT-OSS-120B (high effort)",
        groups: &["family:gpt-oss", "arch:moe", "size:large", "quant:mxfp4", "ctx:32k", "thinking:on", "effort:high"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "openai/gpt-oss-120b",
        context: None,
    },
    Evaluation {
        cohort: 1,
        identity: GPT_LOW,
        glob: "*_GPT-OSS-120B_harmony-low*/*",
        label: "GPT-OSS-120B (low effort)",
        groups: &["family:gpt-oss", "arch:moe", "size:large", "quant:mxfp4", "ctx:32k", "thinking:on", "effort:low"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "openai/gpt-oss-120b",
        context: None,
    },
    Evaluation {
        cohort: 2,
        identity: SEED,
        // Also matches the folders of the greedy evaluation below: the filters tell them apart.
        glob: "*_Seed-OSS-36B-fp16_think_*/*",
        label: "Seed-OSS-36B (fp16, thinking)",
        groups: &["family:seed-oss", "arch:dense", "size:mid", "quant:fp16", "ctx:32k", "thinking:on"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "ByteDance-Seed/Seed-OSS-36B-Instruct",
        context: None,
    },
    Evaluation {
        cohort: 2,
        identity: SEED_GREEDY,
        glob: "*_Seed-OSS-36B-fp16_think_greedy-*/*",
        label: "Seed-OSS-36B (fp16, thinking, greedy)",
        groups: &["family:seed-oss", "arch:dense", "size:mid", "quant:fp16", "ctx:32k", "thinking:on"],
        tags: &["open-weights", "sampler-study"],
        hf_id: "ByteDance-Seed/Seed-OSS-36B-Instruct",
        context: None,
    },
    Evaluation {
        cohort: 2,
        identity: SEED_INT4,
        glob: "*_Seed-OSS-36B-int4_think_*/*",
        label: "Seed-OSS-36B (int4, thinking)",
        groups: &["family:seed-oss", "arch:dense", "size:mid", "quant:int4", "ctx:32k", "thinking:on"],
        tags: &["open-weights", "quantisation-study"],
        hf_id: "ByteDance-Seed/Seed-OSS-36B-Instruct",
        context: None,
    },
    Evaluation {
        cohort: 3,
        identity: NEMOTRON_ON,
        glob: "*_Llama-Nemotron-Super-49B-v1.5_detailed-think-on_*/*",
        label: "Llama-Nemotron-Super-49B v1.5 (thinking)",
        groups: &["family:llama-nemotron", "arch:dense", "size:mid", "quant:fp16", "ctx:32k", "thinking:on"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "nvidia/Llama-3_3-Nemotron-Super-49B-v1_5",
        context: None,
    },
    Evaluation {
        cohort: 3,
        identity: NEMOTRON_OFF,
        glob: "*_Llama-Nemotron-Super-49B-v1.5_detailed-think-off_*/*",
        label: "Llama-Nemotron-Super-49B v1.5 (no thinking)",
        groups: &["family:llama-nemotron", "arch:dense", "size:mid", "quant:fp16", "ctx:16k", "thinking:off"],
        tags: &["leaderboard", "open-weights"],
        hf_id: "nvidia/Llama-3_3-Nemotron-Super-49B-v1_5",
        context: None,
    },
];

/// Whose records there are. The order is part of every record's random key: append only.
pub(crate) static SUBJECTS: [Subject; 11] = [
    Subject {
        key: "qwen-off",
        identity: QWEN_OFF,
        skill: 2.3,
        tokens: 130.0,
        limit: 16_384,
        thinks: false,
        error_rate: 0.0,
        invalid_rate: 0.012,
        killed_rate: 0.0,
        voice: Voice::Qwen,
        writer: Writer {
            order: KeyOrder::Identity,
            syntax: Syntax::Python,
            clock: Clock::Bare,
            chat: true,
            prompt_tokens: true,
            score: false,
            request_id: false,
            defaults: true,
            manifold: false,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "vllm 0.11.0", temperature: 0.0, top_p: 1.0 },
    },
    Subject {
        key: "qwen-on",
        identity: QWEN_ON,
        skill: 4.3,
        tokens: 900.0,
        limit: 16_384,
        thinks: true,
        error_rate: 0.002,
        invalid_rate: 0.006,
        killed_rate: 0.0,
        voice: Voice::Qwen,
        writer: Writer {
            order: KeyOrder::Identity,
            syntax: Syntax::Compact,
            clock: Clock::Bare,
            chat: true,
            prompt_tokens: true,
            score: true,
            request_id: true,
            defaults: true,
            manifold: false,
            params: ParamsOrder::CountFirst,
        },
        server: Server { name: "vllm 0.11.0", temperature: 0.6, top_p: 0.95 },
    },
    Subject {
        key: "qwen-awq",
        identity: QWEN_AWQ,
        skill: 3.9,
        tokens: 950.0,
        limit: 16_384,
        thinks: true,
        error_rate: 0.0,
        invalid_rate: 0.01,
        killed_rate: 0.004,
        voice: Voice::Qwen,
        writer: Writer {
            order: KeyOrder::Text,
            syntax: Syntax::Compact,
            clock: Clock::Zulu,
            chat: false,
            prompt_tokens: true,
            score: false,
            request_id: true,
            defaults: false,
            manifold: false,
            params: ParamsOrder::ReversedWithoutCount,
        },
        server: Server { name: "vllm 0.10.2", temperature: 0.6, top_p: 0.95 },
    },
    Subject {
        key: "gpt-low",
        identity: GPT_LOW,
        skill: 3.3,
        tokens: 170.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.0,
        invalid_rate: 0.015,
        killed_rate: 0.0,
        voice: Voice::GptOss,
        writer: Writer {
            order: KeyOrder::Outcome,
            syntax: Syntax::Compact,
            clock: Clock::Zulu,
            chat: true,
            prompt_tokens: true,
            score: false,
            request_id: true,
            defaults: false,
            manifold: true,
            params: ParamsOrder::CountAfterFirst,
        },
        server: Server { name: "vllm 0.11.0", temperature: 1.0, top_p: 1.0 },
    },
    Subject {
        key: "gpt-high",
        identity: GPT_HIGH,
        skill: 5.6,
        tokens: 1_100.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.003,
        invalid_rate: 0.008,
        killed_rate: 0.002,
        voice: Voice::GptOss,
        writer: Writer {
            order: KeyOrder::Outcome,
            syntax: Syntax::EscapedSlash,
            clock: Clock::OneHourAhead,
            chat: true,
            prompt_tokens: true,
            score: false,
            request_id: true,
            defaults: false,
            manifold: true,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "vllm 0.11.0", temperature: 1.0, top_p: 1.0 },
    },
    Subject {
        key: "seed",
        identity: SEED,
        skill: 4.6,
        tokens: 1_300.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.02,
        invalid_rate: 0.006,
        killed_rate: 0.0,
        voice: Voice::Seed,
        writer: Writer {
            order: KeyOrder::Identity,
            syntax: Syntax::Compact,
            clock: Clock::Pacific,
            chat: false,
            prompt_tokens: true,
            score: false,
            request_id: false,
            defaults: true,
            manifold: false,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "sglang 0.5.3", temperature: 1.1, top_p: 0.95 },
    },
    Subject {
        key: "seed-greedy",
        identity: SEED_GREEDY,
        skill: 4.4,
        tokens: 1_250.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.0,
        invalid_rate: 0.006,
        killed_rate: 0.0,
        voice: Voice::Seed,
        writer: Writer {
            order: KeyOrder::Text,
            syntax: Syntax::Compact,
            clock: Clock::Bare,
            chat: false,
            prompt_tokens: true,
            score: false,
            request_id: false,
            defaults: true,
            manifold: false,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "sglang 0.5.3", temperature: 0.0, top_p: 1.0 },
    },
    Subject {
        key: "seed-int4",
        identity: SEED_INT4,
        skill: 3.7,
        tokens: 1_400.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.0,
        invalid_rate: 0.02,
        killed_rate: 0.003,
        voice: Voice::Seed,
        writer: Writer {
            order: KeyOrder::Outcome,
            syntax: Syntax::Python,
            clock: Clock::Bare,
            chat: true,
            prompt_tokens: true,
            score: true,
            request_id: false,
            defaults: false,
            manifold: false,
            params: ParamsOrder::CountFirst,
        },
        server: Server { name: "llama.cpp b6700", temperature: 1.1, top_p: 0.95 },
    },
    Subject {
        key: "nemotron-on",
        identity: NEMOTRON_ON,
        skill: 4.8,
        tokens: 1_000.0,
        limit: 32_768,
        thinks: true,
        error_rate: 0.001,
        invalid_rate: 0.008,
        killed_rate: 0.002,
        voice: Voice::Nemotron,
        writer: Writer {
            order: KeyOrder::Identity,
            syntax: Syntax::Compact,
            clock: Clock::Zulu,
            chat: true,
            prompt_tokens: true,
            score: false,
            request_id: true,
            defaults: true,
            manifold: true,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "vllm 0.11.0", temperature: 0.6, top_p: 0.95 },
    },
    Subject {
        key: "nemotron-off",
        identity: NEMOTRON_OFF,
        skill: 2.5,
        tokens: 140.0,
        limit: 16_384,
        thinks: false,
        error_rate: 0.0,
        invalid_rate: 0.015,
        killed_rate: 0.0,
        voice: Voice::Nemotron,
        writer: Writer {
            order: KeyOrder::Text,
            syntax: Syntax::Compact,
            clock: Clock::Bare,
            chat: false,
            prompt_tokens: false,
            score: false,
            request_id: false,
            defaults: false,
            manifold: false,
            params: ParamsOrder::ReversedWithoutCount,
        },
        server: Server { name: "vllm 0.10.2", temperature: 0.0, top_p: 1.0 },
    },
    // A trial run that no evaluation lists.
    Subject {
        key: "seed-trial",
        identity: SEED_TRIAL,
        skill: 4.5,
        tokens: 1_300.0,
        limit: 8_192,
        thinks: true,
        error_rate: 0.0,
        invalid_rate: 0.0,
        killed_rate: 0.0,
        voice: Voice::Seed,
        writer: Writer {
            order: KeyOrder::Identity,
            syntax: Syntax::Compact,
            clock: Clock::Bare,
            chat: false,
            prompt_tokens: true,
            score: false,
            request_id: false,
            defaults: true,
            manifold: false,
            params: ParamsOrder::CountLast,
        },
        server: Server { name: "sglang 0.5.3", temperature: 1.1, top_p: 0.95 },
    },
];

/// The number of the subject called `key`; the plan names only subjects that there are.
pub(crate) fn subject(key: &str) -> usize {
    SUBJECTS.iter().position(|subject| subject.key == key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{EVALUATIONS, SUBJECTS};

    #[test]
    fn every_evaluation_has_a_subject() {
        for evaluation in &EVALUATIONS {
            assert!(SUBJECTS.iter().any(|subject| subject.identity == evaluation.identity), "{}", evaluation.label);
        }
    }
}
