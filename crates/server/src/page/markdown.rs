//! The Markdown that our own pages are written in, as HTML: headings, paragraphs, fenced code, lists, and in a line code,
//! bold text and links. What is not one of these is text.

use super::Html;

/// Writes a document.
pub(crate) fn write(html: &mut Html, markdown: &str) {
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let code: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            code_block(html, language, &code.join("\n"));
        } else if let Some((tag, text)) = heading(line) {
            html.tag(tag, &[], |html| inline(html, text));
        } else if line.starts_with("- ") {
            html.tag("ul", &[], |html| {
                let mut item = Some(line);
                while let Some(text) = item.and_then(|line| line.strip_prefix("- ")) {
                    html.tag("li", &[], |html| inline(html, text));
                    item = lines.next_if(|line| line.starts_with("- "));
                }
            });
        } else if !line.is_empty() {
            html.tag("p", &[], |html| inline(html, line));
        }
    }
}

/// JSON that stands in one line is laid out: pages have room.
fn code_block(html: &mut Html, language: &str, code: &str) {
    let laid_out = match language {
        "json" => laid_out(code),
        _ => code.to_owned(),
    };
    html.tag("pre", &[], |html| html.leaf("code", &[], &laid_out));
}

/// JSON over several lines, its fields in the order they were written in.
fn laid_out(json: &str) -> String {
    let (mut text, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let mut letters = json.chars().peekable();
    let line = |text: &mut String, depth: usize| {
        text.push('\n');
        text.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        match letter {
            _ if quoted => {
                quoted = escaped || letter != '"';
                escaped = letter == '\\' && !escaped;
                text.push(letter);
                continue;
            }
            ' ' | '\n' => continue,
            '{' | '[' if letters.peek().is_some_and(|next| matches!(next, '}' | ']')) => {
                text.push(letter);
                text.extend(letters.next());
                continue;
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
            }
            _ => {}
        }
        text.push(letter);
        match letter {
            '"' => quoted = true,
            ':' => text.push(' '),
            ',' => line(&mut text, depth),
            '{' | '[' => {
                depth += 1;
                line(&mut text, depth);
            }
            _ => {}
        }
    }
    text
}

fn heading(line: &str) -> Option<(&'static str, &str)> {
    [("h1", "# "), ("h2", "## "), ("h3", "### ")]
        .into_iter()
        .find_map(|(tag, mark)| Some((tag, line.strip_prefix(mark)?)))
}

/// Writes the text of one line.
pub(crate) fn inline(html: &mut Html, mut text: &str) {
    while let Some(place) = text.find(['`', '*', '[']) {
        let (before, rest) = text.split_at(place);
        html.text(before);
        text = span(html, rest).unwrap_or_else(|| {
            // A mark without its end is a letter like any other.
            html.text(&rest[..1]);
            &rest[1..]
        });
    }
    html.text(text);
}

/// Writes the span that `text` begins with; answers what follows it.
fn span<'a>(html: &mut Html, text: &'a str) -> Option<&'a str> {
    if let Some(rest) = text.strip_prefix('`') {
        let (code, rest) = rest.split_once('`')?;
        html.leaf("code", &[], code);
        return Some(rest);
    }
    if let Some(rest) = text.strip_prefix("**") {
        let (bold, rest) = rest.split_once("**")?;
        html.tag("strong", &[], |html| inline(html, bold));
        return Some(rest);
    }
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (target, rest) = rest.split_once(')')?;
    // U2: a link leads to a page, never to something that runs.
    let leads = ["https://", "http://", "/", "#"]
        .iter()
        .any(|start| target.starts_with(start));
    if leads && !label.contains('[') {
        html.tag("a", &[("href", target)], |html| inline(html, label));
    } else {
        inline(html, label);
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(markdown: &str) -> String {
        let mut html = Html::default();
        write(&mut html, markdown);
        html.0
    }

    #[test]
    fn writes_what_our_pages_use() {
        let text = "# A\n\nSome `code <b>` and **bold `x`**.\n\n- one\n- two\n\n```json\n{\"a\":1}\n```\nEnd *";
        let expected = "<h1>A</h1><p>Some <code>code &lt;b&gt;</code> and <strong>bold <code>x</code></strong>.</p>\
                        <ul><li>one</li><li>two</li></ul><pre><code>{\n  &quot;a&quot;: 1\n}</code></pre><p>End *</p>";
        assert_eq!(written(text), expected);
    }

    #[test]
    fn json_is_laid_out_in_its_order() {
        let text = r#"{"b": [1, {"a": "x, {\"y\\"}], "a": {}, "c":[]}"#;
        let expected =
            "{\n  \"b\": [\n    1,\n    {\n      \"a\": \"x, {\\\"y\\\\\"\n    }\n  ],\n  \"a\": {},\n  \"c\": []\n}";
        assert_eq!(laid_out(text), expected);
        assert_eq!(laid_out("\"no end"), "\"no end");
    }

    #[test]
    fn u2_only_links_to_pages_are_links() {
        assert_eq!(written("[a](/b)"), "<p><a href=\"/b\">a</a></p>");
        for target in [
            "javascript:alert(1)",
            "data:text/html,x",
            "JaVaScRiPt:x",
            " javascript:x",
        ] {
            assert!(!written(&format!("[a]({target})")).contains("href"), "{target}");
        }
        assert_eq!(written("<img src=x onerror=y>"), "<p>&lt;img src=x onerror=y&gt;</p>");
        for open in ["`a", "**a", "[a](b", "[a]", "*", "é`é"] {
            assert_eq!(written(open), format!("<p>{open}</p>"));
        }
    }
}
