//! Imports go one way (ARCHITECTURE.md, code map): `domain` <- `wire` <- `log` <- `runtime` <-
//! `consumers` <- the binary, `domain` <- `ports` <- `consumers`, `domain` <- `documents` <- `consumers`, and
//! `wire` <- `files` <- the binary.
//! `post` stands on all but the documents, right below the consumers. Consumers never import each other.
//!
//! It stands here because this crate is built first and in no time.

#![allow(clippy::unwrap_used, clippy::expect_used)] // tests, all of it

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

/// Where a package of the workspace stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Domain,
    Wire,
    Log,
    Runtime,
    Ports,
    Documents,
    Files,
    Post,
    Consumer,
    Binary,
    /// Under `tests`: may look at everything, and only tests may look at it.
    Test,
}

impl Place {
    /// The place of a package by its folder below the workspace's root.
    fn of(folder: &str) -> Place {
        match folder {
            "" => Place::Binary,
            "pipeline/domain" => Place::Domain,
            "pipeline/wire" => Place::Wire,
            "pipeline/log" => Place::Log,
            "pipeline/runtime" => Place::Runtime,
            "pipeline/ports" => Place::Ports,
            "pipeline/documents" => Place::Documents,
            "pipeline/files" => Place::Files,
            "pipeline/post" => Place::Post,
            _ if folder.starts_with("consumers/") => Place::Consumer,
            _ if folder.starts_with("tests/") => Place::Test,
            other => panic!("{other} has no place among the layers; give it one here"),
        }
    }

    /// What may be imported from here.
    fn may_import(self) -> &'static [Place] {
        use Place::{
            Binary, Consumer, Documents, Domain, Files, Log, Ports, Post, Runtime, Test, Wire,
        };
        match self {
            Domain => &[],
            Wire | Ports | Documents => &[Domain],
            Log | Files => &[Domain, Wire],
            Runtime => &[Domain, Wire, Log],
            Post => &[Domain, Wire, Log, Runtime, Ports],
            Consumer => &[Domain, Wire, Log, Runtime, Ports, Documents, Post],
            Binary => &[Domain, Wire, Log, Runtime, Ports, Documents, Files, Post, Consumer],
            Test => {
                &[Domain, Wire, Log, Runtime, Ports, Documents, Files, Post, Consumer, Binary, Test]
            }
        }
    }
}

/// What the workspace says of its packages, or what a test makes up.
fn wrong_imports(metadata: &Value) -> Vec<String> {
    let root = metadata["workspace_root"].as_str().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let folder = |path: &str| path.strip_prefix(root).map(|path| path.trim_matches('/').to_owned());
    let places: BTreeMap<String, Place> = packages
        .iter()
        .map(|package| {
            let manifest = package["manifest_path"].as_str().unwrap();
            let folder = folder(manifest.strip_suffix("Cargo.toml").unwrap()).unwrap();
            (folder.clone(), Place::of(&folder))
        })
        .collect();
    let mut wrong = Vec::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().unwrap();
        let from = places[&folder(manifest.strip_suffix("Cargo.toml").unwrap()).unwrap()];
        for dependency in package["dependencies"].as_array().unwrap() {
            // What has no path comes from a registry.
            let Some(path) = dependency["path"].as_str() else { continue };
            let to = folder(path).and_then(|folder| places.get(&folder).copied());
            let for_tests = dependency["kind"] == "dev";
            let fine = to.is_some_and(|to| {
                from.may_import().contains(&to) || (for_tests && to == Place::Test)
            });
            if !fine {
                wrong.push(format!(
                    "{} imports {}",
                    package["name"].as_str().unwrap(),
                    dependency["name"].as_str().unwrap()
                ));
            }
        }
    }
    wrong
}

#[test]
fn imports_go_one_way() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let seen = metadata["packages"].as_array().unwrap();
    assert!(seen.iter().any(|package| package["name"] == "drawdown-domain"), "{seen:?}");
    let wrong = wrong_imports(&metadata);
    assert!(wrong.is_empty(), "imports go one way (ARCHITECTURE.md): {}", wrong.join(", "));
}

/// One edge in an otherwise empty workspace.
fn edge(from: &str, to: &str, kind: Option<&str>) -> bool {
    let package = |folder: &str, dependencies: Value| {
        let manifest = format!("/w/{folder}/Cargo.toml").replace("//", "/");
        json!({ "name": folder, "manifest_path": manifest, "dependencies": dependencies })
    };
    let path = format!("/w/{to}");
    let dependency = json!([{ "name": to, "path": path.trim_end_matches('/'), "kind": kind }]);
    let packages = json!([package(from, dependency), package(to, json!([]))]);
    wrong_imports(&json!({ "workspace_root": "/w", "packages": packages })).is_empty()
}

#[test]
fn a_wrong_import_is_found() {
    for (from, to) in [
        ("pipeline/wire", "pipeline/domain"),
        ("pipeline/ports", "pipeline/domain"),
        ("pipeline/log", "pipeline/wire"),
        ("pipeline/runtime", "pipeline/log"),
        ("consumers/balance", "pipeline/runtime"),
        ("consumers/alerts", "pipeline/ports"),
        ("pipeline/documents", "pipeline/domain"),
        ("consumers/invoices", "pipeline/documents"),
        ("consumers/invoices", "pipeline/post"),
        ("pipeline/post", "pipeline/runtime"),
        ("", "consumers/balance"),
        ("tests/components", ""),
    ] {
        assert!(edge(from, to, None), "{from} may import {to}");
        if !from.starts_with("tests/") {
            assert!(!edge(to, from, None), "{to} may not import {from}");
            assert!(!edge(to, from, Some("dev")), "not even for tests: {to}, {from}");
        }
    }
    for (from, to) in [
        ("consumers/balance", "consumers/metering"),
        ("pipeline/ports", "pipeline/wire"),
        ("pipeline/runtime", "pipeline/ports"),
        ("pipeline/documents", "pipeline/wire"),
        ("pipeline/post", "pipeline/documents"),
        ("pipeline/log", "tests/components"),
        ("", "tests/bookkeeper"),
    ] {
        assert!(!edge(from, to, None), "{from} may not import {to}");
        assert!(!edge(from, to, Some("build")), "{from} may not import {to}");
    }
    assert!(edge("", "tests/bookkeeper", Some("dev")));
}
