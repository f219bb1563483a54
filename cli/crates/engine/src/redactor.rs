//! The secrets of a run, which are kept out of what is recorded of responses: a service may echo what it received.

use std::collections::BTreeMap;

use super::render;
use saasbench_model::{
    redact::secrets::Redactor,
    scenario::{
        Scenario,
        template::{Escape, Part, Template, Variable},
    },
};

/// Replaces `secrets`, the values of `${env:NAME}`, and the credentials that they are part of.
pub fn of(scenario: &Scenario, secrets: &BTreeMap<String, String>) -> Redactor {
    let values = secrets.iter().map(|(name, secret)| (secret.clone(), format!("${{env:{name}}}")));
    Redactor::new(values.chain(credentials(scenario, secrets)))
}

/// The credentials of basic authentication that secrets are part of, as they are sent, with their placeholder.
pub fn credentials(scenario: &Scenario, secrets: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let headers = scenario.steps.iter().flat_map(|step| &step.headers);
    let basic = headers.filter(|(_, value)| value.escape == Escape::Basic);
    let pairs = basic.filter_map(|(_, value)| pair(value, secrets));
    pairs.map(|pair| (render::base64(pair.as_bytes()), "${basic}".to_owned())).collect()
}

/// User and password, where they are the same in every request.
fn pair(template: &Template, secrets: &BTreeMap<String, String>) -> Option<String> {
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
        let redactor = of(&scenario.unwrap(), &secrets);
        for (text, clean) in [
            ("nothing", "nothing"),
            ("a s3 cr\"t b", "a ${env:A} b"),
            ("a s3 cr\"t-longer b", "a ${env:B} b"),
            (r#"{"a": "s3 cr\"t"}"#, r#"{"a": "${env:A#2}"}"#),
            ("q=s3%20cr%22t&", "q=${env:A#3}&"),
            ("Basic bWU6czMgY3IidA==", "Basic ${basic}"),
        ] {
            assert_eq!(redactor.redact(text), clean);
        }
        assert!(Redactor::default().is_empty() && !redactor.is_empty());
    }
}
