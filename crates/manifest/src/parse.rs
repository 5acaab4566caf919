//! The only reader of YAML. YAML and JSON become one tree of nodes with places.

use std::{borrow::Cow, collections::BTreeSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use crate::{
    json::{self, JsonErrorKind, JsonLimits},
    limits,
    lint::{self, Lint, Position},
    node::{Entry, Node, NodeKind},
};

/// Reads a manifest's text, YAML or JSON.
pub(crate) fn parse(text: &str) -> Result<Node, Lint> {
    if text.len() > limits::MANIFEST_BYTES {
        return Err(problem(
            lint::TOO_COMPLEX,
            Position { line: 1, column: 1 },
            format!("the text is longer than {} bytes", limits::MANIFEST_BYTES),
        ));
    }
    if looks_like_json(text) {
        json_nodes(text)
    } else {
        yaml_nodes(text)
    }
}

/// JSON has its own reader because YAML's refuses surrogate escapes, which JSON allows.
fn looks_like_json(text: &str) -> bool {
    text.trim_start()
        .strip_prefix('{')
        .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

fn problem(rule: &'static str, at: Position, message: impl Into<String>) -> Lint {
    Lint {
        rule,
        line: at.line,
        column: at.column,
        path: String::new(),
        message: message.into(),
    }
}

/// A container under construction; a key waits beside its map until the value is whole.
struct Open {
    node: Node,
    key: Option<(String, Position)>,
    /// Keys seen, in a tree: a mapping of thousands of keys is judged in no time.
    keys: BTreeSet<String>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
}

impl Builder {
    fn open(&mut self, kind: NodeKind, at: Position) -> Result<(), Lint> {
        if self.open.len() >= limits::MANIFEST_DEPTH {
            let message = format!("it is nested deeper than {} levels", limits::MANIFEST_DEPTH);
            return Err(problem(lint::TOO_COMPLEX, at, message));
        }
        self.refuse_as_key(at)?;
        self.open.push(Open {
            node: Node { kind, at },
            key: None,
            keys: BTreeSet::new(),
        });
        Ok(())
    }

    /// Whether the next scalar is a key.
    fn key_is_due(&self) -> bool {
        matches!(self.open.last(), Some(open) if open.key.is_none() && matches!(open.node.kind, NodeKind::Map(_)))
    }

    fn refuse_as_key(&self, at: Position) -> Result<(), Lint> {
        if self.key_is_due() {
            return Err(problem(lint::SYNTAX, at, "a key must be a plain word"));
        }
        Ok(())
    }

    fn key(&mut self, key: String, at: Position) -> Result<(), Lint> {
        self.count(at)?;
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        if !open.keys.insert(key.clone()) {
            let message = format!("the key `{key}` stands twice in one mapping");
            return Err(problem(lint::DUPLICATE_KEY, at, message));
        }
        open.key = Some((key, at));
        Ok(())
    }

    fn value(&mut self, node: Node) -> Result<(), Lint> {
        self.count(node.at)?;
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(open) => match &mut open.node.kind {
                NodeKind::List(items) => items.push(node),
                NodeKind::Map(entries) => {
                    if let Some((key, at)) = open.key.take() {
                        entries.push(Entry { key, at, value: node });
                    }
                }
                _ => {}
            },
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Lint> {
        match self.open.pop() {
            Some(open) => self.value(open.node),
            None => Ok(()),
        }
    }

    fn count(&mut self, at: Position) -> Result<(), Lint> {
        self.nodes += 1;
        if self.nodes > limits::MANIFEST_NODES {
            let message = format!("it has more than {} keys and values", limits::MANIFEST_NODES);
            return Err(problem(lint::TOO_COMPLEX, at, message));
        }
        Ok(())
    }
}

fn yaml_nodes(text: &str) -> Result<Node, Lint> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            problem(
                lint::SYNTAX,
                place(error.marker()),
                format!("this is not YAML: {}", error.info()),
            )
        })?;
        let at = place(&span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(problem(
                        lint::SYNTAX,
                        at,
                        "a manifest is one document; remove the second `---`",
                    ));
                }
            }
            Event::Alias(_) => return Err(anchor(at)),
            Event::Scalar(text, style, anchor_id, tag) => {
                refuse_marks(anchor_id, tag.is_some(), at)?;
                if builder.key_is_due() {
                    builder.key(text.into_owned(), at)?;
                } else {
                    builder.value(Node {
                        kind: scalar(text, style),
                        at,
                    })?;
                }
            }
            Event::SequenceStart(anchor_id, tag) => {
                refuse_marks(anchor_id, tag.is_some(), at)?;
                builder.open(NodeKind::List(Vec::new()), at)?;
            }
            Event::MappingStart(anchor_id, tag) => {
                refuse_marks(anchor_id, tag.is_some(), at)?;
                builder.open(NodeKind::Map(Vec::new()), at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    builder
        .root
        .ok_or_else(|| problem(lint::SYNTAX, Position { line: 1, column: 1 }, "the manifest is empty"))
}

fn place(marker: &Marker) -> Position {
    Position {
        line: u32::try_from(marker.line()).unwrap_or(u32::MAX),
        column: u32::try_from(marker.col() + 1).unwrap_or(u32::MAX),
    }
}

fn anchor(at: Position) -> Lint {
    problem(
        lint::ANCHOR,
        at,
        "anchors and aliases are not read; write the value out",
    )
}

fn refuse_marks(anchor_id: usize, tagged: bool, at: Position) -> Result<(), Lint> {
    if anchor_id != 0 {
        return Err(anchor(at));
    }
    if tagged {
        return Err(problem(
            lint::TAG,
            at,
            "tags are not read; remove the word with the `!`",
        ));
    }
    Ok(())
}

/// The core schema of YAML 1.2 (section 10.3.2), numbers kept as their text. What JSON has no number for (octal,
/// hexadecimal, infinity) stays text: the typed reader then says that a number is expected.
fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> NodeKind {
    if style != ScalarStyle::Plain {
        return NodeKind::Text(text.into_owned());
    }
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => NodeKind::Null,
        "true" | "True" | "TRUE" => NodeKind::Bool(true),
        "false" | "False" | "FALSE" => NodeKind::Bool(false),
        other => json_number(other).map_or_else(|| NodeKind::Text(other.to_owned()), NodeKind::Number),
    }
}

