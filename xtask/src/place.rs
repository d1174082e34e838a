//! Where things lie: the workspace, and what cargo builds.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace")
}

/// Where cargo builds: where it is told to, else a cache that outlives the clone on a CI machine, else in the clone.
pub(crate) fn target() -> PathBuf {
    let told = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    root().join(told.or_else(ci_cache).unwrap_or_else(|| "target".into()))
}

/// Where lies what all clones share: the user's cache, else where cargo builds.
pub(crate) fn cache() -> PathBuf {
    user_cache().map_or_else(target, |cache| root().join(cache))
}

fn ci_cache() -> Option<PathBuf> {
    env::var_os("CI").filter(|ci| ci == "true")?;
    Some(user_cache()?.join("target"))
}

fn user_cache() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("residue"))
}
