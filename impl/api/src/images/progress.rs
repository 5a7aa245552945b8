//! Messages of how far a transfer is.

use serde_json::{Value, json};

/// A message with a bar, as clients print it. `current` and `total` are bytes; `start` is when it began, Unix seconds.
pub(crate) fn message(status: &str, current: u64, total: u64, start: i64) -> Value {
    json!({
        "status": status,
        "progressDetail": {"current": current, "total": total, "start": start},
        "progress": bar(current, total),
    })
}

/// `[====>   ] 4.096 kB/10.24 kB`.
fn bar(current: u64, total: u64) -> String {
    let done = current.saturating_mul(50).checked_div(total).unwrap_or(0).min(50) as usize;
    format!("[{}>{}] {:>8}/{}", "=".repeat(done), " ".repeat(50 - done), size(current), size(total))
}

/// Bytes in decimal units with four significant digits.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = if value >= 1000.0 { 0 } else { 3 - (value.max(1.0).log10().floor() as usize).min(3) };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_recorded() {
        assert_eq!(bar(4096, 10240), format!("[{}>{}] 4.096 kB/10.24 kB", "=".repeat(20), " ".repeat(30)));
        assert_eq!(bar(10240, 10240), format!("[{}>] 10.24 kB/10.24 kB", "=".repeat(50)));
        assert_eq!(size(512), "512 B");
        assert_eq!(size(200_000_000), "200 MB");
    }
}
