//! The tenants, looked up by id on every request. [`parse`](Tenants::parse) reads them from JSON lines and
//! collects all invalid lines, so that one start reports every problem.

mod tenant_line;

use std::collections::HashMap;
use std::path::Path;
use std::{fmt, fs};

use crate::limiter::KeyedLimit;
use crate::reply_style::ReplyStyle;

/// The label of requests whose tenant is unknown, in metrics. No tenant may have this id.
pub(crate) const UNKNOWN_TENANT: &str = "unknown";

/// Shipped with the program: acme 8, globex 4, initech 6 chats per 10 s.
const BUILTIN: &str = include_str!("../tenants.jsonl");

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// 1 to 64 of `A-Z a-z 0-9 . _ -`, starting with a letter or a digit.
    pub id: String,
    /// Display name; the id where the line has none.
    pub name: String,
    /// The start of its replies.
    pub welcome: String,
    /// The name of its model, which responses state.
    pub model: String,
    pub(crate) reply_style: ReplyStyle,
    pub(crate) limits: Vec<KeyedLimit>,
}

/// All tenants of a server, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenants {
    list: Vec<Tenant>,
    by_id: HashMap<String, usize>,
}

/// One problem of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantsProblem {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in bytes; `None` where the problem is not at one position.
    pub column: Option<usize>,
    /// What is wrong.
    pub cause: String,
}

/// All problems of a tenants file; displayed as `file:line:column: cause`, one line per problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantsError {
    /// The file name given to [`Tenants::parse`].
    pub file: String,
    /// Never empty; in the order of the lines.
    pub problems: Vec<TenantsProblem>,
}

impl fmt::Display for TenantsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, TenantsProblem { line, column, cause }) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{}:{line}", self.file)?;
            if let Some(column) = column {
                write!(f, ":{column}")?;
            }
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for TenantsError {}

impl Tenants {
    /// Parses JSON lines; empty lines are skipped. `file_name` is only used in the error.
    ///
    /// # Errors
    ///
    /// All problems of all lines; a file without any tenant is an error, too.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, TenantsError> {
        let mut tenants = Self { list: Vec::new(), by_id: HashMap::new() };
        let mut first_line_of: HashMap<String, usize> = HashMap::new();
        let mut problems = Vec::new();
        // Editors on Windows may start a file with a byte-order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
            match tenant_line::parse(content) {
                Err(causes) => {
                    problems.extend(causes.into_iter().map(|(column, cause)| TenantsProblem {
                        line,
                        column,
                        cause,
                    }));
                }
                Ok(tenant) => match first_line_of.get(&tenant.id) {
                    Some(first) => problems.push(TenantsProblem {
                        line,
                        column: None,
                        cause: format!("tenant `{}` is already on line {first}", tenant.id),
                    }),
                    None => {
                        first_line_of.insert(tenant.id.clone(), line);
                        tenants.by_id.insert(tenant.id.clone(), tenants.list.len());
                        tenants.list.push(tenant);
                    }
                },
            }
        }
        if tenants.list.is_empty() && problems.is_empty() {
            problems.push(TenantsProblem {
                line: 1,
                column: None,
                cause: "no tenants in this file".to_owned(),
            });
        }
        if problems.is_empty() {
            Ok(tenants)
        } else {
            Err(TenantsError { file: file_name.to_owned(), problems })
        }
    }

    /// Reads a tenants file.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse); a file that cannot be read is reported as a problem of its first line.
    pub fn read(path: &Path) -> Result<Self, TenantsError> {
        let file = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(error) => {
                let cause = format!("cannot be read: {error}");
                Err(TenantsError { file, problems: vec![TenantsProblem { line: 1, column: None, cause }] })
            }
        }
    }

    /// The tenants that are compiled in.
    #[must_use]
    #[expect(clippy::expect_used, reason = "compiled in, and parsed by a test")]
    pub fn builtin() -> Self {
        Self::parse(BUILTIN, "tenants.jsonl").expect("the built-in tenants are valid")
    }

    /// The ids, in the order of the lines.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|tenant| tenant.id.as_str())
    }

    /// The tenant with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Tenant> {
        self.index_of(id).map(|index| &self.list[index])
    }

    /// The number of tenants; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one")]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// For faults that change the enforced limits.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tenant> {
        self.list.iter_mut()
    }

    /// The position of a tenant, which is the index of its metrics.
    pub(crate) fn index_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_built_in_tenants_are_valid() {
        let tenants = Tenants::builtin();
        let shown: Vec<_> = tenants
            .list
            .iter()
            .map(|tenant| format!("{}: {} {:?}", tenant.id, tenant.limits[0].limit, tenant.reply_style))
            .collect();
        assert_eq!(
            shown,
            [
                "acme: 8 per 10 second Reverse",
                "globex: 4 per 10 second Upper",
                "initech: 6 per 10 second Acknowledge"
            ]
        );
    }

    #[test]
    fn id_and_limits_make_a_complete_line() {
        let tenants = Tenants::parse("\n{\"id\":\"t-1\",\"limits\":{\"chat_per_1s\":1}}\r\n\n", "t").unwrap();
        let tenant = tenants.get("t-1").unwrap();
        assert_eq!((tenant.name.as_str(), tenant.welcome.as_str()), ("t-1", "Welcome to t-1!"));
        assert_eq!((tenant.model.as_str(), tenant.reply_style), ("mock", ReplyStyle::Acknowledge));
    }

    #[test]
    fn all_invalid_lines_are_reported_at_once() {
        let text = include_str!("../tests/fixtures/bad-tenants.jsonl");
        insta::assert_snapshot!(Tenants::parse(text, "tenants.jsonl").unwrap_err());
    }

    #[test]
    fn an_empty_file_is_an_error() {
        insta::assert_snapshot!(Tenants::parse("\n\n", "tenants.jsonl").unwrap_err(), @"tenants.jsonl:1: no tenants in this file");
    }

    #[test]
    fn a_missing_file_is_reported_with_its_cause() {
        insta::assert_snapshot!(Tenants::read(Path::new("/nowhere/tenants.jsonl")).unwrap_err(), @"/nowhere/tenants.jsonl:1: cannot be read: No such file or directory (os error 2)");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected_without_a_panic(
            text in r#"(\{("(id|limits|chat_per_1s|name)"|[:,{}0-9a-z"\[\]é \n]){0,20}\}?\n?){0,4}"#,
        ) {
            if let Err(error) = Tenants::parse(&text, "t") {
                prop_assert!(!error.problems.is_empty());
                prop_assert!(error.to_string().lines().all(|line| line.starts_with("t:")));
            }
        }
    }
}
