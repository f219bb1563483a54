//! The reference multi-tenant server.
