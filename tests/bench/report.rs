//! Results: the table on standard output, and `target/bench.json`.

use std::fmt;
use std::path::Path;

use serde_json::json;

/// Which values are good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
}

/// What the group's issue asks for: of the value itself, or of its ratio to the baseline.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Value(f64),
    Ratio(f64),
    /// A ratio that would be good to have, but that nothing depends on.
    Aim(f64),
}

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
    pub(crate) baseline: Option<f64>,
    pub(crate) target: Target,
}

impl Row {
    pub(crate) fn ratio(&self) -> Option<f64> {
        self.baseline.map(|baseline| self.value / baseline)
    }

    /// Whether the target is met; a target for a ratio needs a baseline.
    pub(crate) fn is_met(&self) -> bool {
        let (value, target) = match self.target {
            Target::Value(target) => (Some(self.value), target),
            Target::Ratio(target) | Target::Aim(target) => (self.ratio(), target),
        };
        value.is_some_and(|value| match self.better {
            Better::Higher => value >= target,
            Better::Lower => value <= target,
        })
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "better": match self.better {
                Better::Higher => "higher",
                Better::Lower => "lower",
            },
            "baseline": self.baseline,
            "ratio": self.ratio(),
        })
    }

    fn met_text(&self) -> &'static str {
        match self.target {
            _ if self.is_met() => "yes",
            Target::Aim(_) => "not yet",
            Target::Value(_) | Target::Ratio(_) => "NO",
        }
    }

    fn target_text(&self) -> String {
        let sign = match self.better {
            Better::Higher => "≥",
            Better::Lower => "≤",
        };
        match self.target {
            Target::Value(target) => format!("{sign} {}", Number(target)),
            Target::Ratio(target) => format!("{sign} {target:.2} x"),
            Target::Aim(target) => format!("aim {target:.2} x"),
        }
    }
}

/// Prints the table.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<22} {:>14} {:<12} {:>14} {:>9}  {:<13} met",
        "name", "value", "unit", "baseline", "ratio", "target"
    );
    for row in rows {
        println!(
            "{:<22} {:>14} {:<12} {:>14} {:>9}  {:<13} {}",
            row.name,
            Number(row.value).to_string(),
            row.unit,
            row.baseline.map_or(String::from("-"), |baseline| Number(baseline).to_string()),
            row.ratio().map_or(String::from("-"), |ratio| format!("{ratio:.3} x")),
            row.target_text(),
            row.met_text(),
        );
    }
}

/// Writes the file that programs compare.
pub(crate) fn write(rows: &[Row], path: &Path) -> std::io::Result<()> {
    let list: Vec<_> = rows.iter().map(Row::json).collect();
    std::fs::write(path, format!("{:#}\n", serde_json::Value::from(list)))
}

/// A number with separated thousands; with a digit after the point when it is small.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 100.0 {
            return write!(f, "{:.1}", self.0);
        }
        let digits = format!("{:.0}", self.0);
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.write_str(&text)
    }
}
