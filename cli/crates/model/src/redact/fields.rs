//! Which part of an exposition or of a JSON document a place is in: how a secret there is replaced.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Free text.
    Text,
    /// A string in quotes; `escaped` if a backslash before the place belongs to what is there.
    String {
        /// Whether the place is behind the backslash of an escape.
        escaped: bool,
    },
    /// A name that must stay one.
    Name,
    /// A number, or a word of the format.
    Kept,
}

/// Reads a text up to ascending places, each byte once.
pub(super) struct Reader<'t> {
    text: &'t str,
    /// Everything before was read.
    at: usize,
    /// The start of the line.
    line: usize,
    /// Where the string begins that is not closed.
    opened: Option<usize>,
    /// Whether a string's last character began an escape.
    escaped: bool,
    /// Braces that are not closed.
    braces: usize,
    /// Whether the line is a name so far.
    is_name: bool,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 0, opened: None, escaped: false, braces: 0, is_name: true }
    }

    /// Reads up to a place.
    fn read(&mut self, to: usize) {
        let unread = self.text.as_bytes().get(self.at..to).unwrap_or_default();
        for (index, byte) in unread.iter().enumerate() {
            match byte {
                b'\n' => *self = Self { line: self.at + index + 1, at: self.at, ..Self::new(self.text) },
                _ if self.escaped => self.escaped = false,
                b'\\' if self.opened.is_some() => self.escaped = true,
                b'"' if self.opened.is_some() => self.opened = None,
                b'"' => self.opened = Some(self.at + index),
                _ if self.opened.is_some() => {}
                b'{' => (self.braces, self.is_name) = (self.braces + 1, false),
                b'}' => (self.braces, self.is_name) = (self.braces.saturating_sub(1), false),
                b' ' | b'\t' => self.is_name = false,
                _ => {}
            }
        }
        self.at = to.max(self.at);
    }

    /// The part of an exposition that a place is in.
    pub(super) fn of_exposition(&mut self, at: usize) -> Part {
        self.read(at);
        let line = self.text.get(self.line..).unwrap_or_default();
        if line.starts_with('#') {
            let before = self.text.get(self.line..at).unwrap_or_default();
            let mut words = before.split_whitespace().take(5);
            let (keyword, complete) = (words.nth(1), before.ends_with(char::is_whitespace));
            let words = 2 + words.count() + usize::from(complete);
            match keyword {
                Some("HELP" | "TYPE" | "UNIT") if words == 3 => {}
                Some("TYPE") if words > 3 => return Part::Kept,
                _ => return Part::Text,
            }
        }
        let Some(opened) = self.opened else {
            let is_name = line.starts_with('#') || self.braces > 0 || self.is_name;
            return if is_name { Part::Name } else { Part::Kept };
        };
        let label = self.text.get(self.line..opened).unwrap_or_default().trim_end();
        let label = label.strip_suffix('=').unwrap_or_default().trim_end().rsplit(['{', ',', ' ']).next();
        let is_bound = matches!(label, Some("le" | "quantile"))
            && self
                .text
                .get(opened + 1..)
                .and_then(|rest| rest.split('"').next()?.parse::<f64>().ok())
                .is_some();
        if is_bound { Part::Kept } else { Part::String { escaped: self.escaped } }
    }

    /// The part of a JSON document that a place is in. Its strings have no line breaks.
    pub(super) fn of_json(&mut self, at: usize) -> Part {
        self.read(at);
        if self.opened.is_some() { Part::String { escaped: self.escaped } } else { Part::Kept }
    }
}
