//! A table function through which SQL reads Arrow batches while they are made.
//!
//! An appender gathers what it is given, copies it once more and plans for each part; one `INSERT` takes rows as they come.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::datatypes::{Field, SchemaRef};
use duckdb::arrow::error::ArrowError;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk, to_duckdb_logical_type_for_field,
};

use crate::schema::Column;

/// Rows of a batch at most: what DuckDB takes at a time.
pub(crate) const BATCH_ROWS: usize = 2048;

/// The function's name in SQL.
const FUNCTION: &str = "arriving_batches";

/// What is read at present, by numbers: arguments of a function in SQL are no references.
static OPEN: Mutex<BTreeMap<i64, Arc<Arrival>>> = Mutex::new(BTreeMap::new());

/// What SQL reads: each batch goes to one of those that read at the same time.
struct Arrival {
    columns: &'static [Column],
    schema: SchemaRef,
    /// `None` once nobody is to read any more.
    batches: Mutex<Option<Batches>>,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

/// Lets SQL of this connection's database read batches.
pub(crate) fn register(connection: &Connection) -> duckdb::Result<()> {
    connection.register_table_function::<ArrivingBatches>(FUNCTION)
}

/// Batches that SQL can read as long as this lives.
pub(crate) struct Arriving(i64);

impl Arriving {
    /// Batches of these columns, of [`BATCH_ROWS`] at most. Waits for the first, whose types are those of all; `None` if
    /// there is none.
    pub(crate) fn new(
        columns: &'static [Column],
        mut batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + Send + 'static,
    ) -> Result<Option<Self>, ArrowError> {
        static NEXT: AtomicI64 = AtomicI64::new(0);
        let Some(first) = batches.next().transpose()? else { return Ok(None) };
        let schema = first.schema();
        let batches: Batches = Box::new(std::iter::once(Ok(first)).chain(batches));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&OPEN).insert(number, Arc::new(Arrival { columns, schema, batches: Mutex::new(Some(batches)) }));
        Ok(Some(Self(number)))
    }

    /// What stands for the batches in SQL.
    pub(crate) fn sql(&self) -> String {
        format!("{FUNCTION}({})", self.0)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        // Whoever makes batches learns at once that nobody takes them, even if DuckDB still holds on to its plan.
        if let Some(arrival) = lock(&OPEN).remove(&self.0) {
            lock(&arrival.batches).take();
        }
    }
}

/// What is behind these locks is whole at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The table function: one argument, the number of what is read.
struct ArrivingBatches;

impl VTab for ArrivingBatches {
    type BindData = Arc<Arrival>;
    type InitData = ();

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        Some(vec![LogicalTypeHandle::from(LogicalTypeId::Bigint)])
    }

    fn bind(bind: &BindInfo) -> Result<Self::BindData, Box<dyn Error>> {
        let number = bind.get_parameter(0).to_int64();
        let arrival = lock(&OPEN).get(&number).cloned().ok_or("there is nothing to read")?;
        for (field, column) in arrival.schema.fields().iter().zip(arrival.columns) {
            bind.add_result_column(column.0, logical_type(field, column)?);
        }
        Ok(arrival)
    }

    fn init(init: &InitInfo) -> Result<(), Box<dyn Error>> {
        // As many as DuckDB has: each takes the next batch.
        init.set_max_threads(u64::MAX);
        Ok(())
    }

    fn func(function: &TableFunctionInfo<Self>, output: &mut DataChunkHandle) -> Result<(), Box<dyn Error>> {
        let arrival = function.get_bind_data();
        let next = lock(&arrival.batches).as_mut().and_then(Iterator::next);
        let Some(batch) = next.transpose()? else {
            output.set_len(0);
            return Ok(());
        };
        // What is written where is decided by the batch alone.
        if batch.schema() != arrival.schema {
            return Err("batches of several schemas".into());
        }
        record_batch_to_duckdb_data_chunk(&batch, output)
    }
}

/// JSON is text that the project itself has made: by another name DuckDB would check each again.
fn logical_type(field: &Field, (_, kind, _): &Column) -> Result<LogicalTypeHandle, Box<dyn Error>> {
    let mut logical_type = to_duckdb_logical_type_for_field(field)?;
    if *kind == "JSON" {
        logical_type.set_alias(kind);
    }
    Ok(logical_type)
}
