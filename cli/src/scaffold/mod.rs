//! Writes scenarios for the user: `stress` from one command line, `template` is a new one with comments, and
//! `openapi` makes journeys from a service's description. All of them write a text that a user could have
//! written; `value` writes its values, and `target` splits URLs.

mod value;
