//! Parses `RateLimit-Policy` and `RateLimit`: structured fields (RFC 9651), lists with a member for each
//! limit, such as `"chat";q=8;w=10` and `"chat";r=3;t=7`. The older form of a policy, `8;w=10`, is accepted,
//! too.

/// One member of a list: its item as written, and its integer parameters.
#[derive(Debug, PartialEq, Eq)]
struct Member<'t> {
    item: &'t str,
    numbers: Vec<(&'t str, u64)>,
}

impl<'t> Member<'t> {
    fn of(text: &'t str) -> Self {
        let mut parts = split(text, ';').map(str::trim);
        let item = parts.next().unwrap_or_default();
        let numbers = parts.filter_map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name, value.parse().ok()?))
        });
        Self { item, numbers: numbers.collect() }
    }

    fn number(&self, name: &str) -> Option<u64> {
        // If a parameter is repeated, the last one counts (RFC 9651).
        self.numbers.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// The quotas of a policy: pairs of limit and window in seconds.
pub(super) fn quotas(policy: &str) -> Vec<(u64, u64)> {
    let quota = |text| {
        let member = Member::of(text);
        let limit = member.number("q").or_else(|| member.item.parse().ok())?;
        Some((limit, member.number("w")?))
    };
    split(policy, ',').filter_map(quota).collect()
}

/// The remaining quota in a state with one member; with several it is unknown which one is meant.
pub(super) fn remaining(state: &str) -> Option<u64> {
    let mut members = split(state, ',');
    let only = members.next().filter(|_| members.next().is_none())?;
    Member::of(only).number("r")
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
            (r#""chat";q=8;w=10"#, vec![(8, 10)]),
            (r#""chat-1";q=2;w=1, "chat-60" ; w=60; q=9"#, vec![(2, 1), (9, 60)]),
            (r#""a,b;c=\"d";q=8;w=10;pk=:YQ==:"#, vec![(8, 10)]),
            ("8;w=10;comment=\"8;w=11\", 100;w=60", vec![(8, 10), (100, 60)]),
            (r#""chat";q=8"#, vec![]),
            (r#""chat";q=8;w=10.5"#, vec![]),
            ("", vec![]),
        ] {
            assert_eq!(quotas(policy), expected, "{policy}");
        }
        for (state, expected) in
            [(r#""chat";r=3;t=7"#, Some(3)), (r#""a";r=3, "b";r=4"#, None), ("\"chat\"", None), ("", None)]
        {
            assert_eq!(remaining(state), expected, "{state}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_value_panics(text in ".{0,40}") {
            let _ = (quotas(&text), remaining(&text));
        }
    }
}
