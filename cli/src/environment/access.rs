//! Access to Prometheus: address, credentials and TLS trust, from `saasbench.toml` or the command line.
//! Secrets are referred to there (`${env:NAME}`) and filled in here; they leave this module only in requests.

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde::{Deserialize, Deserializer, de};

use super::{EnvironmentError, option_duration};
use crate::{
    input,
    observe::prometheus::client::{BODY_SIZE_LIMIT, Credentials, TIMEOUT},
    secrets,
};
use saasbench_engine::connect::tls::Identity;
use saasbench_model::{
    redact::{is_secret, is_typed},
    scenario::{
        http::Http,
        notation::{Complaint, size},
    },
};

/// Looks up an environment variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// `[environment.X.prometheus]`, as written; a text in its place is its `url`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrometheusConfig {
    /// The URL up to `/api/v1`.
    pub url: String,
    /// User and password.
    pub basic: Option<[String; 2]>,
    /// A token.
    pub bearer: Option<String>,
    /// Any other headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A PEM file with trusted authorities.
    pub ca_file: Option<String>,
    /// Whether any certificate is accepted.
    #[serde(default)]
    pub insecure: bool,
    /// A PEM file with the client certificate.
    pub certificate: Option<String>,
    /// A PEM file with its private key.
    pub key: Option<String>,
    /// How long a response may take.
    #[serde(default, with = "option_duration")]
    pub timeout: Option<Duration>,
    /// The longest response that is read: `256MiB`.
    pub body_size_limit: Option<String>,
}

impl PrometheusConfig {
    /// From the command line: an address, and headers as `NAME: VALUE`.
    ///
    /// # Errors
    /// When a header is not valid.
    pub fn of_arguments(url: &str, headers: &[String]) -> Result<Self, EnvironmentError> {
        let mut config = Self { url: url.to_owned(), ..Self::default() };
        for header in headers {
            let (name, value) = header.split_once(':').ok_or_else(|| EnvironmentError::Usage {
                message: "--prometheus-header: this is not a header: it has no `:`".to_owned(),
                hint: "write it as 'X-Scope-OrgID: acme' or 'Authorization: Bearer ${env:TOKEN}'".to_owned(),
            })?;
            config.headers.insert(name.trim().to_owned(), value.trim().to_owned());
        }
        Ok(config)
    }
}

/// Deserializes a text or a table.
///
/// # Errors
/// When it is neither, or the table is wrong.
pub(super) fn text_or_table<'de, D: Deserializer<'de>>(d: D) -> Result<Option<PrometheusConfig>, D::Error> {
    struct Visitor;

    impl<'de> de::Visitor<'de> for Visitor {
        type Value = PrometheusConfig;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the URL of Prometheus, or a table with `url`")
        }

        fn visit_str<E: de::Error>(self, url: &str) -> Result<PrometheusConfig, E> {
            Ok(PrometheusConfig { url: url.to_owned(), ..PrometheusConfig::default() })
        }

        fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<PrometheusConfig, A::Error> {
            PrometheusConfig::deserialize(de::value::MapAccessDeserializer::new(map))
        }
    }

    d.deserialize_any(Visitor).map(Some)
}

/// Everything that queries to a Prometheus need.
#[derive(Debug, Clone)]
pub struct Access {
    /// The URL up to `/api/v1`.
    pub url: String,
    /// Sent with every query.
    pub credentials: Credentials,
    /// How long a response may take.
    pub timeout: Duration,
    /// The longest response that is read, in bytes.
    pub body_size_limit: u64,
    /// Authorities to trust in place of the environment's: text and name of a PEM file.
    ca_file: Option<(String, String)>,
    insecure: bool,
    /// The client certificate.
    pub identity: Option<Identity>,
}

