//! The twelve tasks of r12: their grids, their views, and how hard each point is.

use std::fmt::{self, Write};

use crate::scale::Scale;

/// A value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Number(f64),
    Text(&'static str),
    Flag(bool),
}

impl Value {
    /// Appends the value as JSON.
    pub(crate) fn push_json(self, out: &mut String) {
        match self {
            // No text among the grids needs an escape.
            Self::Text(text) => {
                out.push('"');
                out.push_str(text);
                out.push('"');
            }
            other => push_display(out, other),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Number(value) => write!(formatter, "{value}"),
            Self::Text(value) => formatter.write_str(value),
            Self::Flag(value) => write!(formatter, "{value}"),
        }
    }
}

/// Appends anything that can be displayed.
pub(crate) fn push_display(out: &mut String, value: impl fmt::Display) {
    #[expect(clippy::expect_used, reason = "writing to a string cannot fail")]
    write!(out, "{value}").expect("a string takes everything");
}

/// One axis of a grid, its values from easy to hard.
#[derive(Debug)]
pub(crate) struct Dimension {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [Value],
    /// How much of the difficulty this axis makes; the weights of a task add up to 1.
    pub(crate) weight: f64,
}

/// The chance that a blind guess is right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Guess {
    /// Not worth trying.
    Hopeless,
    /// One in this many, whatever the point.
    OneIn(u32),
    /// One in the value of this parameter.
    OneInParameter(&'static str),
}

/// How the points of a task are chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// The cartesian product of the dimensions.
    Grid,
    /// The values of the only dimension are those at which a prompt has this many tokens.
    Calibrate { target_tokens: &'static [i64] },
}

/// A view of the config.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) id: &'static str,
    pub(crate) label: &'static str,
    pub(crate) x: &'static str,
    /// Of a surface; a projection has none.
    pub(crate) y: Option<&'static str>,
    pub(crate) filters: &'static [(&'static str, Value)],
}

/// A task: what `base_task` names in a record.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) category: &'static str,
    /// For people who read the config.
    pub(crate) about: &'static str,
    pub(crate) mode: Mode,
    pub(crate) dimensions: &'static [Dimension],
    pub(crate) guess: Guess,
    /// Added to a model's skill: above 0 is easier than the average task.
    pub(crate) ease: f64,
    /// Completion tokens, relative to the average task.
    pub(crate) wordiness: f64,
    pub(crate) views: &'static [View],
}

/// One point of a task: a position on each axis.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Its number in the task's full grid, the same at every scale.
    pub(crate) number: usize,
    pub(crate) positions: Vec<usize>,
}

impl Task {
    /// The points at this scale, in the order of the full grid (the last axis runs fastest).
    pub(crate) fn points(&self, scale: Scale) -> Vec<Point> {
        let n_points: usize = self.dimensions.iter().map(|axis| axis.values.len()).product();
        (0..n_points)
            .map(|number| self.point(number))
            .filter(|point| !scale.corners_only() || self.is_corner(point))
            .collect()
    }

    fn point(&self, number: usize) -> Point {
        let mut positions = vec![0; self.dimensions.len()];
        let mut rest = number;
        for (position, axis) in positions.iter_mut().zip(self.dimensions).rev() {
            *position = rest % axis.values.len();
            rest /= axis.values.len();
        }
        Point { number, positions }
    }

    /// Corners have the first or the last value on every axis. To keep small data small, the last value of the third
    /// axis stands only beside the easiest and the hardest of the other two, and the longest tables are left out: their
    /// prompts alone would be most of the bytes.
    fn is_corner(&self, point: &Point) -> bool {
        if let Mode::Calibrate { .. } = self.mode {
            return matches!(point.positions[0], 0 | 3);
        }
        let is_last: Vec<bool> =
            point.positions.iter().zip(self.dimensions).map(|(&at, axis)| at + 1 == axis.values.len()).collect();
        let is_end = point.positions.iter().zip(&is_last).all(|(&at, &is_last)| at == 0 || is_last);
        is_end && (!is_last[2] || is_last[0] == is_last[1])
    }

    /// How hard a point is, from 0 to 1.
    pub(crate) fn difficulty(&self, point: &Point) -> f64 {
        point
            .positions
            .iter()
            .zip(self.dimensions)
            .map(|(&position, axis)| axis.weight * position as f64 / (axis.values.len() - 1).max(1) as f64)
            .sum()
    }

    /// The chance that a blind guess is right at this point.
    pub(crate) fn guess_chance(&self, point: &Point) -> f64 {
        match self.guess {
            Guess::Hopeless => 0.0,
            Guess::OneIn(choices) => 1.0 / f64::from(choices),
            Guess::OneInParameter(name) => 1.0 / self.integer(point, name) as f64,
        }
    }

