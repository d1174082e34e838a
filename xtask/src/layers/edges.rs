//! Which crate may use which.

use serde_json::Value;

/// A crate, and the crates of ours that it may use. Each row uses only what stands above it, so that whatever
/// keeps to the table has no cycle.
const ALLOWED: [(&str, &[&str]); 14] = [
    ("model", &[]),
    ("recording", &[]),
    ("marks", &[]),
    ("preload", &["recording"]),
    ("testkit", &["model", "recording"]),
    ("target", &["model"]),
    ("heap", &["model"]),
    ("analysis", &["model"]),
    ("capture", &["recording", "target", "model"]),
    ("report", &["analysis", "model"]),
    ("residue", &["target", "heap", "capture", "analysis", "report", "model"]),
    ("cli", &["residue"]),
    ("agent", &["residue"]),
    ("capi", &["residue"]),
];

/// Counts the edges between our crates and lists those that the table does not have.
pub(super) fn judge(metadata: &Value) -> (usize, Vec<String>) {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let ours: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut count = 0;
    let mut offences = Vec::new();
    for package in packages {
        let Some(from) = package["name"].as_str().filter(|name| *name != "xtask") else { continue };
        if allowed(from).is_none() {
            offences.push(format!("{from}: has no layer; give it a row in xtask/src/layers/edges.rs"));
            continue;
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(to) = dependency["name"].as_str().filter(|name| ours.contains(name)) else { continue };
            count += 1;
            let is_dev = dependency["kind"] == "dev";
            if !may_use(from, to, is_dev) {
                offences.push(offence(from, to, is_dev));
            }
        }
    }
    (count, offences)
}

fn may_use(from: &str, to: &str, is_dev: bool) -> bool {
    let row = allowed(from).unwrap_or_default();
    row.contains(&short(to)) || (is_dev && short(to) == "testkit")
}

fn offence(from: &str, to: &str, is_dev: bool) -> String {
    let kind = if is_dev { " in its tests" } else { "" };
    let row =
        allowed(from).filter(|row| !row.is_empty()).map_or("none of ours".to_owned(), |row| row.join(", "));
    format!("{from} -> {to}{kind}: it may use {row}")
}

fn allowed(package: &str) -> Option<&'static [&'static str]> {
    ALLOWED.iter().find(|(name, _)| *name == short(package)).map(|(_, uses)| *uses)
}

fn short(package: &str) -> &str {
    package.strip_prefix("residue-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, uses: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> =
            uses.iter().map(|(name, kind)| json!({ "name": name, "kind": kind })).collect();
        json!({ "name": name, "dependencies": dependencies })
    }

    fn judged(packages: &[Value]) -> (usize, Vec<String>) {
        judge(&json!({ "packages": packages }))
    }

    #[test]
    fn the_house_as_drawn_has_no_offence() {
        let (edges, offences) = judged(&[
            package("residue-model", &[("serde", None), ("residue-testkit", Some("dev"))]),
            package("residue-target", &[("residue-model", None)]),
            package("residue", &[("residue-target", None), ("residue-model", None)]),
            package("residue-cli", &[("residue", None), ("clap", None)]),
            package("residue-testkit", &[]),
            package("xtask", &[("residue-testkit", None)]),
        ]);

        assert_eq!((edges, offences), (5, vec![]));
    }

    #[test]
    fn an_edge_to_the_right_is_an_offence() {
        let (_, offences) = judged(&[
            package("residue-analysis", &[("residue-report", None)]),
            package("residue-report", &[("residue-analysis", None)]),
        ]);

        assert_eq!(offences, ["residue-analysis -> residue-report: it may use model"]);
    }

    #[test]
    fn the_testkit_is_for_tests_alone() {
        let (_, offences) = judged(&[
            package("residue-model", &[("residue-testkit", None)]),
            package("residue-heap", &[("residue-testkit", Some("dev"))]),
            package("residue-testkit", &[]),
        ]);

        assert_eq!(offences, ["residue-model -> residue-testkit: it may use none of ours"]);
    }

    #[test]
    fn a_test_keeps_to_the_layers_too() {
        let (_, offences) =
            judged(&[package("residue-model", &[("residue", Some("dev"))]), package("residue", &[])]);

        assert_eq!(offences, ["residue-model -> residue in its tests: it may use none of ours"]);
    }

    #[test]
    fn a_crate_without_a_row_is_an_offence() {
        let (_, offences) = judged(&[package("residue-utils", &[])]);

        assert_eq!(offences.len(), 1);
        assert!(offences[0].starts_with("residue-utils: has no layer"));
    }

    /// What makes `judge` a proof that there is no cycle.
    #[test]
    fn each_row_uses_what_stands_above_it() {
        for (place, (name, uses)) in ALLOWED.iter().enumerate() {
            let above: Vec<&str> = ALLOWED[..place].iter().map(|(name, _)| *name).collect();
            assert!(uses.iter().all(|to| above.contains(to)), "{name}");
        }
    }
}
