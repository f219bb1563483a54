//! Parses `RateLimit-Policy` and `RateLimit`: structured fields (RFC 9651), lists with a member for each
//! limit, such as `"chat";q=8;w=10` and `"chat";r=3;t=7`. The forms of earlier drafts are accepted, too: a
//! policy `8;w=10`, and a state `limit=8, remaining=3, reset=7`.

/// One member of a list: its item as written, and its integer parameters.
#[derive(Debug, PartialEq, Eq)]
struct Member<'t> {
    item: &'t str,
    numbers: Vec<(&'t str, u64)>,
    /// Names of the parameters that are no integers.
    others: Vec<&'t str>,
}

impl<'t> Member<'t> {
    fn of(text: &'t str) -> Self {
        let mut parts = split(text, ';').map(str::trim);
        let item = parts.next().unwrap_or_default();
        let (mut numbers, mut others) = (Vec::new(), Vec::new());
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match value.parse() {
                Ok(value) => numbers.push((name, value)),
                Err(_) => others.push(name),
            }
        }
        Self { item, numbers, others }
    }

    /// Whether there is a parameter of this name that is no integer.
    fn has_other(&self, name: &str) -> bool {
        self.others.contains(&name)
    }

    fn number(&self, name: &str) -> Option<u64> {
        // If a parameter is repeated, the last one counts (RFC 9651).
        self.numbers.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// The quotas of a policy: pairs of limit and window in seconds, which may be left out.
pub(super) fn quotas(policy: &str) -> Vec<(u64, Option<u64>)> {
    let quota = |text| {
        let member = Member::of(text);
        let limit = member.number("q").or_else(|| member.item.parse().ok())?;
        // A window that is no whole number is not left out.
        let window = member.number("w");
        (window.is_some() || !member.has_other("w")).then_some((limit, window))
    };
    split(policy, ',').filter_map(quota).collect()
}

/// The remaining quota in a state with one member; with several it is unknown which one is meant.
pub(super) fn remaining(state: &str) -> Option<u64> {
    let mut members = split(state, ',');
    let only = members.next().filter(|_| members.next().is_none());
    only.and_then(|only| Member::of(only).number("r")).or_else(|| earlier(state, "remaining"))
}

/// The limit in a state of an earlier draft.
pub(super) fn limit(state: &str) -> Option<u64> {
    earlier(state, "limit")
}

/// Whether a state says of any member what remains.
pub(super) fn is_state(state: &str) -> bool {
    split(state, ',').any(|member| Member::of(member).number("r").is_some())
        || earlier(state, "remaining").is_some()
}

/// A number of the form `limit=8, remaining=3, reset=7`.
fn earlier(state: &str, name: &str) -> Option<u64> {
    let pairs = split(state, ',').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(known, _)| *known == name)?.1.parse().ok()
}

/// Splits at `at` outside of quotes.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let inside = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = quoted,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == at && !inside
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_and_states_are_read() {
        for (policy, expected) in [
            (r#""chat";q=8;w=10"#, vec![(8, Some(10))]),
            (r#""chat-1";q=2;w=1, "chat-60" ; w=60; q=9"#, vec![(2, Some(1)), (9, Some(60))]),
            (r#""a,b;c=\"d";q=8;w=10;pk=:YQ==:"#, vec![(8, Some(10))]),
            ("8;w=10;comment=\"8;w=11\", 100;w=60", vec![(8, Some(10)), (100, Some(60))]),
            (r#""chat";q=8"#, vec![(8, None)]),
            (r#""chat";q=8;w=10.5"#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(quotas(policy), expected, "{policy}");
        }
        for (state, expected) in [
            (r#""chat";r=3;t=7"#, Some(3)),
            (r#""a";r=3, "b";r=4"#, None),
            ("limit=8, remaining=3, reset=7", Some(3)),
            ("\"chat\"", None),
            ("", None),
        ] {
            assert_eq!(remaining(state), expected, "{state}");
            let several = state.contains("b");
            assert_eq!(is_state(state), expected.is_some() || several, "{state}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_value_panics(text in ".{0,40}") {
            let _ = (quotas(&text), remaining(&text), limit(&text), is_state(&text));
        }
    }
}
