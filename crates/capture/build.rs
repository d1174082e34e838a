//! Builds the recorder, a crate apart, so that the collector carries it inside.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(recorder)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_here = variable("CARGO_CFG_TARGET_OS") == "linux" && variable("CARGO_CFG_TARGET_ARCH") == "x86_64";
    if !is_here {
        return;
    }
    let crates = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("..");
    for source in ["preload/src", "preload/Cargo.toml", "preload/Cargo.lock", "preload/build.rs", "recording"]
    {
        let source = crates.join(source);
        if source.exists() {
            println!("cargo::rerun-if-changed={}", source.display());
        }
    }
    let out = PathBuf::from(variable("OUT_DIR"));
    let built = build(&crates.join("preload"), &out.join("preload"));
    std::fs::copy(&built, out.join("recorder.so"))
        .unwrap_or_else(|error| panic!("failed to take {}: {error}", built.display()));
    println!("cargo::rustc-cfg=recorder");
}

/// Runs another cargo. What this one was told for its own target is not for that one: its flags would give the recorder
/// a sanitizer or a coverage counter that no program has room for.
fn build(preload: &Path, target: &Path) -> PathBuf {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["rustc", "--lib", "--crate-type", "cdylib", "--features", "hooks", "--release", "--locked"]);
    cargo.arg("--manifest-path").arg(preload.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(target);
    let host = variable("HOST");
    let mut folder = target.to_owned();
    if !host.starts_with("x86_64-") || !host.ends_with("-linux-gnu") {
        cargo.args(["--target", "x86_64-unknown-linux-gnu"]);
        folder.push("x86_64-unknown-linux-gnu");
    }
    for (name, _) in env::vars_os() {
        let is_theirs = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_TARGET_")
                || name.starts_with("CARGO_BUILD_")
        });
        if is_theirs {
            cargo.env_remove(name);
        }
    }
    for name in [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTFLAGS",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_DIR",
        "TARGET",
    ] {
        cargo.env_remove(name);
    }
    let status = cargo.status().unwrap_or_else(|error| panic!("cargo does not run: {error}"));
    assert!(status.success(), "the recorder could not be built: {status}");
    folder.join("release/libresidue_preload.so")
}

fn variable(name: &str) -> String {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
