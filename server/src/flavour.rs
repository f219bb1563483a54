//! How a tenant's mock model words its replies: a field of the tenant's line, never a branch on its id.

use serde::Deserialize;

/// The manner in which a message is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Flavour {
    /// The message backwards, by characters (`char`s): bytes would tear multi-byte text apart.
    Reverse,
    /// The message in capitals.
    Upper,
    /// The message quoted back; what a tenant without a flavour of its own gets.
    #[default]
    Acknowledge,
}

impl Flavour {
    /// The reply to `message`, opened by the tenant's own words of welcome.
    pub(crate) fn reply(self, welcome: &str, message: &str) -> String {
        let mut reply = String::with_capacity(welcome.len() + message.len() + 16);
        reply.push_str(welcome);
        reply.push(' ');
        match self {
            Self::Reverse => reply.extend(message.chars().rev()),
            Self::Upper => reply.extend(message.chars().flat_map(char::to_uppercase)),
            Self::Acknowledge => {
                reply.push_str("We received: ");
                reply.push_str(message);
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_flavour_words_its_reply() {
        let table = [
            (Flavour::Reverse, "msg-1", "Hi! 1-gsm"),
            (Flavour::Reverse, "añ€😀", "Hi! 😀€ña"),
            (Flavour::Upper, "straße", "Hi! STRASSE"),
            (Flavour::Upper, "", "Hi! "),
            (Flavour::Acknowledge, "msg-1", "Hi! We received: msg-1"),
        ];
        for (flavour, message, reply) in table {
            assert_eq!(flavour.reply("Hi!", message), reply, "{flavour:?} of {message:?}");
        }
    }

    proptest! {
        #[test]
        fn reversing_twice_gives_the_message_back(message in ".*") {
            let once = Flavour::Reverse.reply("", &message);
            let twice = Flavour::Reverse.reply("", &once[1..]);
            prop_assert_eq!(&twice[1..], message);
        }
    }
}
