//! Text of a description, made fit to stand in a scenario and in messages.

/// A text without line breaks and other controls.
pub(super) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c == ' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
