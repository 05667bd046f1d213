//! Content codings: whether the visitor takes gzip.

/// The weights of the codings that matter, in thousandths, each as it was mentioned first.
#[derive(Default)]
struct Weights {
    gzip: Option<u16>,
    /// The old name of gzip (RFC 9110, section 8.4.1.3).
    x_gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

/// Whether these lines of `Accept-Encoding` prefer gzip to the plain bytes, or take it as well (RFC
/// 9110, section 12.5.3). Without a line nothing is known of the visitor, and plain is safe.
pub(super) fn takes_gzip<'l>(lines: impl Iterator<Item = &'l [u8]>) -> bool {
    let mut weights = Weights::default();
    // Once over all entries, of which a line may have thousands.
    for entry in lines.flat_map(|line| line.split(|&byte| byte == b',')) {
        weights.note(entry);
    }
    let Weights { gzip, x_gzip, identity, others } = weights;
    let gzip = gzip.or(x_gzip).or(others).unwrap_or(0);
    // Plain needs no mention; where it has none, it is the last resort.
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

impl Weights {
    fn note(&mut self, entry: &[u8]) {
        let end = entry.iter().position(|&byte| byte == b';').unwrap_or(entry.len());
        let (name, rest) = entry.split_at(end);
        let weight = match name.trim_ascii() {
            b"*" => &mut self.others,
            name if name.eq_ignore_ascii_case(b"gzip") => &mut self.gzip,
            name if name.eq_ignore_ascii_case(b"x-gzip") => &mut self.x_gzip,
            name if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            _ => return,
        };
        let parameter = rest.strip_prefix(b";").map_or(&b"q=1"[..], <[u8]>::trim_ascii);
        // An entry that is not understood counts as a refusal: plain bytes are safe.
        weight.get_or_insert_with(|| thousandths(parameter).unwrap_or(0));
    }
}

/// The thousandths of `q=0.5`; nothing for what is no weight.
fn thousandths(parameter: &[u8]) -> Option<u16> {
    let (name, value) = parameter.split_at_checked(2)?;
    let (whole, fraction) = value.split_first()?;
    let digits = match fraction {
        [] => fraction,
        [b'.', digits @ ..] => digits,
        _ => return None,
    };
    if !name.eq_ignore_ascii_case(b"q=")
        || digits.len() > 3
        || !digits.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let digit = |at: usize| u16::from(digits.get(at).map_or(0, |digit| digit - b'0'));
    let fraction = 100 * digit(0) + 10 * digit(1) + digit(2);
    match whole {
        b'0' => Some(fraction),
        b'1' if fraction == 0 => Some(1000),
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
