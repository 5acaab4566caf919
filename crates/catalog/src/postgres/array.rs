//! Arrays as PostgreSQL writes them (section 8.15.6): `{1,NULL,"a,b"}`, inside each other for more dimensions.

use tieline_manifest::Tree;

use super::limits::MAX_ARRAY_LEVELS;

/// Reads one, each element by `element`. Nothing where the text is none.
pub(super) fn read(text: &str, element: &impl Fn(&str) -> Tree) -> Option<Tree> {
    // Bounds that do not begin at 1 stand before: `[0:1]={1,2}`.
    let text = match text.strip_prefix('[') {
        Some(rest) => rest.split_once('=')?.1,
        None => text,
    };
    let (tree, rest) = level(text, element, 1)?;
    rest.is_empty().then_some(tree)
}

fn level<'a>(text: &'a str, element: &impl Fn(&str) -> Tree, depth: usize) -> Option<(Tree, &'a str)> {
    let mut rest = text.strip_prefix('{').filter(|_| depth <= MAX_ARRAY_LEVELS)?;
    let mut items = Vec::new();
    if let Some(rest) = rest.strip_prefix('}') {
        return Some((Tree::Array(items), rest));
    }
    loop {
        let (item, after) = if rest.starts_with('{') {
            level(rest, element, depth + 1)?
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (text, after) = unquote(quoted)?;
            (element(&text), after)
        } else {
            let end = rest.find([',', '}'])?;
            let word = &rest[..end];
            let is_null = word.eq_ignore_ascii_case("null");
            (if is_null { Tree::Null } else { element(word) }, &rest[end..])
        };
        items.push(item);
        match after.as_bytes().first()? {
            b',' => rest = &after[1..],
            b'}' => return Some((Tree::Array(items), &after[1..])),
            _ => return None,
        }
    }
}

/// An element up to its closing mark, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(letters.next()?.1),
            letter => out.push(letter),
        }
    }
    None
}

/// Writes one, each element as `element` writes it.
pub(super) fn write<E>(items: &[Tree], element: &impl Fn(&Tree) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::from("{");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match item {
            Tree::Null => out.push_str("NULL"),
            Tree::Array(inner) => out.push_str(&write(inner, element)?),
            one => {
                out.push('"');
                for letter in element(one)?.chars() {
                    if matches!(letter, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(letter);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Option<String> {
        read(text, &|text| Tree::String(text.to_owned())).map(|tree| tree.to_text())
    }

    #[test]
    fn arrays_are_read() {
        for (text, json) in [
            ("{}", "[]"),
            ("{a}", r#"["a"]"#),
            (
                r#"{a,NULL,"NULL","a,\"b\"\\}",""}"#,
                r#"["a",null,"NULL","a,\"b\"\\}",""]"#,
            ),
            ("{{1,2},{3,4}}", r#"[["1","2"],["3","4"]]"#),
            ("[0:1]={a,b}", r#"["a","b"]"#),
        ] {
            assert_eq!(texts(text).as_deref(), Some(json), "{text}");
        }
        for bad in [
            "",
            "a",
            "{",
            "{a",
            "{\"a}",
            "{a}b",
            "{a,}}",
            "{{{{{{{1}}}}}}}",
            "{\"a\"b}",
        ] {
            assert_eq!(texts(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let items = Tree::Array(vec![
            Tree::String("a,\"b\"\\{}".to_owned()),
            Tree::Null,
            Tree::String("NULL".to_owned()),
            Tree::String(String::new()),
        ]);
        let plain = |tree: &Tree| Ok::<_, ()>(tree.as_str().unwrap_or_default().to_owned());
        let text = write(items.as_array().unwrap(), &plain).unwrap();
        assert_eq!(texts(&text), Some(items.to_text()));
    }
}
