//! What of a URL may be shown and recorded (a leaf): where it leads, but neither who asks nor the values of its query and what
//! stands in its fragment, where tokens are. Also which names promise a secret.

/// What stands for what is not shown.
const HIDDEN: &str = "***";
/// Names that are a secret's as they are, without regard to case and punctuation.
const NAMES: [&str; 7] = ["auth", "jwt", "key", "pass", "pwd", "sid", "sig"];
/// What stands in a secret's name.
const PARTS: [&str; 10] = [
    "accesskey",
    "apikey",
    "authorization",
    "cookie",
    "credential",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "signature",
];

/// A URL as it may be shown; a text that is none may be one with a mistake in it, and is treated alike. `${…}` stays.
pub fn url(text: &str) -> String {
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let begin = text.find("://").filter(|at| text[..*at].chars().all(of_scheme)).map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(begin);
    let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password may hold what would end it, so where there is one it ends with the last `@`: as in a text that is no URL.
    let has_user = !is_plain(text) || rest.get(..authority).is_some_and(|authority| authority.contains('@'));
    let user_ends = rest.rfind('@').filter(|_| has_user);
    let (user, rest) = user_ends.map_or(("", rest), |at| (HIDDEN, &rest[at..]));
    let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(rest, _)| (rest, "#***"));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&")));
    format!("{scheme}{user}{path}{}{fragment}", query.unwrap_or_default())
}

/// Whether a header or a parameter of this name mostly holds a secret.
pub fn is_secret(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&plain.as_str())
        || plain.ends_with("token")
        || PARTS.iter().any(|part| plain.contains(part))
}

/// Whether this is understood as a URL of a host or of a socket, without who asks.
fn is_plain(text: &str) -> bool {
    let is_nobodys = |url: &reqwest::Url| url.username().is_empty() && url.password().is_none();
    text.starts_with("unix:") || reqwest::Url::parse(text).is_ok_and(|url| url.has_host() && is_nobodys(&url))
}

/// A name and what it is, of a query.
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
    fn where_it_leads_is_shown() {
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
            // Letters of which nothing else is made.
            for text in [format!("{before}{user}:HUSH@{host}{tail}"), format!("http://{host}/?{tail}=HUSH"), format!("http://h/{tail}#HUSH")] {
                let of_user = text.contains('@');
                let shown = url(&text);
                // What is a good URL without a user has none, wherever an `@` stands in it.
                let is_plain = reqwest::Url::parse(&text).is_ok_and(|url| url.has_host() && url.username().is_empty() && url.password().is_none());
                proptest::prop_assert!(!shown.contains("HUSH") || of_user && is_plain, "{text} is shown as {shown}");
            }
        }
    }

    #[test]
    fn secrets_are_known_by_their_names() {
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
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["page", "max_tokens", "Idempotency-Key", "keyword", "author", "q", "X-Tenant"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
