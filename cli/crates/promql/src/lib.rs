//! A small in-memory Prometheus: a [`Store`] of samples by series, and PromQL evaluated over it.
//!
//! The semantics are those of Prometheus 2 (ranges include both ends, the lookback is five minutes). A
//! [`Query`] with unsupported features is rejected when it is parsed (`allowlist`); supported ones return the
//! same values as a Prometheus server, as `tests/prometheus` verifies.
//!
//! Related crates: it depends on no other crate of this workspace. The embedded Prometheus of `saasbench` adds
//! scraping, rule files and HTTP.
//!
//! ```
//! use saasbench_promql::{Labels, Query, Source, Store, Value};
//!
//! let (store, mut source) = (Store::new(86_400_000), Source::default());
//! for second in 0..=60 {
//!     let series = Labels::from([("__name__".to_owned(), "requests_total".to_owned())]);
//!     store.append(&mut source, second * 1000, [(series, 3.0 * second as f64)]);
//! }
//! let rate = Query::parse("sum(rate(requests_total[30s]))").unwrap().at(&store, 60_000).unwrap();
//! let Value::Vector(samples) = rate else { panic!() };
//! assert_eq!(samples[0].value, 3.0);
//! ```

mod allowlist;
mod chunk;
mod error;
mod eval;
mod labels;
mod numeric;
mod query;
mod selector;
mod store;
mod value;

pub use error::QueryError;
pub use eval::functions::names as functions;
pub use labels::{Labels, METRIC_NAME};
pub use query::Query;
pub use selector::Selector;
pub use store::{Source, Store};
pub use value::{Point, Sample, Series, Value};
