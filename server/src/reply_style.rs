//! How a tenant's mock model words its replies.

use serde::Deserialize;

/// The wording of a reply to a chat message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReplyStyle {
    /// The message backwards, by `char`s: by bytes, multi-byte characters would break.
    Reverse,
    /// The message in capitals.
    Upper,
    /// The message repeated; the default.
    #[default]
    Acknowledge,
}

impl ReplyStyle {
    /// The reply to `message`, which starts with the tenant's `welcome`.
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
    fn each_style_words_its_reply() {
        let table = [
            (ReplyStyle::Reverse, "msg-1", "Hi! 1-gsm"),
            (ReplyStyle::Reverse, "añ€😀", "Hi! 😀€ña"),
            (ReplyStyle::Upper, "straße", "Hi! STRASSE"),
            (ReplyStyle::Upper, "", "Hi! "),
            (ReplyStyle::Acknowledge, "msg-1", "Hi! We received: msg-1"),
        ];
        for (style, message, reply) in table {
            assert_eq!(style.reply("Hi!", message), reply, "{style:?} of {message:?}");
        }
    }

    proptest! {
        #[test]
        fn reversing_twice_gives_the_message_back(message in ".*") {
            let once = ReplyStyle::Reverse.reply("", &message);
            let twice = ReplyStyle::Reverse.reply("", &once[1..]);
            prop_assert_eq!(&twice[1..], message);
        }
    }
}
