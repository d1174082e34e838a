use std::fmt::Write;
use std::time::Duration;

/// How a leg went: with a note, or with the reason why not.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) took: Duration,
    pub(super) outcome: Result<String, String>,
}

pub(super) fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let (verdict, note) = match &row.outcome {
            Ok(note) => ("pass", note),
            Err(reason) => ("FAIL", reason),
        };
        let note = note.lines().next().unwrap_or_default();
        let line = format!("{verdict}  {:<8} {:>7.1} s  {note}", row.name, row.took.as_secs_f64());
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let total: Duration = rows.iter().map(|row| row.took).sum();
    let _ = writeln!(text, "      {:<8} {:>7.1} s", "all", total.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_leg_stands_out_with_its_reason() {
        let rows = [
            Row { name: "fmt", took: Duration::from_millis(1250), outcome: Ok(String::new()) },
            Row { name: "test", took: Duration::from_secs(60), outcome: Err("cargo ended\nmore".to_owned()) },
        ];

        assert_eq!(
            render(&rows),
            "pass  fmt          1.2 s\n\
             FAIL  test        60.0 s  cargo ended\n      \
             all         61.2 s\n"
        );
    }
}
