//! Redacts URLs for display and for the record: keeps where a URL leads, removes credentials, query values
//! and fragments, where tokens may be. Also decides which names suggest a secret. `secrets` replaces known
//! secrets in any text.

mod encoded;
mod fields;
pub mod secrets;

/// Replaces what is hidden.
const HIDDEN: &str = "***";
/// Words at the end of a secret's name; names of other keys may end with them, too.
const LAST: [&str; 9] = ["auth", "bearer", "key", "pass", "pwd", "session", "sid", "sig", "token"];
/// Words before `key` that make a name harmless.
const OPEN_KEYS: [&str; 11] = [
    "cache",
    "foreign",
    "group",
    "idempotency",
    "partition",
    "primary",
    "public",
    "routing",
    "sort",
    "surrogate",
    "websocket",
];
/// Substrings of a secret's name, ignoring case and punctuation.
const PARTS: [&str; 15] = [
    "accesskey",
    "apikey",
    "authentication",
    "authorization",
    "cookie",
    "credential",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "sessid",
    "sessionid",
    "signature",
];

/// A URL in a form that may be shown. A text that is not a URL may be one with a mistake, and is treated
/// alike. `${…}` is kept.
pub fn url(text: &str) -> String {
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let begin = text.find("://").filter(|at| text[..*at].chars().all(of_scheme)).map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(begin);
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may contain any delimiter, so credentials extend to the last `@`; likewise in a text that is
    // not a URL.
    let has_user = !is_plain(text) || rest.get(..authority).is_some_and(|authority| authority.contains('@'));
    let user_ends = rest.rfind('@').filter(|_| has_user);
    let (user, rest) = user_ends.map_or(("", rest), |at| (HIDDEN, &rest[at..]));
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(rest, _)| (rest, "#***"));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&")));
    format!("{scheme}{user}{path}{}{fragment}", query.unwrap_or_default())
}

/// The base URL in a text: without credentials, query, fragment, and trailing slash. `None` if the text is
/// not a URL.
pub fn base(text: &str) -> Option<String> {
    let mut url = url::Url::parse(text).ok()?;
    // Fails only for URLs that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Whether a header or parameter of this name usually holds a secret.
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let plain = words.concat();
    let is_open_key = words.iter().any(|word| OPEN_KEYS.contains(&word.as_str()));
    let last = words.last().map_or("", String::as_str);
    LAST.contains(&last) && !(last == "key" && is_open_key)
        || plain.ends_with("token")
        || PARTS.iter().any(|part| plain.contains(part))
}

/// Whether part of a secret is written literally in this value, instead of coming from variables
/// (`${env:NAME}`) only. Harmless beside a secret are the scheme (`Bearer`), its own name (`sid=`), and other
/// pairs (`theme=dark`).
pub fn is_typed(value: &str) -> bool {
    let between = |c: char| c.is_whitespace() || ";,".contains(c);
    let parts: Vec<&str> = value.split(between).filter(|part| !part.is_empty()).collect();
    let is_text = |text: &str| text.contains(char::is_alphanumeric);
    let is_good = |(position, part): (usize, &&str)| match (part.find("${"), part.split_once('=')) {
        // A name before it is not part of the secret.
        (Some(at), pair) => {
            let name = pair.map_or(0, |(name, _)| name.len() + 1);
            !is_text(&without_variables(&part[if name <= at { name } else { 0 }..]))
        }
        (None, Some((name, value))) => is_text(value) && !is_secret(name),
        (None, None) => position == 0 && parts.len() > 1,
    };
    !value.contains("${env:") || !parts.iter().enumerate().all(is_good)
}

/// The text without its variables.
fn without_variables(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, (_, behind))) =
        rest.split_once("${").and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        plain.push_str(before);
        rest = behind;
    }
    plain + rest
}

/// The lower-case words of a name: `X-Auth-Key` and `xAuthKey` have the same three.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || was_small && c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        was_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether this parses as a URL of a host or a socket, without credentials.
fn is_plain(text: &str) -> bool {
    let has_no_credentials = |url: &url::Url| url.username().is_empty() && url.password().is_none();
    text.starts_with("unix:")
        || url::Url::parse(text).is_ok_and(|url| url.has_host() && has_no_credentials(&url))
}