impl Access {
    /// Reads `config`. `place` names its source in messages: `environment `x``, `--prometheus`.
    ///
    /// # Errors
    /// All mistakes at once. No message contains the value of a variable.
    pub fn new(
        config: PrometheusConfig,
        place: &str,
        variables: Variables<'_>,
    ) -> Result<Self, EnvironmentError> {
        let mut reading =
            Reading { variables, missing: Vec::new(), problems: Vec::new(), secrets: Vec::new() };
        reading.check(&config);
        let headers = reading.headers(&config);
        let ca_file = reading.file("ca_file", config.ca_file.as_deref());
        let certificate = reading.file("certificate", config.certificate.as_deref());
        let key = reading.file("key", config.key.as_deref());
        let body_size_limit = reading.size("body_size_limit", config.body_size_limit.as_deref());
        let Reading { missing, mut problems, secrets, .. } = reading;
        if !missing.is_empty() {
            problems.push(format!("not set among the environment variables: {}", missing.join(", ")));
        }
        if !problems.is_empty() {
            return Err(EnvironmentError::Usage {
                message: format!("{place}: prometheus: {}", problems.join("; ")),
                hint: "docs/environments.md#prometheus shows every key".to_owned(),
            });
        }
        secrets::protect_url(&config.url);
        secrets::protect(secrets.iter().cloned());
        Ok(Self {
            url: config.url,
            credentials: Credentials { headers, secrets },
            timeout: config.timeout.unwrap_or(TIMEOUT),
            body_size_limit: body_size_limit.unwrap_or(BODY_SIZE_LIMIT),
            ca_file,
            insecure: config.insecure,
            identity: certificate.zip(key).map(|(certificate, key)| Identity { certificate, key }),
        })
    }

    /// `http` with the trust declared here, if any.
    pub fn trust(&self, http: &Http) -> Http {
        if self.insecure || self.ca_file.is_some() {
            Http { insecure: self.insecure, ca_file: self.ca_file.clone(), ..http.clone() }
        } else {
            http.clone()
        }
    }
}

/// The credentials in headers of the command line (`NAME: VALUE`, secrets as `${env:NAME}`). `option` is
/// their flag.
///
/// # Errors
/// All mistakes at once.
pub fn credentials(
    option: &str,
    headers: &[String],
    variables: Variables<'_>,
) -> Result<Credentials, EnvironmentError> {
    let mut reading = Reading { variables, missing: Vec::new(), problems: Vec::new(), secrets: Vec::new() };
    let mut map = HeaderMap::new();
    for header in headers {
        match header.split_once(':') {
            Some((name, value)) => {
                let (name, value) = (name.trim(), value.trim());
                let value = reading.filled(value, is_secret(name));
                reading.header(&mut map, name, &value);
            }
            None => reading.problems.push("this is not a header: it has no `:`".to_owned()),
        }
    }
    let Reading { missing, mut problems, secrets, .. } = reading;
    if !missing.is_empty() {
        problems.push(format!("not set among the environment variables: {}", missing.join(", ")));
    }
    if !problems.is_empty() {
        return Err(EnvironmentError::Usage {
            message: format!("{option}: {}", problems.join("; ")),
            hint: "write it as 'X-Scope-OrgID: acme' or 'Authorization: Bearer ${env:TOKEN}', and set the variable"
                .to_owned(),
        });
    }
    secrets::protect(secrets.iter().cloned());
    Ok(Credentials { headers: map, secrets })
}

/// A value of at least this length counts as a secret even where none is expected.
const LONG: usize = 20;

/// Reads a configuration and collects its mistakes.
struct Reading<'a> {
    variables: Variables<'a>,
    /// Names of variables that are not set.
    missing: Vec<String>,
    problems: Vec<String>,
    secrets: Vec<(String, String)>,
}

