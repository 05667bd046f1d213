//! Content codings: whether the visitor takes gzip.

/// Whether these lines of `Accept-Encoding` prefer gzip to the plain bytes, or take it as well (RFC
/// 9110, section 12.5.3). Without a line nothing is known of the visitor, and plain is safe.
pub(super) fn takes_gzip<'l>(lines: impl Iterator<Item = &'l [u8]> + Clone) -> bool {
    let weight = |coding: &str| {
        let mut entries =
            lines.clone().flat_map(|line| line.split(|&byte| byte == b',')).map(entry);
        entries.find(|(name, _)| name.eq_ignore_ascii_case(coding)).map(|(_, weight)| weight)
    };
    let others = weight("*");
    // x-gzip is its old name (section 8.4.1.3).
    let gzip = weight("gzip").or_else(|| weight("x-gzip")).or(others).unwrap_or(0);
    // Plain needs no mention; where it has none, it is the last resort.
    let plain = weight("identity").unwrap_or(0);
    gzip > 0 && gzip >= plain
}

/// A coding and its weight in thousandths. An entry that is not text names no coding.
fn entry(entry: &[u8]) -> (&str, u16) {
    let entry = std::str::from_utf8(entry).unwrap_or_default();
    let (name, parameter) = entry.split_once(';').unwrap_or((entry, "q=1"));
    (name.trim(), weight(parameter.trim()).unwrap_or(0))
}

/// `q=0.5`, or nothing for what is no weight: who is misunderstood gets plain bytes.
fn weight(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_weight = name.eq_ignore_ascii_case("q")
        && fraction.len() <= 3
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" if is_weight => Some(thousandths),
        "1" if is_weight && thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(lines: &[&str]) -> bool {
        takes_gzip(lines.iter().map(|line| line.as_bytes()))
    }

    #[test]
    fn gzip_is_taken_by_name_and_by_star() {
        for accepted in [
            "gzip",
            "GZip",
            "x-gzip",
            "gzip, deflate, br, zstd",
            "br;q=1.0, gzip;q=0.8, *;q=0.1",
            "deflate , gzip ; q=0.001",
            "gzip;Q=1.000",
            "*",
            "*;q=0.5",
            "identity;q=0, *",
            "identity;q=0.5, gzip;q=0.5",
            "gzip, identity",
            "gzip, *;q=0",
            ",, gzip,",
        ] {
            assert!(takes(&[accepted]), "{accepted}");
        }
        assert!(takes(&["br", "gzip"]), "two lines are one list");
    }

    #[test]
    fn gzip_is_not_forced_on_anyone() {
        for refused in [
            "",
            "identity",
            "br",
            "gzip;q=0",
            "gzip;q=0.000",
            "gzip;q=0, *",
            "*;q=0",
            "br, *;q=0",
            "identity;q=0",
            "identity, gzip;q=0.9",
            "identity, *;q=0.5",
            "gzipped",
            "gzip=1",
        ] {
            assert!(!takes(&[refused]), "{refused}");
        }
        assert!(!takes(&[]), "no header");
        assert!(takes_gzip([&b"\xff, gzip"[..]].into_iter()), "another entry is not text");
        assert!(!takes(&["gzip;q=0", "gzip"]), "the first mention counts");
    }

    #[test]
    fn what_is_no_weight_is_no_consent() {
        for broken in [
            "", "q", "q=", "q=2", "q=1.1", "q=-1", "q=0.0001", "q=.5", "q=0.5;x", "q=NaN",
            "level=1",
        ] {
            assert!(!takes(&[&format!("gzip;{broken}")]), "{broken}");
        }
        assert!(takes(&["gzip;q=0."]) == takes(&["gzip;q=0"]), "a bare point is allowed");
        assert!(takes(&["gzip;q=1."]));
    }
}
