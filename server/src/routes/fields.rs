//! The fields of a request, from its body and its headers, and their validation. Errors name the field.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::ApiError;
use crate::tenants::{Tenant, Tenants};

/// The names of a field that either the body or a header may contain.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldName {
    header: &'static str,
    field: &'static str,
}

pub(super) const TENANT: FieldName = FieldName { header: "X-Tenant-ID", field: "tenant_id" };
pub(super) const SESSION: FieldName = FieldName { header: "X-Session-ID", field: "session_id" };

/// The values of the headers that replace fields; a well-formed request has at most one of each.
#[derive(Debug)]
pub(super) struct HeaderFields {
    pub(super) tenant: Vec<HeaderValue>,
    pub(super) session: Vec<HeaderValue>,
}

impl HeaderFields {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");
        const SESSION: HeaderName = HeaderName::from_static("x-session-id");
        let values = |name| headers.get_all(name).iter().cloned().collect();
        Self { tenant: values(TENANT), session: values(SESSION) }
    }
}

/// The body of a request. Unknown keys are ignored, as in other servers with this API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fields<'a> {
    #[serde(borrow)]
    pub(super) tenant_id: Field<'a>,
    #[serde(borrow)]
    pub(super) session_id: Field<'a>,
    #[serde(borrow)]
    pub(super) message: Field<'a>,
}

impl<'a> Fields<'a> {
    /// Parses a body; an empty one has no fields (headers may contain all that are needed).
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ApiError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        // Checked first: serde would accept an array of the fields' values, too.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
            serde_json::from_slice(bytes).map_err(|error| Self::invalid(&error))
        } else {
            serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| Self::invalid(&error))?;
            Err(ApiError::Invalid { field: "body", problem: "must be a JSON object".to_owned() })
        }
    }

    fn invalid(error: &serde_json::Error) -> ApiError {
        let problem = if error.is_data() { error.to_string() } else { format!("malformed JSON: {error}") };
        ApiError::Invalid { field: "body", problem }
    }
}

/// The value of a field. Any type is accepted here, so that the response can name a field of the wrong type.
#[derive(Debug, Default)]
pub(super) enum Field<'a> {
    #[default]
    Missing,
    Text(Cow<'a, str>),
    /// Another JSON type, by its name.
    Other(&'static str),
}

impl<'a> Field<'a> {
    /// The text, if the field is present; an empty text is an error.
    fn text(self, field: &'static str) -> Result<Option<Cow<'a, str>>, ApiError> {
        let invalid = |problem: String| Err(ApiError::Invalid { field, problem });
        match self {
            Self::Missing => Ok(None),
            Self::Text(text) if text.is_empty() => invalid("must not be empty".to_owned()),
            Self::Text(text) => Ok(Some(text)),
            Self::Other(kind) => invalid(format!("must be a string, not {kind}")),
        }
    }

    /// The text of a field that only the body can contain.
    pub(super) fn required(self, field: &'static str) -> Result<Cow<'a, str>, ApiError> {
        self.text(field)?.ok_or_else(|| missing(field))
    }

    /// The text of a field from the body or a header; where both have it, they must agree.
    pub(super) fn or_header(
        self,
        name: FieldName,
        values: &'a [HeaderValue],
    ) -> Result<Cow<'a, str>, ApiError> {
        let mut found = self.text(name.field)?;
        for value in values {
            // Ids are ASCII, so other header values cannot match.
            let text = value.to_str().map_err(|_| ApiError::Invalid {
                field: name.header,
                problem: "must be visible ASCII".to_owned(),
            })?;
            match &found {
                None => found = Some(Cow::Borrowed(text)),
                Some(other) if *other == text => {}
                Some(_) => return Err(ApiError::FieldMismatch { header: name.header, field: name.field }),
            }
        }
        found.filter(|text| !text.is_empty()).ok_or_else(|| missing(name.field))
    }
}

fn missing(field: &'static str) -> ApiError {
    ApiError::Invalid { field, problem: "field required".to_owned() }
}

/// The position of the tenant that headers and body name, for the metrics: known even if the request fails
/// for another reason. `None` where they disagree.
pub(super) fn named_tenant(
    body: Option<&Fields<'_>>,
    headers: &HeaderFields,
    tenants: &Tenants,
) -> Option<usize> {
    let in_body = body.and_then(|body| match &body.tenant_id {
        Field::Text(text) => Some(text.as_ref()),
        _ => None,
    });
    let in_headers = headers.tenant.iter().map(|value| value.to_str().unwrap_or_default());
    let mut names = in_headers.chain(in_body);
    let first = names.next()?;
    if names.all(|other| other == first) { tenants.index_of(first) } else { None }
}

pub(super) fn find_tenant<'t>(tenants: &'t Tenants, id: &str) -> Result<&'t Tenant, ApiError> {
    tenants.get(id).ok_or(ApiError::UnknownTenant)
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Field::Other("a boolean"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Field::Other("a number"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Field::Other("a number"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Field::Other("a number"))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Other("null"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other("an array"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other("an object"))
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    fn status_and_detail(body: &str) -> String {
        let read = |body: &str| -> Result<String, ApiError> {
            let fields = Fields::parse(body.as_bytes())?;
            let tenant = fields.tenant_id.or_header(TENANT, &[])?.into_owned();
            fields.session_id.or_header(SESSION, &[])?;
            fields.message.required("message")?;
            Ok(tenant)
        };
        match read(body) {
            Ok(tenant) => format!("ok {tenant}"),
            Err(error) => {
                let response = error.into_response();
                let status = response.status();
                let body = response.into_body().collect().now_or_never().unwrap().unwrap().to_bytes();
                format!("{} {}", status.as_str(), String::from_utf8_lossy(&body))
            }
        }
    }

    #[test]
    fn errors_name_the_field() {
        let bodies = [
            r#"{"tenant_id":"acme","session_id":"s","message":"m","extra":[1,{"a":null}]}"#,
            r#"{"tenant_id":"\u0061cme","session_id":"s","message":"m"}"#,
            "",
            "{}",
            "{",
            "[]",
            r#"["acme","s","m"]"#,
            "[",
            "null",
            "\"acme\"",
            "\u{feff}{}",
            r#"{"tenant_id":7}"#,
            r#"{"tenant_id":null}"#,
            r#"{"tenant_id":["acme"]}"#,
            r#"{"tenant_id":""}"#,
            r#"{"tenant_id":"acme","tenant_id":"acme"}"#,
            r#"{"tenant_id":"acme"}"#,
            r#"{"tenant_id":"acme","session_id":{"a":1}}"#,
            r#"{"tenant_id":"acme","session_id":"s"}"#,
            r#"{"tenant_id":"acme","session_id":"s","message":true}"#,
            r#"{"tenant_id":"acme","session_id":"s","message":"\ud800"}"#,
            r#"{"tenant_id":"acme"} trailing"#,
        ];
        let shown: Vec<_> =
            bodies.iter().map(|body| format!("{body}\n  {}", status_and_detail(body))).collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
