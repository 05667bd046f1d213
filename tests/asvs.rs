//! The tests that `docs/ASVS.md` and `docs/limits.md` name are there.

use std::fs;
use std::path::Path;

/// The source of the test binary `name`, with the modules in its folder.
fn source(name: &str) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut source = fs::read_to_string(tests.join(name).with_extension("rs")).unwrap_or_default();
    for entry in fs::read_dir(tests.join(name)).into_iter().flatten() {
        source += &fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
    }
    source
}

#[test]
fn every_test_that_the_tables_name_is_there() {
    let all = named_in("ASVS.md", include_str!("../docs/ASVS.md"));
    assert!(all > 20, "{all}");
    let all = named_in("limits.md", include_str!("../docs/limits.md"));
    assert!(all >= 12, "{all}");
}

/// How many tests a page names, all of which are there.
fn named_in(page: &str, table: &str) -> usize {
    let code = table.split('`').skip(1).step_by(2);
    let names: Vec<(&str, &str)> = code
        .filter_map(|code| code.split_once("::"))
        .filter(|(file, name)| *file != "file" && name.starts_with(char::is_lowercase))
        .filter(|(file, _)| file.starts_with(char::is_lowercase))
        .collect();
    for (file, name) in &names {
        let is_there = source(file).contains(&format!("#[test]\nfn {name}()"));
        assert!(is_there, "docs/{page} names {file}::{name}, which is nowhere");
    }
    names.len()
}
