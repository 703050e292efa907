//! List columns summed by group. Read as Arrow they are plain memory: millions of samples are summed faster than DuckDB
//! takes their lists apart.

use std::cmp::Ordering;
use std::collections::HashMap;

use duckdb::Connection;
use duckdb::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch};
use duckdb::arrow::buffer::OffsetBuffer;
use rs_core::filters::Key;
use serde_json::Value;

use super::groups::{key_sql, value_of};

/// A list column of one batch of points.
pub(super) struct Lists<'a, T: ArrowPrimitiveType> {
    offsets: &'a OffsetBuffer<i32>,
    values: &'a PrimitiveArray<T>,
}

impl<'a, T: ArrowPrimitiveType> Lists<'a, T> {
    /// The column must be a list of this type, which the question sees to by a cast.
    pub(super) fn new(column: &'a ArrayRef) -> Self {
        let lists = column.as_list::<i32>();
        Self { offsets: lists.offsets(), values: lists.values().as_primitive() }
    }

    /// The values of a row; none where the list is NULL.
    pub(super) fn of(&self, row: usize) -> impl Iterator<Item = Option<T::Native>> {
        let (start, values) = (self.start(row), self.plain(row));
        let nulls = self.values.nulls();
        let is_there = move |at: usize| nulls.is_none_or(|nulls| nulls.is_valid(start + at));
        values.iter().enumerate().map(move |(at, value)| is_there(at).then_some(*value))
    }

    /// The values of a row in a column without NULL in its lists.
    pub(super) fn plain(&self, row: usize) -> &'a [T::Native] {
        &self.values.values()[self.start(row)..self.start(row + 1)]
    }

    fn start(&self, row: usize) -> usize {
        usize::try_from(self.offsets[row]).unwrap_or(0)
    }
}

/// What is asked of the lists of `points p`.
pub(super) struct Question<'a> {
    /// The keys that make the groups.
    pub by: &'a [Key],
    /// Columns in SQL, each cast to the type that it is read as.
    pub columns: &'a str,
    /// Which points.
    pub condition: String,
}

/// The sums of each group, by the keys' values as text, those without a value last. `add` gets the columns of a batch,
/// the group of each of its rows, and the sums of all groups. Batches come in the order of the rows: a sum of floating
/// point numbers is always the same.
///
/// # Errors
/// DuckDB refuses.
pub(super) fn sum_by_group<S: Default>(
    connection: &Connection,
    question: &Question<'_>,
    mut add: impl FnMut(&[ArrayRef], &[usize], &mut [S]),
) -> duckdb::Result<Vec<(Vec<Value>, S)>> {
    let Question { by, columns, condition } = question;
    let keys: String = by.iter().map(|key| format!("{}, ", key_sql(key))).collect();
    let mut statement = connection.prepare(&format!("SELECT {keys}{columns} FROM points p WHERE {condition}"))?;
    // The iterator that this returns panics where `step` tells an error.
    drop(statement.stream_arrow([])?);
    let mut groups = Groups::default();
    let mut sums: Vec<S> = Vec::new();
    while let Some(batch) = statement.step()? {
        let batch = RecordBatch::from(&batch);
        let (keys, lists) = batch.columns().split_at(by.len());
        let places = groups.places(keys, batch.num_rows());
        sums.resize_with(groups.texts.len(), S::default);
        add(lists, &places, &mut sums);
    }
    let mut named: Vec<(Vec<Option<String>>, S)> = groups.texts.into_iter().zip(sums).collect();
    named.sort_by(|(a, _), (b, _)| compare(a, b));
    let values =
        |texts: Vec<Option<String>>| texts.into_iter().zip(*by).map(|(text, key)| value_of(text, key)).collect();
    Ok(named.into_iter().map(|(texts, sums)| (values(texts), sums)).collect())
}

/// What is missing stands last.
fn compare(a: &[Option<String>], b: &[Option<String>]) -> Ordering {
    let rank = |text: &Option<String>| text.is_none();
    let pairs = a.iter().zip(b).map(|(a, b)| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    pairs.fold(Ordering::Equal, Ordering::then)
}

/// The groups that have been met, in the order of their first points.
#[derive(Default)]
struct Groups {
    places: HashMap<String, usize>,
    texts: Vec<Vec<Option<String>>>,
}

impl Groups {
    /// The group of each row.
    fn places(&mut self, keys: &[ArrayRef], n_rows: usize) -> Vec<usize> {
        let keys: Vec<_> = keys.iter().map(AsArray::as_string::<i32>).collect();
        // One text for all keys, made anew in the same place for each row: nothing is allocated but for a new group.
        let mut name = String::new();
        let place = |row: usize| {
            name.clear();
            for key in &keys {
                if key.is_valid(row) {
                    name.push('=');
                    name.push_str(key.value(row));
                }
                name.push('\0');
            }
            if let Some(place) = self.places.get(&name) {
                return *place;
            }
            self.texts.push(keys.iter().map(|key| key.is_valid(row).then(|| key.value(row).to_owned())).collect());
            let place = self.texts.len() - 1;
            self.places.insert(name.clone(), place);
            place
        };
        (0..n_rows).map(place).collect()
    }
}

/// Mean and variance of numbers, less the first of them: what they share is not squared, and numbers that are all the same
/// vary by nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    pub n: u64,
    first: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f64) {
        if self.n == 0 {
            self.first = value;
        }
        let beyond = value - self.first;
        self.n += 1;
        self.sum += beyond;
        self.squares += beyond * beyond;
    }

    /// `None` without numbers.
    pub(super) fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.first + self.sum / self.n as f64)
    }

    /// Of the population: `None` without numbers.
    pub(super) fn variance(&self) -> Option<f64> {
        let n = self.n as f64;
        (self.n > 0).then(|| ((self.squares - self.sum * self.sum / n) / n).max(0.0))
    }

    /// Standard deviation of a sample: `None` of fewer than two numbers.
    pub(super) fn sample_deviation(&self) -> Option<f64> {
        let n = self.n as f64;
        self.variance().filter(|_| self.n > 1).map(|variance| (variance * n / (n - 1.0)).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(numbers: &[f64], mean: Option<f64>, variance: Option<f64>, deviation: Option<f64>) {
        let mut moments = Moments::default();
        numbers.iter().for_each(|number| moments.add(*number));
        assert_eq!((moments.mean(), moments.variance(), moments.sample_deviation()), (mean, variance, deviation));
    }

    #[test]
    fn moments() {
        check(&[], None, None, None);
        check(&[3.0], Some(3.0), Some(0.0), None);
        check(&[0.1; 7], Some(0.1), Some(0.0), Some(0.0));
        check(&[2.0, 4.0, 4.0, 6.0], Some(4.0), Some(2.0), Some((8.0_f64 / 3.0).sqrt()));
        check(&[1e9, 1e9 + 2.0], Some(1e9 + 1.0), Some(1.0), Some(2.0_f64.sqrt()));
    }

    #[test]
    fn order() {
        let group = |text: Option<&str>| vec![Some("a".to_owned()), text.map(str::to_owned)];
        let mut groups = [group(None), group(Some("y")), group(Some("x"))];
        groups.sort_by(|a, b| compare(a, b));
        assert_eq!(groups, [group(Some("x")), group(Some("y")), group(None)]);
    }
}
