//! The folder `schemas/`: read, compared, and rewritten on demand.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const HOW_TO_UPDATE: &str =
    "if that is meant, run: UPDATE_SCHEMAS=1 cargo test -p drawdown-wire --test schemas";

pub(crate) fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas").join(below)
}

/// Whether this run rewrites the files instead of comparing them.
pub(crate) fn updates() -> bool {
    std::env::var_os("UPDATE_SCHEMAS").is_some()
}

pub(crate) fn read(below: &str) -> Option<String> {
    fs::read_to_string(path(below)).ok()
}

pub(crate) fn write(below: &str, text: &str) {
    let path = path(below);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Holds a folder against what it should hold: these files with these texts and nothing else.
pub(crate) fn check(below: &str, expected: &[(String, String)]) {
    let names: BTreeSet<String> = expected.iter().map(|(name, _)| name.clone()).collect();
    let left_over: Vec<String> =
        names_in(below).into_iter().filter(|name| !names.contains(name)).collect();
    if updates() {
        for name in &left_over {
            fs::remove_file(path(below).join(name)).unwrap();
        }
        for (name, text) in expected {
            write(&format!("{below}/{name}"), text);
        }
        return;
    }
    assert!(
        left_over.is_empty(),
        "schemas/{below} holds {left_over:?}, which belong to no schema; {HOW_TO_UPDATE}"
    );
    for (name, text) in expected {
        let found = read(&format!("{below}/{name}"));
        assert!(found.is_some(), "schemas/{below}/{name} is missing; {HOW_TO_UPDATE}");
        assert!(
            found.as_ref() == Some(text),
            "schemas/{below}/{name} is not what the code says; {HOW_TO_UPDATE}"
        );
    }
}

/// The names of the files and folders in a folder, sorted; none if it does not exist.
pub(crate) fn names_in(below: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(path(below)) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
