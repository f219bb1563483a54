//! Keeps secrets out of what is recorded of responses: a service may echo what it received.

use std::{borrow::Cow, collections::BTreeMap};

use super::render;
use saasbench_model::scenario::{
    Scenario,
    template::{Escape, Part, Template, Variable},
};

/// The secrets of a run in the forms in which they are sent, each with its placeholder.
#[derive(Debug, Default)]
pub struct Redactor {
    /// The longest first, because one may be part of another.
    forms: Vec<(String, String)>,
}

impl Redactor {
    /// Collects the forms of `secrets`, the values of `${env:NAME}`, and the credentials that they are part
    /// of.
    pub fn new(scenario: &Scenario, secrets: &BTreeMap<String, String>) -> Self {
        let mut redactor = Self::default();
        for (name, secret) in secrets {
            let shown = format!("${{env:{name}}}");
            for form in render::forms(secret) {
                redactor.add(form, &shown);
            }
        }
        for (_, value) in scenario.steps.iter().flat_map(|step| &step.headers) {
            if value.escape == Escape::Basic
                && let Some(credentials) = credentials(value, secrets)
            {
                redactor.add(render::base64(credentials.as_bytes()), "${basic}");
            }
        }
        redactor
    }

    /// Adds a text to be replaced by `shown`.
    pub fn add(&mut self, text: String, shown: &str) {
        let known = self.forms.iter().any(|(form, _)| *form == text);
        if !text.is_empty() && !known {
            let at = self.forms.partition_point(|(form, _)| form.len() > text.len());
            self.forms.insert(at, (text, shown.to_owned()));
        }
    }

    /// Whether there are no secrets.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The text with every secret replaced.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for (form, shown) in &self.forms {
            if clean.contains(form.as_str()) {
                clean = Cow::Owned(clean.replace(form.as_str(), shown));
            }
        }
        clean
    }
}

/// User and password, where they are the same in every request.
fn credentials(template: &Template, secrets: &BTreeMap<String, String>) -> Option<String> {
    let part = |part: &Part| match part {
        Part::Text(text) => Some(text.clone()),
        Part::Variable(Variable::Secret(name)) => secrets.get(name).cloned(),
        Part::Variable(_) => None,
    };
    template.parts.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use saasbench_model::scenario::resolve::{Sources, resolve};

    #[test]
    fn secrets_are_redacted_in_every_form() {
        let secrets = [("A", "s3 cr\"t"), ("B", "s3 cr\"t-longer"), ("EMPTY", "")];
        let secrets =
            secrets.into_iter().map(|(name, secret)| (name.to_owned(), secret.to_owned())).collect();
        let text = "version = 1\n[[tenant]]\nid = \"a\"\n[[journey]]\nname = \"j\"\n\
                    [[journey.step]]\nget = \"/\"\nauth = { basic = [\"me\", \"${env:A}\"] }\n\
                    [[load]]\nusers = 1\nduration = \"1s\"\n";
        let read_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
        let scenario = resolve(text, "t.toml", &Sources { read_file: &read_file, environment: None });
        let redactor = Redactor::new(&scenario.unwrap(), &secrets);
        for (text, clean) in [
            ("nothing", "nothing"),
            ("a s3 cr\"t b", "a ${env:A} b"),
            ("a s3 cr\"t-longer b", "a ${env:B} b"),
            (r#"{"a": "s3 cr\"t"}"#, r#"{"a": "${env:A}"}"#),
            ("q=s3%20cr%22t&", "q=${env:A}&"),
            ("Basic bWU6czMgY3IidA==", "Basic ${basic}"),
        ] {
            assert_eq!(redactor.redact(text), clean);
        }
        assert!(Redactor::default().is_empty() && !redactor.is_empty());
    }
}
