//! JSON as it is written, also such as no parser may take: doubled keys, lone surrogates, numbers without end.

use serde_json::Value;

use super::{World, dice::Dice};
use crate::examples::EXAMPLE_ID;

/// JSON whose leaves are text that is sent as it stands.
#[derive(Clone)]
pub(crate) enum Raw {
    Leaf(String),
    List(Vec<Raw>),
    Map(Vec<(String, Raw)>),
}

impl From<&Value> for Raw {
    fn from(value: &Value) -> Self {
        match value {
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Map(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Self::from(value)))
                    .collect(),
            ),
            leaf => Self::Leaf(leaf.to_string()),
        }
    }
}

impl Raw {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::List(items) => format!("[{}]", items.iter().map(Self::text).collect::<Vec<_>>().join(",")),
            Self::Map(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.text()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
        }
    }

    fn count(&self) -> usize {
        1 + match self {
            Self::Leaf(_) => 0,
            Self::List(items) => items.iter().map(Self::count).sum(),
            Self::Map(fields) => fields.iter().map(|(_, value)| value.count()).sum(),
        }
    }

    /// The part with this number, counted from the top.
    fn part(&mut self, number: usize) -> &mut Self {
        if number == 0 {
            return self;
        }
        let mut left = number - 1;
        let parts: Vec<&mut Raw> = match self {
            Self::Leaf(_) => Vec::new(),
            Self::List(items) => items.iter_mut().collect(),
            Self::Map(fields) => fields.iter_mut().map(|(_, value)| value).collect(),
        };
        for part in parts {
            let count = part.count();
            if left < count {
                return part.part(left);
            }
            left -= count;
        }
        unreachable!("a part's number is below the count")
    }
}

/// Spoils some part of a value, or nothing.
pub(crate) fn spoil(dice: &mut Dice<'_>, world: &World, mut value: Raw) -> Raw {
    for _ in 0..dice.below(3) {
        let number = dice.below(value.count());
        let part = value.part(number);
        let change = dice.below(7);
        match (change, &mut *part) {
            (1, Raw::Map(fields)) if !fields.is_empty() => {
                let gone = dice.below(fields.len());
                fields.remove(gone);
            }
            (2, Raw::Map(fields)) if !fields.is_empty() => {
                let twice = fields[dice.below(fields.len())].clone();
                fields.push(twice);
            }
            (3, Raw::Map(fields)) => fields.push((name(dice), Raw::Leaf(hostile(dice, world)))),
            (4, Raw::Map(fields)) if !fields.is_empty() => {
                let place = dice.below(fields.len());
                fields[place].0 = fields[place].0.to_uppercase();
            }
            (5, _) => *part = Raw::List(vec![part.clone()]),
            (6, Raw::Leaf(text)) if text.starts_with('"') => *part = Raw::Leaf("7".to_owned()),
            (6, _) => *part = Raw::Leaf(Value::from(part.text()).to_string()),
            _ => *part = Raw::Leaf(hostile(dice, world)),
        }
    }
    value
}

fn name(dice: &mut Dice<'_>) -> String {
    let names = [
        "nonsense",
        "id",
        "tenant",
        "tenantId",
        "__proto__",
        "",
        "a/b~c",
        "\u{202e}",
        "version",
        "input",
    ];
    if dice.rarely(12) {
        return "k".repeat(1025);
    }
    (*dice.one(&names)).to_owned()
}

/// Values that have hurt others, as JSON text.
const HOSTILE: [&str; 42] = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1",
    "0.1",
    "-0.0",
    "1e400",
    "-1e400",
    "1e-400",
    "255",
    "256",
    "65536",
    "4294967296",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "\"\"",
    "\" \"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"\\u202e\\ufeff👋\"",
    "\"\\r\\nX-Evil: 1\"",
    "\"../../etc/passwd\"",
    "\"{{config.bot_token}}\"",
    "\"$.secrets\"",
    "\"' OR 1=1 --\"",
    "\"<script>alert(1)</script>\"",
    "\"http://127.0.0.1:1/\"",
    "\"file:///etc/passwd\"",
    "\"javascript:alert(1)\"",
    "\"2999-01-01T00:00:00Z\"",
    "\"0000-00-00T00:00:00Z\"",
    "\"-9999-01-01T00:00:00Z\"",
    "\"tomorrow\"",
    "[]",
    "{}",
    "[[]]",
    "{\"\":null}",
    "{\"__proto__\":{}}",
];

/// A value that does not belong, as JSON text.
pub(crate) fn hostile(dice: &mut Dice<'_>, world: &World) -> String {
    match dice.below(16) {
        12 => Value::from(id(dice, world)).to_string(),
        13 => format!("\"{}\"", "é".repeat(*dice.one(&[101, 300, 5000, 70_000]))),
        14 => {
            let deep = *dice.one(&[8, 63, 65, 500]);
            format!("{}{}", "[".repeat(deep), "]".repeat(deep))
        }
        15 => format!("[{}0]", "0,".repeat(*dice.one(&[10, 1000, 100_001]))),
        _ => (*dice.one(&HOSTILE)).to_owned(),
    }
}

/// An id: a stranger's, our own, nobody's, or none at all.
pub(crate) fn id(dice: &mut Dice<'_>, world: &World) -> String {
    let strange = row(dice, &world.strange);
    let own = row(dice, &world.seed.stand_ins);
    match dice.below(7) {
        0 => strange.to_owned(),
        1 => own.to_owned(),
        2 => own.to_uppercase(),
        3 => own.chars().take(own.chars().count() / 2).collect(),
        4 => "conn_00000000000000000000000000".to_owned(),
        5 => "key_7zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
        _ => "conn_8zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned(),
    }
}

/// The id of some row.
fn row<'a>(dice: &mut Dice<'_>, rows: &'a [(String, String)]) -> &'a str {
    let ids: Vec<&str> = rows
        .iter()
        .filter(|(example, _)| example.ends_with(EXAMPLE_ID))
        .map(|(_, id)| id.as_str())
        .collect();
    ids[dice.below(ids.len())]
}
