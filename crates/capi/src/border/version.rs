//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of this interface. It grows when something that was there changes: what is only added leaves it.
pub const RESIDUE_ABI_VERSION: u32 = 1;

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"unknown",
};

/// The `RESIDUE_ABI_VERSION` that the library was built with.
///
/// Call it first where the library is loaded at run time: another number than the header's is another interface.
#[unsafe(no_mangle)]
pub extern "C" fn residue_abi_version() -> u32 {
    RESIDUE_ABI_VERSION
}

/// The version of Residue, such as "0.1.0". The text is the library's own: it is not freed.
#[unsafe(no_mangle)]
pub extern "C" fn residue_version() -> *const c_char {
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_packages() {
        assert_eq!(VERSION.to_str(), Ok(env!("CARGO_PKG_VERSION")));
        assert_eq!(residue_abi_version(), RESIDUE_ABI_VERSION);
    }
}