    /// The value of the parameter `name`, or the first value of the task's first axis: callers name their own axes.
    pub(crate) fn value(&self, point: &Point, name: &str) -> Value {
        let axis = self.dimensions.iter().position(|axis| axis.name == name).unwrap_or_default();
        self.dimensions[axis].values[point.positions[axis]]
    }

    /// The value of a parameter that is a whole number.
    pub(crate) fn integer(&self, point: &Point, name: &str) -> i64 {
        match self.value(point, name) {
            Value::Integer(value) => value,
            Value::Number(value) => value as i64,
            Value::Flag(value) => i64::from(value),
            Value::Text(_) => 0,
        }
    }

    /// The coordinates as canonical JSON: keys sorted, no blanks, no `count`.
    pub(crate) fn canonical_params(&self, point: &Point) -> String {
        let mut entries: Vec<(&str, Value)> = self
            .dimensions
            .iter()
            .zip(&point.positions)
            .map(|(axis, &position)| (axis.name, axis.values[position]))
            .collect();
        entries.sort_by_key(|(name, _)| *name);
        let mut out = String::from("{");
        for (index, (name, value)) in entries.into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('"');
            out.push_str(name);
            out.push_str("\":");
            value.push_json(&mut out);
        }
        out.push('}');
        out
    }

    /// The tokens that this point was calibrated to.
    pub(crate) fn target_tokens(&self, point: &Point) -> Option<i64> {
        match self.mode {
            Mode::Grid => None,
            Mode::Calibrate { target_tokens } => target_tokens.get(point.positions[0]).copied(),
        }
    }
}

macro_rules! integers {
    ($($value:literal),*) => { &[$(Value::Integer($value)),*] };
}
macro_rules! texts {
    ($($value:literal),*) => { &[$(Value::Text($value)),*] };
}

const fn axis(name: &'static str, values: &'static [Value], weight: f64) -> Dimension {
    Dimension { name, values, weight }
}

const fn surface(
    id: &'static str,
    label: &'static str,
    x: &'static str,
    y: &'static str,
    filters: &'static [(&'static str, Value)],
) -> View {
    View { id, label, x, y: Some(y), filters }
}

const fn projection(
    id: &'static str,
    label: &'static str,
    x: &'static str,
    filters: &'static [(&'static str, Value)],
) -> View {
    View { id, label, x, y: None, filters }
}

