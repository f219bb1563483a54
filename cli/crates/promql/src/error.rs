//! Why a query is rejected, or fails.

/// Why a query cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is not PromQL.
    #[error("{0}")]
    Syntax(String),
    /// It uses PromQL features that are not supported.
    #[error("the embedded Prometheus does not evaluate {0}; a Prometheus server does")]
    Unsupported(String),
    /// Its evaluation failed.
    #[error("{0}")]
    Evaluation(String),
}

pub(crate) fn unsupported<T>(construct: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError::Unsupported(construct.into()))
}
