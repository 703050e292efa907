//! Walks through a calendar.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::near_miss;
use crate::question::{Answer, Coordinates, Question};
use crate::random::Random;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn generate(at: &Coordinates<'_>, random: &mut Random) -> Question {
    let format = at.text("format");
    let max_days = at.integer("max_days");
    let mut day = after(date(1996, 1, 1), random.between(0, 14_000));
    let mut sentences = vec![format!("Start on {}.", written(day, format))];
    let mut steps = Vec::new();
    let mut last = 1;
    for _ in 0..at.integer("steps") {
        let weeks = random.chance(0.3) && max_days > 60;
        let days = if weeks { random.between(1, max_days / 7) * 7 } else { random.between(2, max_days) };
        let how_many = if weeks { format!("{} weeks", days / 7) } else { format!("{days} days") };
        let back = random.chance(0.45);
        let before = day;
        day = after(day, if back { -days } else { days });
        let direction = if back { "back" } else { "ahead" };
        sentences.push(format!("Go {how_many} {direction}."));
        if weeks {
            steps.push(format!("{how_many} are {days} days"));
        }
        let (sign, word) = if back { ("-", "minus") } else { ("+", "plus") };
        let month = after(before, if back { -days / 2 } else { days / 2 });
        if days > 40 {
            steps.push(format!(
                "halfway, {} days {direction}, it is {}, a {}",
                days / 2,
                written(month, format),
                weekday(month)
            ));
        }
        steps.push(format!(
            "{} {word} {days} days is {} (day {} of the year {sign}{days})",
            written(before, format),
            written(day, format),
            before.day_of_year()
        ));
        last = days;
    }
    sentences.push(format!(
        "On which date do you arrive? Answer in the same format{}.",
        if format == "eu" { " (day.month.year)" } else { "" }
    ));
    let miss = near_miss(last, random) - last;
    Question {
        text: sentences.join(" "),
        reference: Answer::Text(written(day, format)),
        wrong: Answer::Text(written(after(day, miss), format)),
        steps,
    }
}

/// The day that lies `days` after `day`, or `day` itself at the end of the calendar, which no question reaches.
fn after(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(day)
}

fn weekday(day: Date) -> &'static str {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES[day.weekday().to_monday_zero_offset().rem_euclid(7) as usize]
}

fn written(day: Date, format: &str) -> String {
    let (year, month, number) = (day.year(), day.month(), day.day());
    match format {
        "long" => format!("{number} {} {year}", MONTHS[(month - 1).rem_euclid(12) as usize]),
        "us" => format!("{month:02}/{number:02}/{year}"),
        "eu" => format!("{number:02}.{month:02}.{year}"),
        _ => format!("{year}-{month:02}-{number:02}"),
    }
}
