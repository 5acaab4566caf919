//! The text format that Prometheus reads (its exposition formats, text version 0.0.4).

use std::fmt::{Display, Write};

use tieline::metrics::{BUCKETS, Histogram};

/// The format's media type.
pub(crate) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text under way.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// Begins a family of samples. Its samples follow at once.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) {
        self.family(name, "counter", help);
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str) {
        self.family(name, "histogram", help);
    }

    /// A family of one sample.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "gauge", help);
        self.sample(name, &[], value);
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels {
            self.0.push(before);
            self.0.push_str(label);
            self.0.push_str("=\"");
            self.escape(text);
            self.0.push('"');
            before = ',';
        }
        if before == ',' {
            self.0.push('}');
        }
        self.line(format_args!(" {value}"));
    }

    /// The samples of one histogram.
    pub(super) fn buckets(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let counts = histogram.cumulative();
        let ends = BUCKETS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        let bucket = format!("{name}_bucket");
        for (end, count) in ends.zip(counts) {
            let labels: Vec<_> = labels.iter().copied().chain([("le", end.as_str())]).collect();
            self.sample(&bucket, &labels, count);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.seconds());
        self.sample(&format!("{name}_count"), labels, counts[BUCKETS.len()]);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a string cannot fail.
        let _ = self.0.write_fmt(line);
        self.0.push('\n');
    }

    fn escape(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn is_written_as_the_format_says() {
        let mut text = Text::default();
        text.counter("a_total", "Things.");
        text.sample("a_total", &[("x", "1"), ("y", "quote \" back \\ line \n end")], 7);
        text.gauge("b", "Now.", 1.5);
        let took = Histogram::default();
        took.observe(Duration::from_millis(30));
        text.histogram("c_seconds", "Time.");
        text.buckets("c_seconds", &[("z", "")], &took);
        let text = text.finish();
        let expected = concat!(
            "# HELP a_total Things.\n# TYPE a_total counter\n",
            r#"a_total{x="1",y="quote \" back \\ line \n end"} 7"#,
            "\n# HELP b Now.\n# TYPE b gauge\nb 1.5\n",
            "# HELP c_seconds Time.\n# TYPE c_seconds histogram\n",
        );
        assert!(text.starts_with(expected), "{text}");
        for line in [
            r#"c_seconds_bucket{z="",le="0.025"} 0"#,
            r#"c_seconds_bucket{z="",le="0.05"} 1"#,
            r#"c_seconds_bucket{z="",le="+Inf"} 1"#,
            r#"c_seconds_sum{z=""} 0.03"#,
            r#"c_seconds_count{z=""} 1"#,
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is not in {text}");
        }
    }
}
