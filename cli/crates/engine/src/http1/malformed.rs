//! Why a response cannot be parsed, and the limits of its parts.

/// The longest head, including informational ones before it; and the longest trailer section.
pub const HEAD_LIMIT: usize = 64 << 10;

/// The longest line with a chunk's size, including extensions.
pub const CHUNK_LINE_LIMIT: usize = 4 << 10;

/// Why a response cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Its head breaks the grammar.
    #[error("the head is not HTTP/1: {0}")]
    Head(httparse::Error),
    /// A head or a trailer section over [`HEAD_LIMIT`].
    #[error("the head is longer than {HEAD_LIMIT} bytes")]
    TooLong,
    /// A status below 100.
    #[error("the status is below 100")]
    Status,
    /// 101, which was not requested.
    #[error("the server changes the protocol without being asked")]
    Upgrade,
    /// `Content-Length` is not a number, or there are two that differ.
    #[error("Content-Length is not one number")]
    ContentLength,
    /// `chunked` twice, or a transfer coding in HTTP/1.0.
    #[error("the transfer codings do not delimit the body")]
    TransferEncoding,
    /// The line before a chunk has no size, or is over [`CHUNK_LINE_LIMIT`].
    #[error("a chunk has no valid size")]
    ChunkSize,
    /// A chunk is not followed by a line end.
    #[error("a chunk is longer than its size")]
    ChunkEnd,
    /// The trailer section breaks the grammar.
    #[error("the trailer section is not HTTP/1: {0}")]
    Trailers(httparse::Error),
}

/// Why the end of the connection is not the end of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedEarly {
    /// The response was valid as far as it was received.
    Truncated,
    /// What was received could not have become a response.
    Malformed(Malformed),
}
