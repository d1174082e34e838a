//! How the shared object is linked: it stands alone, so that it loads beside any C library.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_HOOKS").is_none() {
        return;
    }
    // No start files and no libraries; all symbols bound at once, our own among ourselves; nothing left writable that need not be.
    for argument in ["-nostdlib", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,-Bsymbolic", "-Wl,-z,noexecstack"] {
        println!("cargo::rustc-link-arg={argument}");
    }
}
