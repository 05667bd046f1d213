//! The tests that `docs/ASVS.md` names are there.

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
fn every_test_that_the_table_names_is_there() {
    let table = include_str!("../docs/ASVS.md");
    let code = table.split('`').skip(1).step_by(2);
    let names: Vec<(&str, &str)> = code
        .filter_map(|code| code.split_once("::"))
        .filter(|(file, name)| *file != "file" && name.starts_with(char::is_lowercase))
        .filter(|(file, _)| file.starts_with(char::is_lowercase))
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for (file, name) in names {
        let is_there = source(file).contains(&format!("#[test]\nfn {name}()"));
        assert!(is_there, "docs/ASVS.md names {file}::{name}, which is nowhere");
    }
}