/// The tasks, in the order of the config.
pub(crate) static TASKS: [Task; 12] = [
    Task {
        name: "arithmetic",
        label: "Arithmetic",
        category: "math",
        about: "Evaluate an expression of +, - and * with nested parentheses.",
        mode: Mode::Grid,
        dimensions: &[
            axis("length", integers![4, 8, 12, 16, 24, 32], 0.5),
            axis("max_depth", integers![0, 1, 2, 4], 0.3),
            axis("max_value", integers![9, 99, 999, 9999], 0.2),
        ],
        guess: Guess::Hopeless,
        ease: 0.6,
        wordiness: 1.2,
        views: &[
            surface(
                "length-x-depth",
                "Length by depth, small numbers",
                "params.length",
                "params.max_depth",
                &[("params.max_value", Value::Integer(9))],
            ),
            projection(
                "length",
                "Length, no parentheses",
                "params.length",
                &[("params.max_depth", Value::Integer(0)), ("params.max_value", Value::Integer(9))],
            ),
        ],
    },
    Task {
        name: "boolean",
        label: "Boolean",
        category: "logic",
        about: "Evaluate a boolean expression, written in one of four notations.",
        mode: Mode::Grid,
        dimensions: &[
            axis("length", integers![6, 12, 20, 32, 48, 64], 0.5),
            axis("max_depth", integers![1, 2, 4, 8], 0.35),
            axis("notation", texts!["python", "words", "symbols", "letters"], 0.15),
        ],
        guess: Guess::OneIn(2),
        ease: 0.2,
        wordiness: 0.9,
        views: &[
            surface(
                "length-x-depth",
                "Length by depth",
                "params.length",
                "params.max_depth",
                &[("params.notation", Value::Text("python"))],
            ),
            projection(
                "notation",
                "Notation, hardest point",
                "params.notation",
                &[("params.length", Value::Integer(64)), ("params.max_depth", Value::Integer(8))],
            ),
        ],
    },
    Task {
        name: "brackets",
        label: "Brackets",
        category: "structure",
        about: "Close an unfinished sequence of brackets.",
        mode: Mode::Grid,
        dimensions: &[
            axis("length", integers![10, 20, 30, 40, 60, 80], 0.5),
            axis("max_depth", integers![2, 4, 8, 12], 0.35),
            axis("kinds", integers![1, 2, 3, 4], 0.15),
        ],
        guess: Guess::Hopeless,
        ease: 0.0,
        wordiness: 0.9,
        views: &[
            surface(
                "length-x-depth",
                "Length by depth, all kinds",
                "params.length",
                "params.max_depth",
                &[("params.kinds", Value::Integer(4))],
            ),
            projection(
                "kinds",
                "Kinds of brackets, longest and deepest",
                "params.kinds",
                &[("params.length", Value::Integer(80)), ("params.max_depth", Value::Integer(12))],
            ),
        ],
    },
    Task {
        name: "cars",
        label: "Cars",
        category: "tracking",
        about: "Follow the overtakes of a race; which car is in the given place at the end?",
        mode: Mode::Grid,
        dimensions: &[
            axis("cars", integers![3, 4, 5, 6, 8, 10], 0.3),
            axis("overtakes", integers![3, 6, 12, 18, 24], 0.5),
            axis("distractors", integers![0, 3, 6], 0.2),
        ],
        guess: Guess::OneInParameter("cars"),
        ease: -0.1,
        wordiness: 1.0,
        views: &[
            surface(
                "overtakes-x-cars",
                "Overtakes by cars",
                "params.overtakes",
                "params.cars",
                &[("params.distractors", Value::Integer(0))],
            ),
            projection(
                "distractors",
                "Distractors, 10 cars",
                "params.distractors",
                &[("params.cars", Value::Integer(10)), ("params.overtakes", Value::Integer(24))],
            ),
        ],
    },
    Task {
        name: "dates",
        label: "Dates",
        category: "time",
        about: "Walk through a calendar by days and weeks.",
        mode: Mode::Grid,
        dimensions: &[
            axis("steps", integers![1, 2, 3, 4, 6], 0.5),
            axis("max_days", integers![30, 365, 3650, 36500], 0.35),
            axis("format", texts!["iso", "long", "us", "eu"], 0.15),
        ],
        guess: Guess::Hopeless,
        ease: 0.3,
        wordiness: 1.1,
        views: &[
            surface(
                "steps-x-span",
                "Steps by span",
                "params.steps",
                "params.max_days",
                &[("params.format", Value::Text("iso"))],
            ),
            projection(
                "format",
                "Date format, one short step",
                "params.format",
                &[("params.steps", Value::Integer(1)), ("params.max_days", Value::Integer(30))],
            ),
        ],
    },
    Task {
        name: "letters",
        label: "Letters",
        category: "counting",
        about: "Count letters over a list of words; bracketed words do not count.",
        mode: Mode::Grid,
        dimensions: &[
            axis("words", integers![2, 4, 8, 12, 16, 24], 0.55),
            axis("targets", integers![1, 2, 3, 4], 0.25),
            axis("confounders", integers![0, 2, 4, 8], 0.2),
        ],
        guess: Guess::Hopeless,
        ease: 0.1,
        wordiness: 1.0,
        views: &[
            surface(
                "words-x-targets",
                "Words by target letters",
                "params.words",
                "params.targets",
                &[("params.confounders", Value::Integer(0))],
            ),
            projection(
                "confounders",
                "Confounders, 24 words",
                "params.confounders",
                &[("params.words", Value::Integer(24)), ("params.targets", Value::Integer(4))],
            ),
        ],
    },
    Task {
        name: "objects",
        label: "Objects",
        category: "counting",
        about: "Count the things of some categories among others; four answers to choose from.",
        mode: Mode::Grid,
        dimensions: &[
            axis("length", integers![6, 10, 16, 24, 32, 48], 0.55),
            axis("categories", integers![1, 2, 3, 4], 0.25),
            axis(
                "distractors",
                &[Value::Number(0.1), Value::Number(0.25), Value::Number(0.5), Value::Number(0.75)],
                0.2,
            ),
        ],
        guess: Guess::OneIn(4),
        ease: 0.3,
        wordiness: 0.8,
        views: &[
            surface(
                "length-x-categories",
                "Length by categories, few distractors",
                "params.length",
                "params.categories",
                &[("params.distractors", Value::Number(0.1))],
            ),
            projection(
                "distractors",
                "Share of distractors",
                "params.distractors",
                &[("params.length", Value::Integer(48)), ("params.categories", Value::Integer(4))],
            ),
        ],
    },
    Task {
        name: "sequence",
        label: "Sequence",
        category: "math",
        about: "Continue a sequence of integers whose differences of some order are constant.",
        mode: Mode::Grid,
        dimensions: &[
            axis("order", integers![1, 2, 3, 4], 0.6),
            axis("length", integers![12, 10, 8, 7, 6], 0.15),
            axis("max_coefficient", integers![3, 6, 9, 12], 0.25),
        ],
        guess: Guess::Hopeless,
        ease: 0.4,
        wordiness: 1.1,
        views: &[
            surface(
                "order-x-length",
                "Order by terms shown",
                "params.order",
                "params.length",
                &[("params.max_coefficient", Value::Integer(3))],
            ),
            projection(
                "order",
                "Order, few terms shown",
                "params.order",
                &[("params.length", Value::Integer(6)), ("params.max_coefficient", Value::Integer(3))],
            ),
        ],
    },
    Task {
        name: "shapes",
        label: "Shapes",
        category: "spatial",
        about: "Name the polygon that an SVG path draws.",
        mode: Mode::Grid,
        dimensions: &[
            axis("options", integers![4, 6, 8, 10], 0.4),
            axis("rotation", integers![0, 15, 30, 45, 75], 0.4),
            axis("offset", integers![0, 50, 200, 1000], 0.2),
        ],
        guess: Guess::OneInParameter("options"),
        ease: -0.6,
        wordiness: 0.9,
        views: &[
            surface(
                "options-x-rotation",
                "Options by rotation",
                "params.options",
                "params.rotation",
                &[("params.offset", Value::Integer(0))],
            ),
            projection(
                "offset",
                "Offset, four options",
                "params.offset",
                &[("params.options", Value::Integer(4)), ("params.rotation", Value::Integer(0))],
            ),
        ],
    },
    Task {
        name: "shuffle",
        label: "Shuffle",
        category: "tracking",
        about: "Follow who holds what through a series of swaps.",
        mode: Mode::Grid,
        dimensions: &[
            axis("people", integers![3, 4, 5, 7, 9, 12], 0.3),
            axis("swaps", integers![3, 6, 12, 24, 36], 0.5),
            axis("distractors", integers![0, 3, 6], 0.2),
        ],
        guess: Guess::OneInParameter("people"),
        ease: 0.1,
        wordiness: 1.0,
        views: &[
            surface(
                "swaps-x-people",
                "Swaps by people",
                "params.swaps",
                "params.people",
                &[("params.distractors", Value::Integer(0))],
            ),
            projection(
                "swaps",
                "Swaps among three",
                "params.swaps",
                &[("params.people", Value::Integer(3)), ("params.distractors", Value::Integer(0))],
            ),
        ],
    },
    Task {
        name: "sort",
        label: "Sort",
        category: "structure",
        about: "Sort made-up words that may share their first letters.",
        mode: Mode::Grid,
        dimensions: &[
            axis("length", integers![4, 6, 8, 12, 16, 24, 32, 48], 0.6),
            axis("shared_prefix", integers![0, 1, 2, 3, 4, 6], 0.3),
            axis("reverse", &[Value::Flag(false), Value::Flag(true)], 0.1),
        ],
        guess: Guess::Hopeless,
        ease: 0.4,
        wordiness: 1.1,
        views: &[
            surface(
                "length-x-prefix",
                "Length by shared prefix, ascending",
                "params.length",
                "params.shared_prefix",
                &[("params.reverse", Value::Flag(false))],
            ),
            projection(
                "length",
                "Length, six letters shared",
                "params.length",
                &[("params.reverse", Value::Flag(false)), ("params.shared_prefix", Value::Integer(6))],
            ),
        ],
    },
    Task {
        name: "tables",
        label: "Tables",
        category: "retrieval",
        about: "Add up the matching rows of a table that fills a given number of tokens.",
        mode: Mode::Calibrate { target_tokens: &[1000, 2000, 3000, 4000, 6000, 8000, 12000, 16000] },
        dimensions: &[axis("num_rows", integers![62, 128, 195, 261, 395, 528, 795, 1062], 1.0)],
        guess: Guess::Hopeless,
        ease: 0.0,
        wordiness: 1.3,
        views: &[
            projection("rows", "Rows", "params.num_rows", &[]),
            projection("tokens", "Prompt tokens", "manifold.target_tokens", &[]),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::TASKS;
    use crate::scale::Scale;

    #[test]
    fn a_full_grid_has_about_a_thousand_points() {
        let full: usize = TASKS.iter().map(|task| task.points(Scale::Medium).len()).sum();
        assert_eq!(full, 1_004);
        let corners: usize = TASKS.iter().map(|task| task.points(Scale::Small).len()).sum();
        assert_eq!(corners, 68);
    }

    #[test]
    fn difficulty_runs_from_nothing_to_one() {
        for task in &TASKS {
            let points = task.points(Scale::Large);
            let (Some(first), Some(last)) = (points.first(), points.last()) else {
                panic!("{} has no points", task.name)
            };
            assert!(task.difficulty(first).abs() < 1e-12, "{}", task.name);
            assert!((task.difficulty(last) - 1.0).abs() < 1e-12, "{}", task.name);
        }
    }

    #[test]
    fn params_are_canonical() {
        let task = &TASKS[10];
        let points = task.points(Scale::Small);
        assert_eq!(task.canonical_params(&points[1]), r#"{"length":4,"reverse":true,"shared_prefix":0}"#);
    }
}
