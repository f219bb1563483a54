//! saasbench.
