//! The cookies of one user, received by `Set-Cookie` and sent back (RFC 6265).
//!
//! All replicas count as one service: cookies are sent to every path of it, whatever their `Path` and
//! `Domain`. One with a `Max-Age` of zero or less, or an `Expires` in the past, is deleted; otherwise they
//! last as long as the user.

use jiff::{Timestamp, fmt::rfc2822};

use super::extract;

/// Cookies that are kept at most, as RFC 6265 (section 6.1) recommends per domain; beyond that the oldest is
/// removed.
const MOST: usize = 50;

/// A cookie jar.
#[derive(Debug, Default)]
pub struct Jar {
    /// Names and values, oldest first.
    cookies: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Jar {
    /// Removes all cookies.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Stores the cookies that a response sets; `head` has its fields as `name: value\r\n`, `now` is the wall
    /// clock's time.
    pub fn take(&mut self, head: &[u8], now: Timestamp) {
        for value in extract::headers(head, "set-cookie") {
            self.set(value, now);
        }
    }

    /// Appends `name=value; name=value`, or nothing without cookies.
    pub fn write_to(&self, request: &mut Vec<u8>) {
        for (i, (name, value)) in self.cookies.iter().enumerate() {
            if i > 0 {
                request.extend_from_slice(b"; ");
            }
            request.extend_from_slice(name);
            request.push(b'=');
            request.extend_from_slice(value);
        }
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    fn set(&mut self, set_cookie: &[u8], now: Timestamp) {
        let mut parts = set_cookie.split(|byte| *byte == b';');
        let Some((name, value)) = parts.next().and_then(|pair| pair_of(pair)) else { return };
        // HTTP/1 rejects line ends already; other control characters could smuggle in a header.
        if name.is_empty() || set_cookie.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return;
        }
        let (mut max_age, mut expires) = (None, None);
        for attribute in parts {
            let Some((key, value)) = pair_of(attribute) else { continue };
            if key.eq_ignore_ascii_case(b"max-age") {
                max_age = is_over(value).or(max_age);
            } else if key.eq_ignore_ascii_case(b"expires") {
                expires = instant(value).map(|instant| instant <= now).or(expires);
            }
        }
        // `Max-Age` takes precedence over `Expires` (RFC 6265, section 5.3).
        let gone = max_age.or(expires).unwrap_or(false);
        let place = self.cookies.iter().position(|(known, _)| known == name);
        match (place, gone) {
            (Some(index), true) => {
                self.cookies.remove(index);
            }
            (None, true) => {}
            (Some(index), false) => {
                if let Some((_, known)) = self.cookies.get_mut(index) {
                    known.clear();
                    known.extend_from_slice(value);
                }
            }
            (None, false) => {
                if self.cookies.len() == MOST {
                    self.cookies.remove(0);
                }
                self.cookies.push((name.to_vec(), value.to_vec()));
            }
        }
    }
}

/// The two sides of the first `=`, without space around them.
fn pair_of(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', part)?;
    let (name, value) = part.split_at(at);
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// Whether a `Max-Age` is zero or less; `None` if it is not a number and must be ignored.
fn is_over(value: &[u8]) -> Option<bool> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| negative || digits.iter().all(|digit| *digit == b'0'))
}

/// The instant of an `Expires`, also in the older notation with dashes; `None` if it is not a date and must
/// be ignored.
fn instant(value: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(value).ok()?.replace('-', " ");
    rfc2822::DateTimeParser::new().parse_timestamp(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cookies that are sent after these responses, at the start of 2025.
    fn sent(set_cookies: &[&str]) -> String {
        let now: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
        let mut jar = Jar::default();
        for set_cookie in set_cookies {
            jar.take(format!("content-type: text/html\r\nSet-Cookie: {set_cookie}\r\n").as_bytes(), now);
        }
        let mut cookie = Vec::new();
        jar.write_to(&mut cookie);
        assert_eq!(jar.is_empty(), cookie.is_empty());
        String::from_utf8(cookie).unwrap()
    }

    #[test]
    fn cookies_are_sent_back() {
        for (set_cookies, expected) in [
            (&[][..], ""),
            (&["sid=abc; Path=/; HttpOnly"], "sid=abc"),
            (&["a=1", "b=2", "a=3"], "a=3; b=2"),
            (&["a=\"q=1\"; Secure"], "a=\"q=1\""),
            (&["  a = 1 ;x"], "a=1"),
            (&["a="], "a="),
            (&["=1"], ""),
            (&["nothing"], ""),
            (&["a=1\u{0}b"], ""),
            (&["a=1", "A=2"], "a=1; A=2"),
        ] {
            assert_eq!(sent(set_cookies), expected, "{set_cookies:?}");
        }
    }

    #[test]
    fn cookies_are_deleted() {
        for (attributes, expected) in [
            ("Max-Age=0", ""),
            ("max-age=-1", ""),
            ("Max-Age=60", "a=2"),
            ("Max-Age=soon", "a=2"),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", ""),
            ("expires=Thu, 01-Jan-1970 00:00:00 GMT", ""),
            ("Expires=Wed, 01 Jan 2025 00:00:00 GMT", ""),
            ("Expires=Fri, 01 Jan 2100 00:00:00 GMT", "a=2"),
            ("Expires=never", "a=2"),
            ("Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60", "a=2"),
            ("Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT", ""),
        ] {
            assert_eq!(sent(&["a=1", &format!("a=2; {attributes}")]), expected, "{attributes}");
        }
        assert_eq!(sent(&["gone=1; Max-Age=0"]), "");
    }

    #[test]
    fn a_jar_is_bounded() {
        let mut jar = Jar::default();
        for number in 0..=MOST {
            let head = format!("set-cookie: c{number}=1\r\n");
            jar.take(head.as_bytes(), Timestamp::UNIX_EPOCH);
        }
        let mut sent = Vec::new();
        jar.write_to(&mut sent);
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.starts_with("c1=1; c2=1;") && sent.ends_with("; c50=1"), "{sent}");
    }
}