impl Reading<'_> {
    /// Finds contradictions, and secrets in plain text.
    fn check(&mut self, config: &PrometheusConfig) {
        let mut wrong = |is_wrong: bool, problem: &str| {
            if is_wrong {
                self.problems.push(problem.to_owned());
            }
        };
        let url = url::Url::parse(&config.url).ok();
        let is_good = url.as_ref().is_some_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        wrong(
            !is_good,
            "`url` is what stands before /api/v1: http://127.0.0.1:9090, https://example.com/prometheus",
        );
        let in_url = url.is_some_and(|url| !url.username().is_empty() || url.password().is_some());
        let in_header = config.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        let given = [in_url, in_header, config.basic.is_some(), config.bearer.is_some()];
        let ways = given.iter().filter(|given| **given).count();
        wrong(
            ways > 1,
            "credentials are given more than once: by `basic`, `bearer`, an Authorization header or the URL",
        );
        wrong(
            config.basic.as_ref().is_some_and(|[_, password]| is_typed(password)),
            "a password in the file is no secret: basic = [\"user\", \"${env:PASSWORD}\"]",
        );
        wrong(
            config.bearer.as_deref().is_some_and(is_typed),
            "a token in the file is no secret: bearer = \"${env:TOKEN}\"",
        );
        let is_exposed = config.headers.iter().any(|(name, value)| is_secret(name) && is_typed(value));
        wrong(is_exposed, "credentials in a header are no secret there: \"Bearer ${env:TOKEN}\"");
        wrong(
            config.insecure && config.ca_file.is_some(),
            "`insecure` accepts every certificate, so `ca_file` means nothing",
        );
        wrong(
            config.certificate.is_some() != config.key.is_some(),
            "`certificate` and `key` belong together",
        );
    }

    /// A number of bytes, if it is given.
    fn size(&mut self, key: &str, text: Option<&str>) -> Option<u64> {
        let complain = |complaint: Complaint| {
            self.problems.push(format!("`{key}`: {}; {}", complaint.message, complaint.help));
        };
        text.and_then(|text| size(text).map_err(complain).ok())
    }

    fn headers(&mut self, config: &PrometheusConfig) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some([user, password]) = &config.basic {
            let pair = format!("{}:{}", self.filled(user, false), self.filled(password, true));
            let encoded = BASE64_STANDARD.encode(pair);
            self.secrets.push((encoded.clone(), "${basic}".to_owned()));
            self.header(&mut headers, AUTHORIZATION.as_str(), &format!("Basic {encoded}"));
        }
        if let Some(token) = &config.bearer {
            let value = format!("Bearer {}", self.filled(token, true));
            self.header(&mut headers, AUTHORIZATION.as_str(), &value);
        }
        for (name, value) in &config.headers {
            let value = self.filled(value, is_secret(name));
            self.header(&mut headers, name, &value);
        }
        headers
    }

    fn header(&mut self, headers: &mut HeaderMap, name: &str, value: &str) {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            (Err(_), _) => self.problems.push(format!("`{name}` is not the name of a header")),
            (_, Err(_)) => {
                self.problems.push(format!("the value of the header {name} cannot be sent as one"));
            }
        }
    }

    /// A text with its variables filled in. Not all of them are secrets: the name of a user or of a tenant
    /// may well occur in Prometheus's responses.
    fn filled(&mut self, text: &str, is_secret: bool) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            filled.push_str(before);
            let Some((inner, behind)) = after.split_once('}') else {
                self.problems.push("a `${` is not closed".to_owned());
                return filled;
            };
            rest = behind;
            let Some(name) = inner.strip_prefix("env:") else {
                self.problems.push(format!("`${{{inner}}}` means nothing here; `${{env:NAME}}` does"));
                continue;
            };
            match (self.variables)(name).filter(|value| !value.is_empty()) {
                Some(value) => {
                    filled.push_str(&value);
                    if is_secret || value.len() >= LONG {
                        self.secrets.push((value, format!("${{env:{name}}}")));
                    }
                }
                None if self.missing.iter().any(|known| known == name) => {}
                None => self.missing.push(name.to_owned()),
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Text and name of a file.
    fn file(&mut self, key: &str, path: Option<&str>) -> Option<(String, String)> {
        let path = path?;
        match input::read_to_string(Path::new(path)) {
            Ok(text) => Some((text, path.to_owned())),
            Err(error) => {
                self.problems.push(format!("`{key}`: cannot read {path}: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
