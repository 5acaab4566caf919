//! The built-in types that are read and written in a way of their own (`pg_type.dat`, whose numbers never change).

/// How a type's values stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    /// A whole number that every reader of JSON keeps.
    Int,
    /// A whole number that many readers of JSON round.
    Long,
    Float,
    Bytes,
    Json,
    Timestamp,
    /// The text that PostgreSQL writes.
    Text,
}

/// A built-in type: its number, that of its array, and its name.
struct Known(u32, u32, &'static str, Shape);

const KNOWN: &[Known] = &[
    Known(16, 1000, "boolean", Shape::Bool),
    Known(17, 1001, "bytea", Shape::Bytes),
    Known(18, 1002, "\"char\"", Shape::Text),
    Known(19, 1003, "name", Shape::Text),
    Known(20, 1016, "bigint", Shape::Long),
    Known(21, 1005, "smallint", Shape::Int),
    Known(23, 1007, "integer", Shape::Int),
    Known(25, 1009, "text", Shape::Text),
    Known(26, 1028, "oid", Shape::Int),
    Known(114, 199, "json", Shape::Json),
    Known(142, 143, "xml", Shape::Text),
    Known(650, 651, "cidr", Shape::Text),
    Known(700, 1021, "real", Shape::Float),
    Known(701, 1022, "double precision", Shape::Float),
    Known(790, 791, "money", Shape::Text),
    Known(829, 1040, "macaddr", Shape::Text),
    Known(869, 1041, "inet", Shape::Text),
    Known(1042, 1014, "character", Shape::Text),
    Known(1043, 1015, "character varying", Shape::Text),
    Known(1082, 1182, "date", Shape::Text),
    Known(1083, 1183, "time without time zone", Shape::Text),
    Known(1114, 1115, "timestamp without time zone", Shape::Timestamp),
    Known(1184, 1185, "timestamp with time zone", Shape::Timestamp),
    Known(1186, 1187, "interval", Shape::Text),
    Known(1266, 1270, "time with time zone", Shape::Text),
    Known(1700, 1231, "numeric", Shape::Text),
    Known(2950, 2951, "uuid", Shape::Text),
    Known(3802, 3807, "jsonb", Shape::Json),
];

/// What is known of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    One(Shape),
    ArrayOf(Shape),
    /// An enum, a range, a type of an extension: a text.
    Other,
}

impl Type {
    pub(super) fn of(number: u32) -> Self {
        for Known(one, array, _, shape) in KNOWN {
            if *one == number {
                return Self::One(*shape);
            }
            if *array == number {
                return Self::ArrayOf(*shape);
            }
        }
        Self::Other
    }
}

/// The name of a built-in type.
pub(super) fn name(number: u32) -> Option<String> {
    KNOWN.iter().find_map(|Known(one, array, name, _)| {
        if *one == number {
            Some((*name).to_owned())
        } else {
            (*array == number).then(|| format!("{name}[]"))
        }
    })
}
