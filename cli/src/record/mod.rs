//! The recorded run: the immutable directory that a run leaves behind, and everything that verification may look at.
//!
//! `writer` fills it while the run goes, `reader` opens it again; `sample` says what one request leaves, `segment` how
//! samples lie in Parquet, `manifest` what else there is to know.

pub mod manifest;
pub mod reader;
pub mod sample;
pub mod segment;
pub mod tally;
pub mod writer;