/// Redacts a `name=value` pair of a query.
fn pair(text: &str) -> String {
    let is_open =
        |value: &str| value.is_empty() || value.starts_with("${") && value.find('}') == Some(value.len() - 1);
    match text.split_once('=') {
        Some((_, value)) if is_open(value) => text.to_owned(),
        Some((name, _)) => format!("{name}={HIDDEN}"),
        None if is_open(text) => text.to_owned(),
        None => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_destination_is_shown() {
        let table = [
            ("http://127.0.0.1:8005/chat", "http://127.0.0.1:8005/chat"),
            ("localhost:8005/chat", "localhost:8005/chat"),
            ("http://h/@me/x", "http://h/@me/x"),
            ("unix:/run/a@b.sock:/chat", "unix:/run/a@b.sock:/chat"),
            ("redis://:secret@127.0.0.1:1/0", "redis://***@127.0.0.1:1/0"),
            ("https://token@h/api", "https://***@h/api"),
            ("http://me:p@ss@h/", "http://***@h/"),
            ("http://me:pa/ss?w#rd@h/", "http://***@h/"),
            ("me:secret@h:8005/chat", "***@h:8005/chat"),
            ("me:se/cret@h/chat", "***@h/chat"),
            ("http://h/?token=s3cret&page=2&x#access_token=s3cret", "http://h/?token=***&page=***&***#***"),
            ("http://h:99999/?sig=s3cret", "http://h:99999/?sig=***"),
            ("unix:/a.sock:/x?key=s3cret", "unix:/a.sock:/x?key=***"),
            ("http://h/${n}?t=${env:T}&u=${a}x&e=", "http://h/${n}?t=${env:T}&u=***&e="),
            ("", ""),
        ];
        for (text, shown) in table {
            assert_eq!(url(text), shown, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_secret_is_never_shown(
            before in "[a-z]{0,6}(://)?",
            user in "[a-z:/?#%$@]{0,8}",
            host in "[a-z.:]{0,6}",
            tail in "[/?#&=a-z]{0,8}",
        ) {
            // These letters occur nowhere else.
            for text in [format!("{before}{user}:HUSH@{host}{tail}"), format!("http://{host}/?{tail}=HUSH"), format!("http://h/{tail}#HUSH")] {
                let of_user = text.contains('@');
                let shown = url(&text);
                // A valid URL without credentials has none, wherever an `@` occurs in it.
                let is_plain = url::Url::parse(&text).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none());
                proptest::prop_assert!(!shown.contains("HUSH") || of_user && is_plain, "{text} is shown as {shown}");
            }
        }
    }

    #[test]
    fn secrets_are_recognised_by_their_names() {
        for name in [
            "token",
            "access_token",
            "X-Api-Key",
            "apiKey",
            "Authorization",
            "key",
            "password",
            "X-Amz-Signature",
            "client_secret",
            "Cookie",
            "X-Auth-Key",
            "X-Functions-Key",
            "Ocp-Apim-Subscription-Key",
            "subscriptionKey",
            "passphrase",
            "session",
            "PHPSESSID",
            "JSESSIONID",
            "connect.sid",
            "Private-Token",
            "X-Amz-Security-Token",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "page",
            "max_tokens",
            "Idempotency-Key",
            "sort_key",
            "publicKey",
            "keyword",
            "author",
            "max_sessions",
            "q",
            "X-Tenant",
            "X-Scope-OrgID",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn a_secret_that_is_typed_beside_a_variable_is_found() {
        for value in [
            "${env:X}",
            "Bearer ${env:X}",
            "Token token=\"${env:X}\"",
            "sid=${env:X}; theme=dark",
            "${env:A}.${env:B}",
            "${env:A}:${env:B}==",
        ] {
            assert!(!is_typed(value), "{value}");
        }
        for value in [
            "",
            "hush",
            "Bearer hush",
            "Basic aHVzaA==",
            "Bearer hush${env:X}",
            "Bearer ${env:X}hush",
            "Bearer hush ${env:X}",
            "hush${env:X}",
            "sid=hush; theme=${env:X}",
            "Basic aHVzaA== ${env:X}",
            "Bearer ${tenant}",
        ] {
            assert!(is_typed(value), "{value}");
        }
    }

    #[test]
    fn a_base_has_no_user_and_no_query() {
        let table = [
            ("http://***@h:9090/prom", Some("http://h:9090/prom")),
            ("https://me:***@h", Some("https://h")),
            ("http://h:9090", Some("http://h:9090")),
            ("https://h/@v1/?x=1#y", Some("https://h/@v1")),
            ("/v1", None),
        ];
        for (text, expected) in table {
            assert_eq!(base(text).as_deref(), expected, "{text}");
        }
    }
}
