//! Makes text of others safe for where it is shown: what a terminal, a CI's log or a reader's eye would take for
//! something else is shown as an escape (`\u001B`), which JSON reads as the character that it stands for.
//!
//! [`terminal`] is for everything that is printed, and JSON, [`line()`] for a text within a line, [`document`] for XML
//! and HTML that are otherwise complete, [`markdown`] for text within Markdown, and [`own`] marks the styles of
//! this program, the only escape sequences that are printed.

use std::{
    fmt::Write as _,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::LazyLock,
};

/// Marks the program's own styles: the first parameter of their escape sequences, which nobody else can know.
static MARK: LazyLock<String> =
    LazyLock::new(|| format!("\u{1b}[{};", RandomState::new().build_hasher().finish() | 1 << 63));

/// The program's own style sequences, marked as such, so that [`terminal`] lets them pass. The text must not
/// contain anything else.
pub fn own(sequences: &str) -> String {
    sequences.replace("\u{1b}[", &MARK)
}

/// A text with styles of the program (`ESC [ … m`) and otherwise only text: the styles are marked as the
/// program's own.
pub fn own_styles(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        marked.push_str(before);
        let parameters = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(after.len());
        let is_style = after.get(parameters..).is_some_and(|end| end.starts_with('m'));
        marked.push_str(if is_style { &MARK } else { "\u{1b}[" });
        rest = after;
    }
    marked + rest
}

/// A text for a terminal or a log: without control characters but line breaks and tabs, without characters that
/// reorder or hide others, and without commands to the CI system that reads the log (`::error::`, `##vso[`). The
/// program's own styles pass.
pub fn terminal(text: &str) -> String {
    printed(text, Commands::None)
}

/// Annotations for a CI system, whose commands pass.
pub fn annotations(text: &str) -> String {
    printed(text, Commands::All)
}

/// Which commands to a CI system pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Commands {
    None,
    /// What begins like one: style sheets have lines that begin with `::`.
    Incomplete,
    All,
}

fn printed(text: &str, commands: Commands) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    // Whether only blanks and styles precede on the line.
    let mut begins = true;
    while let Some(c) = rest.chars().next() {
        if let Some((style, after)) = rest.strip_prefix(MARK.as_str()).and_then(|rest| rest.split_once('m')) {
            let _ = write!(safe, "\u{1b}[{style}m");
            rest = after;
            continue;
        }
        // The name of a command never begins with a colon: `:::` names the place of an excerpt.
        let after = rest.strip_prefix("::").filter(|after| begins && !after.starts_with(':'));
        let is_command = match after {
            Some(_) if commands == Commands::None => true,
            Some(after) => after.lines().next().is_some_and(|line| line.contains("::")),
            None => ["##[", "##vso[", "##teamcity["].iter().any(|command| rest.starts_with(command)),
        };
        let is_command = is_command && commands != Commands::All;
        if is_command {
            escape(c, &mut safe);
        } else {
            put(c, &mut safe);
        }
        begins = c == '\n' || begins && c.is_whitespace();
        rest = &rest[c.len_utf8()..];
    }
    safe
}

/// A text in one line, for a place within a line of any medium.
pub fn line(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        if c.is_whitespace() { safe.push(' ') } else { put(c, &mut safe) }
    }
    safe
}

/// A document of XML or HTML whose markup is complete: what XML cannot hold, what would reorder its text, and
/// what a CI's log would take for a command is shown as an escape.
pub fn document(text: &str) -> String {
    printed(text, Commands::Incomplete)
}

/// A text within Markdown, on one line, at most `longest` characters long: nothing in it is markup, HTML, a
/// mention or an end of a cell.
pub fn markdown(text: &str, longest: usize) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars().take(longest) {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // Some renderers end a cell at an escaped pipe, too; `@` and `#` mention people and issues.
            '|' | '@' | '#' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => safe.extend(['\\', c]),
            c if c.is_control() || c.is_whitespace() => safe.push(' '),
            c if is_unsafe(c) => {
                safe.push('\\');
                escape(c, &mut safe);
            }
            c => safe.push(c),
        }
    }
    if text.chars().nth(longest).is_some() {
        safe.push('…');
    }
    safe
}

fn put(c: char, safe: &mut String) {
    if is_unsafe(c) { escape(c, safe) } else { safe.push(c) }
}

/// The escape of a character as JSON has it, by its UTF-16 units.
fn escape(c: char, safe: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = write!(safe, "\\u{unit:04X}");
    }
}

/// Whether a character does something else than to be shown at its place.
fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Directional marks, embeddings, overrides and isolates; separators of lines and paragraphs.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // Nothing is seen of these, and tags can spell a text.
        '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => true,
        '\u{fdd0}'..='\u{fdef}' => true,
        c => c.is_control() || u32::from(c) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What attacks a terminal, a log, a document and a reader.
    const EVIL: &str = "<b>\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\r\u{202e}abc\u{2066}\u{fffe}\u{e0041}\n::error::x\n \t::warning::y ##[error]z ##vso[task] | `t` @me ]]>";

    #[test]
    fn text_is_safe_for_each_medium() {
        let all = [
            terminal(EVIL),
            annotations(EVIL),
            line(EVIL),
            document(EVIL),
            markdown(EVIL, 1000),
            markdown(EVIL, 9),
        ];
        insta::assert_snapshot!(all.join("\n---\n"));
        for text in all {
            assert!(!text.chars().any(is_unsafe), "{text:?}");
        }
    }

    #[test]
    fn only_the_programs_own_styles_pass() {
        let style = own("\u{1b}[1m\u{1b}[31m");
        let text = format!("{style}::error::{}\u{1b}[31mx", own("\u{1b}[0m"));
        assert_eq!(terminal(&text), "\u{1b}[1m\u{1b}[31m\\u003A:error::\u{1b}[0m\\u001B[31mx");
        let rendered = own_styles("\u{1b}[1;31mx\u{1b}[0m\u{1b}[2J\u{1b}]0;t\u{7}");
        assert_eq!(terminal(&rendered), "\u{1b}[1;31mx\u{1b}[0m\\u001B[2J\\u001B]0;t\\u0007");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = format!("\u{202e}\u{9b}\u{fffe}\u{e0041}::error::\n{}", "plain é 漢 👍");
        let json = serde_json::to_string(&text).unwrap();
        for safe in [document(&json), terminal(&json)] {
            assert!(!safe.chars().any(is_unsafe));
            assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_unsafe(text in "\\PC*|(\u{1b}|\u{9b}|\\[|[0-9;m]|::|\n|##\\[|\r|\u{202e}| ){0,20}") {
            let safe = terminal(&text);
            proptest::prop_assert!(!safe.chars().any(is_unsafe));
            let is_command = |line: &str| {
                let after = line.trim_start().strip_prefix("::");
                after.is_some_and(|after| !after.starts_with(':')) || line.contains("##[")
            };
            proptest::prop_assert!(!safe.lines().any(is_command));
        }
    }
}
