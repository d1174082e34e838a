use std::env;
use std::path::{Path, PathBuf};

/// Beside what cargo builds, so that `cargo clean` takes it too.
pub(crate) fn shelf() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the testkit stands in the workspace");
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("testkit")
}
