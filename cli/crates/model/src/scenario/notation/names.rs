//! Notations of names: ids and labels, names of runs and series, paths, JSON Pointers.

use super::Complaint;
use crate::scenario::{problem::quoted, response::Pointer, template::is_name};

/// An id or a name: not empty, no control characters, no space at either end, at most 200 bytes.
pub fn label(text: &str) -> Result<String, Complaint> {
    const HELP: &str = "names are 1 to 200 characters, without control characters or space at their ends";
    let complain = |message: &str| Err(Complaint::new(message, HELP));
    if text.is_empty() {
        complain("a name cannot be empty")
    } else if text.len() > 200 {
        complain("this name is too long")
    } else if text.chars().any(char::is_control) || text.trim() != text {
        complain("this name holds characters that names cannot hold")
    } else {
        Ok(text.to_owned())
    }
}

/// A name that becomes part of a directory name: `[A-Za-z0-9._-]+`, at most 100 characters.
pub fn file_label(text: &str) -> Result<String, Complaint> {
    let complain = |message: &str| {
        Err(Complaint::new(
            message,
            "a scenario's name is made of letters, digits, `.`, `_` and `-`, at most 100",
        ))
    };
    match text.chars().find(|c| !is_file_label(*c)) {
        Some(c) => complain(&format!("a scenario's name cannot hold {}", quoted(&c.to_string()))),
        None if text.is_empty() => complain("a scenario's name cannot be empty"),
        None if text.len() > 100 => complain("this name is too long"),
        None => Ok(text.to_owned()),
    }
}

/// Whether a scenario's name may contain it.
pub(in crate::scenario) fn is_file_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// A JSON Pointer (RFC 6901): empty, or `/` before each member, with `~0` for `~` and `~1` for `/`.
pub fn json_pointer(text: &str) -> Result<Pointer, Complaint> {
    let tilde_alone = text.split('~').skip(1).any(|after| !after.starts_with(['0', '1']));
    if tilde_alone {
        return Err(Complaint::new("a lone `~` in a JSON Pointer", "write `~0` for `~` and `~1` for `/`"));
    }
    Pointer::new(text).ok_or_else(|| {
        let help = format!("a JSON Pointer begins with `/`: {}", quoted(&format!("/{text}")));
        Complaint::new("this is not a JSON Pointer", help)
    })
}

/// The name of a header (RFC 9110, `token`), in lower case.
pub fn header_name(text: &str) -> Result<String, Complaint> {
    if is_token(text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Complaint::new(
            "this is not the name of a header",
            "a header's name is letters, digits and signs like `-`: `x-request-id`",
        ))
    }
}

/// Whether it can be a header name.
pub(in crate::scenario) fn is_token(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(inner)
}

/// A name for use in `${…}`: a letter or `_`, then letters, digits, `_` and `-`.
pub fn variable_name(text: &str) -> Result<String, Complaint> {
    if is_name(text) {
        Ok(text.to_owned())
    } else {
        Err(Complaint::new(
            "this cannot stand in `${…}`",
            "a name is letters, digits, `_` and `-`, and begins with a letter or `_`",
        ))
    }
}

/// A series name in Prometheus's data model or, with `colons` off, a label name; `""` if it may be empty.
pub fn metric_name(text: &str, may_be_empty: bool, colons: bool) -> Result<String, Complaint> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    let is_name =
        !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(inner);
    if is_name || (text.is_empty() && may_be_empty) {
        return Ok(text.to_owned());
    }
    let (what, help) = if colons {
        (
            "this is no name of a series",
            "letters, digits, `_` and `:`, no digit first; optional series can be \"\"",
        )
    } else {
        ("this is no name of a label", "letters, digits and `_`, no digit first")
    };
    Err(Complaint::new(what, help))
}

/// A path without variables, as in routes: starts with `/`, visible ASCII, no `?` or `#`.
pub fn plain_path(text: &str) -> Result<String, Complaint> {
    if !text.starts_with('/') {
        let help = format!("write {}", quoted(&format!("/{text}")));
        Err(Complaint::new("a path begins with `/`", help))
    } else if text.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#') {
        Ok(text.to_owned())
    } else {
        Err(Complaint::new("this is not a path", "a path holds neither space nor `?` nor `#`: `/items/{id}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_pointers() {
        assert!(label("POST /chat #2").is_ok());
        for text in ["", " a", "a\tb", &"x".repeat(201)] {
            assert!(label(text).is_err(), "{text:?}");
        }
        assert!(file_label("cross-replica_2.1").is_ok());
        for text in ["", "a b", "a/b", "ü", &"x".repeat(101)] {
            assert!(file_label(text).is_err(), "{text:?}");
        }
        for text in ["", "/", "/a/0/b~1c~0"] {
            assert!(json_pointer(text).is_ok(), "{text:?}");
        }
        for text in ["a", "$.a", "/a~", "/a~2"] {
            assert!(json_pointer(text).is_err(), "{text:?}");
        }
    }
}
