//! Fills a step's templates: from a user's state to a request.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{canary::Canaries, transport::Request};
use crate::{
    scenario::{
        Step, TenantIndex,
        template::{Escape, Part, Template, Variable},
    },
    units::TenantId,
};

/// Values that templates can name.
#[derive(Debug)]
pub struct Values<'a> {
    /// `${tenant}`
    pub tenant: &'a TenantId,
    /// `${user}`
    pub user: u64,
    /// `${n}`
    pub iteration: u64,
    /// `${canary}`: the run's, and whose; `None` only where no template names it.
    pub canary: Option<(&'a Canaries, TenantIndex)>,
    /// Saved values by slot.
    pub saved: &'a [Option<String>],
    /// `${env:NAME}` by name.
    pub secrets: &'a BTreeMap<String, String>,
}

/// Renders a step's request; `None` when a value that it needs was never saved.
pub fn request(step: &Step, values: &Values<'_>, replica: usize) -> Option<Request> {
    let mut headers = Vec::with_capacity(step.headers.len() + 1);
    for (name, template) in &step.headers {
        headers.push((name.clone(), render(template, values)?));
    }
    let body = match &step.body {
        Some(template) => {
            if template.escape == Escape::Json && !headers.iter().any(|(name, _)| name == "content-type") {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            Some(render(template, values)?)
        }
        None => None,
    };
    Some(Request {
        replica,
        method: step.method.clone(),
        path: render(&step.path, values)?,
        headers,
        body,
        keep_body: !step.save.is_empty() || values.canary.is_some(),
    })
}

/// Renders one template; `None` when a value that it needs was never saved.
pub fn render(template: &Template, values: &Values<'_>) -> Option<String> {
    let mut text = String::new();
    for part in &template.parts {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Variable(Variable::Tenant) => escape(template.escape, values.tenant.as_str(), &mut text),
            // Digits need no escape anywhere.
            Part::Variable(Variable::User) => write!(text, "{}", values.user).ok()?,
            Part::Variable(Variable::Iteration) => write!(text, "{}", values.iteration).ok()?,
            Part::Variable(Variable::Canary) => {
                let (canaries, tenant) = values.canary?;
                text.push_str(&canaries.word(tenant));
            }
            Part::Variable(Variable::Saved(slot)) => {
                escape(template.escape, values.saved.get(*slot)?.as_deref()?, &mut text);
            }
            Part::Variable(Variable::Secret(name)) => {
                escape(template.escape, values.secrets.get(name)?, &mut text);
            }
        }
    }
    Some(text)
}

fn escape(how: Escape, value: &str, text: &mut String) {
    match how {
        Escape::None => text.push_str(value),
        Escape::Json => {
            // The quotes around it stand in the template already.
            let quoted = serde_json::Value::from(value).to_string();
            text.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        }
        Escape::Url => {
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    text.push(char::from(byte));
                } else {
                    let _ = write!(text, "%{byte:02X}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_for_their_place() {
        let tenant = TenantId::from("a/b \"c\" é");
        let secrets = BTreeMap::from([("KEY".to_owned(), "s\n".to_owned())]);
        let canaries = Canaries::new("0000000000000001".to_owned());
        let canary = Some((&canaries, 3));
        let values =
            Values { tenant: &tenant, user: 2, iteration: 7, canary, saved: &[None], secrets: &secrets };
        let render = |escape, variables: &[Variable]| {
            let parts =
                variables.iter().cloned().map(Part::Variable).chain([Part::Text("!".into())]).collect();
            render(&Template { parts, escape }, &values)
        };
        assert_eq!(render(Escape::Url, &[Variable::Tenant]).unwrap(), "a%2Fb%20%22c%22%20%C3%A9!");
        assert_eq!(render(Escape::Json, &[Variable::Tenant]).unwrap(), "a/b \\\"c\\\" é!");
        assert_eq!(render(Escape::Json, &[Variable::Secret("KEY".into())]).unwrap(), "s\\n!");
        assert_eq!(render(Escape::None, &[Variable::User, Variable::Iteration]).unwrap(), "27!");
        assert_eq!(render(Escape::Json, &[Variable::Canary]).unwrap(), canaries.word(3) + "!");
        assert_eq!(render(Escape::None, &[Variable::Saved(0)]), None);
    }
}