/// A YAML number in JSON's spelling: no plus sign, no leading zeros, digits around the point.
fn json_number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !fraction.is_none_or(digits) || whole.len() + fraction.map_or(0, str::len) == 0 {
        return None;
    }
    if let Some(exponent) = exponent {
        let unsigned = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if unsigned.is_empty() || !digits(unsigned) {
            return None;
        }
    }
    let mut out = String::with_capacity(text.len());
    if text.starts_with('-') {
        out.push('-');
    }
    let trimmed = whole.trim_start_matches('0');
    out.push_str(if trimmed.is_empty() { "0" } else { trimmed });
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        out.push('.');
        out.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        out.push('e');
        out.push_str(exponent);
    }
    Some(out)
}

fn json_nodes(text: &str) -> Result<Node, Lint> {
    let json_limits = JsonLimits {
        bytes: limits::MANIFEST_BYTES,
        depth: limits::MANIFEST_DEPTH,
        nodes: limits::MANIFEST_NODES,
        ..JsonLimits::default()
    };
    let mut places = Places::new(text);
    let mut reader = json::Reader::new(text, json_limits).map_err(|error| json_problem(&error))?;
    let mut builder = Builder::default();
    while let Some(event) = reader.next().map_err(|error| json_problem(&error))? {
        let at = places.at(reader.event_at);
        match event {
            json::Event::Key(key) => builder.key(key.into_owned(), at)?,
            json::Event::Null => builder.value(Node {
                kind: NodeKind::Null,
                at,
            })?,
            json::Event::Bool(value) => builder.value(Node {
                kind: NodeKind::Bool(value),
                at,
            })?,
            json::Event::Number(text) => builder.value(Node {
                kind: NodeKind::Number(text.to_owned()),
                at,
            })?,
            json::Event::String(text) => builder.value(Node {
                kind: NodeKind::Text(text.into_owned()),
                at,
            })?,
            json::Event::ArrayStart => builder.open(NodeKind::List(Vec::new()), at)?,
            json::Event::ObjectStart => builder.open(NodeKind::Map(Vec::new()), at)?,
            json::Event::ArrayEnd | json::Event::ObjectEnd => builder.close()?,
        }
    }
    builder
        .root
        .ok_or_else(|| problem(lint::SYNTAX, Position { line: 1, column: 1 }, "the manifest is empty"))
}

