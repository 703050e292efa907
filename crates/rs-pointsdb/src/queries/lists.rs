//! List columns summed by group. Read as Arrow they are plain memory: millions of samples are summed faster than DuckDB
//! takes their lists apart. It hands them out on one thread: chunks of the rows are asked for side by side.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::atomic::{self, AtomicUsize};
use std::sync::{Mutex, PoisonError};

use duckdb::Connection;
use duckdb::arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray};
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

/// Rows of a chunk: a row group. The same on every machine, so that a sum of floating point numbers is always the same.
const CHUNK_ROWS: usize = 16_384;

/// Sums that can be added up.
pub(super) trait Sums: Default + Send {
    /// Adds what another chunk, further down, gave.
    fn merge(&mut self, other: Self);
}

impl<S: Sums, const N: usize> Sums for [S; N]
where
    [S; N]: Default,
{
    fn merge(&mut self, other: Self) {
        self.iter_mut().zip(other).for_each(|(own, other)| own.merge(other));
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
/// the group of each of its rows, and the sums of all groups.
///
/// # Errors
/// DuckDB refuses.
pub(super) fn sum_by_group<S: Sums>(
    connection: &Connection,
    question: &Question<'_>,
    add: impl Fn(&[ArrayRef], &[usize], &mut [S]) + Sync,
) -> duckdb::Result<Vec<(Vec<Value>, S)>> {
    let n_rows: usize = connection.query_row("SELECT coalesce(max(rowid) + 1, 0) FROM points", [], |row| row.get(0))?;
    let n_threads: usize = connection.query_row("SELECT current_setting('threads')", [], |row| row.get(0))?;
    let n_chunks = n_rows.div_ceil(CHUNK_ROWS);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, duckdb::Result<GroupSums<S>>)>> = Mutex::new(Vec::new());
    let work = |connection: &Connection| {
        loop {
            let chunk = next.fetch_add(1, atomic::Ordering::Relaxed);
            if chunk >= n_chunks {
                break;
            }
            let sums = sum_chunk(connection, question, chunk * CHUNK_ROWS, &add);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((chunk, sums));
        }
    };
    let others = (1..n_threads.min(n_chunks)).map(|_| connection.try_clone());
    let others: Vec<Connection> = others.collect::<duckdb::Result<_>>()?;
    std::thread::scope(|scope| {
        let work = &work;
        for other in others {
            scope.spawn(move || work(&other));
        }
        work(connection);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(chunk, _)| *chunk);
    let mut all = GroupSums::default();
    for (_, sums) in done {
        all.merge(sums?);
    }
    let mut named: Vec<(Vec<Option<String>>, S)> = all.groups.texts.into_iter().zip(all.sums).collect();
    named.sort_by(|(a, _), (b, _)| compare(a, b));
    let values = |texts: Vec<Option<String>>| {
        texts.into_iter().zip(question.by).map(|(text, key)| value_of(text, key)).collect()
    };
    Ok(named.into_iter().map(|(texts, sums)| (values(texts), sums)).collect())
}

/// Sums over one chunk, whose batches come in the order of the rows.
fn sum_chunk<S: Sums>(
    connection: &Connection,
    question: &Question<'_>,
    from_row: usize,
    add: &impl Fn(&[ArrayRef], &[usize], &mut [S]),
) -> duckdb::Result<GroupSums<S>> {
    let Question { by, columns, condition } = question;
    let keys: String = by.iter().map(|key| format!("{}, ", key_sql(key))).collect();
    let mut statement = connection.prepare(&format!(
        "SELECT {keys}{columns} FROM points p
        WHERE p.rowid >= {from_row} AND p.rowid < {} AND {condition}",
        from_row + CHUNK_ROWS
    ))?;
    // The iterator that this returns panics where `step` tells an error.
    drop(statement.stream_arrow([])?);
    let mut all = GroupSums::default();
    while let Some(batch) = statement.step()? {
        let batch = RecordBatch::from(&batch);
        let (keys, lists) = batch.columns().split_at(by.len());
        let places = all.groups.places(keys, batch.num_rows());
        all.sums.resize_with(all.groups.texts.len(), S::default);
        add(lists, &places, &mut all.sums);
    }
    Ok(all)
}

/// Groups and the sums of each.
struct GroupSums<S> {
    groups: Groups,
    sums: Vec<S>,
}

impl<S> Default for GroupSums<S> {
    fn default() -> Self {
        Self { groups: Groups::default(), sums: Vec::new() }
    }
}

impl<S: Sums> GroupSums<S> {
    fn merge(&mut self, other: Self) {
        for (texts, sums) in other.groups.texts.into_iter().zip(other.sums) {
            let place = self.groups.place(&texts);
            self.sums.resize_with(self.groups.texts.len(), S::default);
            self.sums[place].merge(sums);
        }
    }
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
    name: String,
    places: HashMap<String, usize>,
    texts: Vec<Vec<Option<String>>>,
}

impl Groups {
    /// The group of each row.
    fn places(&mut self, keys: &[ArrayRef], n_rows: usize) -> Vec<usize> {
        let keys: Vec<&StringArray> = keys.iter().map(AsArray::as_string).collect();
        let mut texts: Vec<Option<&str>> = Vec::new();
        let place = |row: usize| {
            texts.clear();
            texts.extend(keys.iter().map(|key| key.is_valid(row).then(|| key.value(row))));
            self.place(&texts)
        };
        (0..n_rows).map(place).collect()
    }

    /// The group of these values.
    fn place<T: AsRef<str>>(&mut self, texts: &[Option<T>]) -> usize {
        // One text for all keys, made anew in the same place each time: nothing is allocated but for a new group.
        self.name.clear();
        for text in texts {
            if let Some(text) = text {
                self.name.push('=');
                self.name.push_str(text.as_ref());
            }
            self.name.push('\0');
        }
        if let Some(place) = self.places.get(&self.name) {
            return *place;
        }
        self.texts.push(texts.iter().map(|text| text.as_ref().map(|text| text.as_ref().to_owned())).collect());
        let place = self.texts.len() - 1;
        self.places.insert(self.name.clone(), place);
        place
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

impl Sums for Moments {
    fn merge(&mut self, other: Self) {
        if self.n == 0 || other.n == 0 {
            *self = if self.n == 0 { other } else { *self };
            return;
        }
        // The other's numbers, less the first of these.
        let (n, shift) = (other.n as f64, other.first - self.first);
        self.n += other.n;
        self.sum += other.sum + n * shift;
        self.squares += other.squares + 2.0 * shift * other.sum + n * shift * shift;
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
        for cut in 0..=numbers.len() {
            let [mut first, second] = [&numbers[..cut], &numbers[cut..]].map(|numbers| {
                let mut moments = Moments::default();
                numbers.iter().for_each(|number| moments.add(*number));
                moments
            });
            first.merge(second);
            assert_eq!(
                (first.mean(), first.variance(), first.sample_deviation()),
                (mean, variance, deviation),
                "{cut}"
            );
        }
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
