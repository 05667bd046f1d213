//! The paths that a row of the router is for.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters of a path: their names, and their values, decoded.
pub(super) type Params = Vec<(&'static str, String)>;

/// A pattern of paths, checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Pattern {
    text: &'static str,
    /// It is one path.
    is_fixed: bool,
}

/// A part of a pattern, between two slashes.
#[derive(PartialEq, Eq)]
enum Part {
    /// `posts`: the same, as it is written.
    Fixed(&'static str),
    /// `:id`: anything but nothing.
    Param(&'static str),
    /// `*` at the end: all that is below, or nothing.
    Rest,
}

impl Part {
    fn of(text: &'static str) -> Part {
        match text.strip_prefix(':') {
            Some(name) => Part::Param(name),
            None if text == "*" => Part::Rest,
            None => Part::Fixed(text),
        }
    }
}

impl Pattern {
    /// The pattern that is written so; or what is wrong with it.
    pub(super) fn new(text: &'static str) -> Result<Pattern, String> {
        let fault = |what: &str| Err(format!("the route {text:?} {what}"));
        if !text.starts_with('/') {
            return fault("does not begin with a slash");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte)) {
            return fault(
                "holds what no path holds: a path is ASCII, other characters are escaped",
            );
        }
        let mut names: Vec<&str> = Vec::new();
        let mut pattern = Pattern { text, is_fixed: true };
        let mut parts = pattern.parts().peekable();
        while let Some(part) = parts.next() {
            pattern.is_fixed &= matches!(part, Part::Fixed(_));
            match part {
                Part::Param(name) if names.contains(&name) => {
                    return fault(&format!("has two parameters called {name:?}"));
                }
                Part::Param(name) if !is_name(name) => {
                    return fault("has a parameter whose name is not of letters, digits and _");
                }
                Part::Param(name) => names.push(name),
                Part::Rest if parts.peek().is_some() => {
                    return fault("goes on behind its *");
                }
                Part::Fixed(text) if text.contains('*') => {
                    return fault("has a * that is not a whole part");
                }
                Part::Fixed(_) | Part::Rest => {}
            }
        }
        Ok(pattern)
    }

    fn parts(self) -> impl Iterator<Item = Part> {
        // Behind the slash at its start.
        self.text.split('/').skip(1).map(Part::of)
    }

    /// The parameters in `path`, where the pattern is for it. A pattern without parameters
    /// allocates nothing.
    pub(super) fn params(self, path: &str) -> Option<Params> {
        let mut params = Params::new();
        if self.is_fixed {
            return (self.text == path).then_some(params);
        }
        let mut given = path.strip_prefix('/')?.split('/');
        for part in self.parts() {
            match (part, given.next()?) {
                (Part::Rest, _) => return Some(params),
                (Part::Fixed(text), given) if text == given => {}
                (Part::Param(name), given) => params.push((name, value(given)?.into_owned())),
                _ => return None,
            }
        }
        given.next().is_none().then_some(params)
    }

    /// Whether it is for all paths that `other` is for.
    pub(super) fn covers(self, other: Pattern) -> bool {
        let mut others = other.parts();
        for part in self.parts() {
            match (part, others.next()) {
                (Part::Rest, Some(_)) => return true,
                (Part::Param(_), Some(Part::Param(_))) => {}
                (Part::Param(_), Some(Part::Fixed(text))) if value(text).is_some() => {}
                (Part::Fixed(text), Some(Part::Fixed(other))) if text == other => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    pub(super) fn as_str(self) -> &'static str {
        self.text
    }
}

/// The value of a parameter that a part of a path is; none where it is empty, or no UTF-8.
fn value(part: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(part).decode_utf8().ok().filter(|value| !value.is_empty())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pattern: &'static str, path: &str) -> Option<Vec<String>> {
        let params = Pattern::new(pattern).unwrap().params(path)?;
        Some(params.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
    }

    #[test]
    fn a_parameter_is_one_part_and_decoded() {
        for (pattern, path, expected) in [
            ("/posts/:id", "/posts/7", vec!["id=7"]),
            ("/posts/:id", "/posts/a%20b+c%2Fd%C3%A9", vec!["id=a b+c/d\u{e9}"]),
            ("/posts/:id", "/posts/100%", vec!["id=100%"]),
            ("/:a/x/:b", "/1/x/2", vec!["a=1", "b=2"]),
            ("/:a/*", "/1/2/3", vec!["a=1"]),
            ("/:a/", "/1/", vec!["a=1"]),
            ("/:a", "/:a", vec!["a=:a"]),
        ] {
            let expected = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(params(pattern, path), Some(expected), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/posts/:id", "/posts/"),
            ("/posts/:id", "/posts"),
            ("/posts/:id", "/posts/7/"),
            ("/posts/:id", "/posts/7/8"),
            ("/posts/:id", "/posts/%ff"),
            ("/posts/:id", "posts/7"),
            ("/:a/x", "//x"),
            ("/:a", ""),
            ("/:a", "*"),
        ] {
            assert_eq!(params(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn a_star_takes_all_that_is_below() {
        for path in ["/files/", "/files/a", "/files/a/b", "/files//", "/files/%ff"] {
            assert!(params("/files/*", path).is_some(), "{path}");
        }
        for path in ["/files", "/file/a", "/", "/Files/a", "files/a", "/%66iles/a"] {
            assert!(params("/files/*", path).is_none(), "{path}");
        }
        assert!(params("/*", "/").is_some() && params("/*", "/a/b").is_some());
        assert!(params("/*", "*").is_none() && params("/*", "").is_none());
    }

    #[test]
    fn a_faulty_pattern_is_none() {
        for (text, fault) in [
            ("", "begin with a slash"),
            ("posts", "begin with a slash"),
            ("*", "begin with a slash"),
            ("/:id/:id", "two parameters called \"id\""),
            ("/:", "a parameter whose name"),
            ("/:a-b", "a parameter whose name"),
            ("/*/a", "goes on behind its *"),
            ("/a*", "not a whole part"),
            ("/a*b/c", "not a whole part"),
            ("/a?b", "what no path holds"),
            ("/a b", "what no path holds"),
            ("/\u{e9}", "what no path holds"),
        ] {
            let message = Pattern::new(text).err().unwrap_or_default();
            assert!(message.contains(fault), "{text}: {message}");
        }
        assert!(Pattern::new("/a/:b_2/%C3%A9/c:d/*").is_ok());
    }

    /// The paths of a pattern stand for all of its.
    #[test]
    fn a_pattern_covers_another_whose_paths_it_has() {
        const ALL: [(&str, &[&str]); 10] = [
            ("/", &["/"]),
            ("/a", &["/a"]),
            ("/a/", &["/a/"]),
            ("/%ff", &["/%ff"]),
            ("/:x", &["/~", "/a"]),
            ("/a/:x", &["/a/~", "/a/b"]),
            ("/:x/b", &["/~/b", "/a/b"]),
            ("/a/*", &["/a/", "/a/~", "/a/~/~"]),
            ("/:x/*", &["/~/", "/~/~", "/~/~/~"]),
            ("/*", &["/", "/~", "/%ff", "/~/~", "/~/~/~"]),
        ];
        let pattern = |text| Pattern::new(text).unwrap();
        for (text, _) in ALL {
            for (other, paths) in ALL {
                let has_all = paths.iter().all(|path| pattern(text).params(path).is_some());
                assert_eq!(pattern(text).covers(pattern(other)), has_all, "{text} {other}");
            }
        }
    }
}