fn json_problem(error: &json::JsonError) -> Lint {
    let rule = match error.kind {
        JsonErrorKind::DuplicateKey => lint::DUPLICATE_KEY,
        JsonErrorKind::TooLarge | JsonErrorKind::TooComplex => lint::TOO_COMPLEX,
        JsonErrorKind::Syntax | JsonErrorKind::LoneSurrogate | JsonErrorKind::NulCharacter => lint::SYNTAX,
    };
    let at = Position {
        line: error.line,
        column: error.column,
    };
    problem(rule, at, error.message.clone())
}

/// Turns rising byte offsets into places without counting from the start each time.
struct Places<'t> {
    text: &'t str,
    offset: usize,
    at: Position,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            offset: 0,
            at: Position { line: 1, column: 1 },
        }
    }

    fn at(&mut self, offset: usize) -> Position {
        for c in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            if c == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            } else {
                self.at.column += 1;
            }
        }
        self.offset = self.offset.max(offset);
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> (&'static str, u32, u32) {
        let lint = parse(text).expect_err("it is refused");
        (lint.rule, lint.line, lint.column)
    }

    #[test]
    fn yaml_and_json_become_the_same_tree() {
        let yaml = parse("a: [1, true, null, 'x']\nb: {c: 1.50}\n").unwrap().to_tree();
        let json = parse(r#"{"b": {"c": 1.50}, "a": [1, true, null, "x"]}"#)
            .unwrap()
            .to_tree();
        assert_eq!(yaml, json);
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, expected) in [
            ("1", "1"),
            ("+07", "7"),
            (".5", "0.5"),
            ("-0.10", "-0.10"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.", "1"),
            ("2E+3", "2e+3"),
        ] {
            assert_eq!(json_number(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", ".", "1.2.3", "0x1f", "1e", "yes", "10.0.0.1", "1_000", "-", ".inf"] {
            assert_eq!(json_number(text), None, "{text}");
        }
        let words = parse("[yes, no, 'true', ~, Null]").unwrap().to_tree();
        assert_eq!(words.to_text(), r#"["yes","no","true",null,null]"#);
    }

    #[test]
    fn what_repeats_or_hides_is_refused_with_its_place() {
        assert_eq!(rule("a: &x 1\nb: *x\n"), (lint::ANCHOR, 1, 4));
        assert_eq!(rule("a: !!str 1\n").0, lint::TAG);
        assert_eq!(rule("a: 1\nb: 2\na: 3\n"), (lint::DUPLICATE_KEY, 3, 1));
        assert_eq!(rule("{\"a\": 1,\n \"a\": 2}"), (lint::DUPLICATE_KEY, 2, 2));
        assert_eq!(rule("a: 1\n---\nb: 2\n").0, lint::SYNTAX);
        assert_eq!(rule("? [a]\n: 1\n").0, lint::SYNTAX);
        assert_eq!(rule("").0, lint::SYNTAX);
        assert_eq!(rule("a: [1\n").0, lint::SYNTAX);
    }

    #[test]
    fn depth_and_number_of_nodes_are_bounded() {
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(rule(&deep).0, lint::TOO_COMPLEX);
        assert_eq!(rule(&format!("{{\"a\": {deep}}}")).0, lint::TOO_COMPLEX);
        let wide = format!("[{}1]", "1,".repeat(limits::MANIFEST_NODES));
        assert_eq!(rule(&wide).0, lint::TOO_COMPLEX);
        assert_eq!(rule(&" ".repeat(limits::MANIFEST_BYTES + 1)).0, lint::TOO_COMPLEX);
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn arbitrary_yaml_like_text_never_panics(text in "[a-c:\\-\\[\\]{},&*!|>'\"#?% \n0-9.]{0,120}") {
            let _ = parse(&text);
        }
    }
}
