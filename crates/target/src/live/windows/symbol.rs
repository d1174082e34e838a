//! Calls that not every Windows has: they are looked for when they are needed, so that the program starts without them.

use windows_sys::Win32::Foundation::HMODULE;
use windows_sys::Win32::System::LibraryLoader::{
    GetModuleHandleW, GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW,
};

/// The address of a function.
pub(super) type Symbol = unsafe extern "system" fn() -> isize;

/// A function of a library that every process has loaded.
pub(super) fn find(library: &str, name: &std::ffi::CStr) -> Option<Symbol> {
    let library = wide(library);
    // SAFETY: the name ends in zero; what every process has loaded is never unloaded.
    look_up(unsafe { GetModuleHandleW(library.as_ptr()) }, name)
}

/// A function of a library of the system, which is loaded for it and stays. One beside the program is not taken for it.
pub(super) fn load(library: &str, name: &std::ffi::CStr) -> Option<Symbol> {
    let library = wide(library);
    // SAFETY: the name ends in zero, and the reserved argument is null.
    let loaded =
        unsafe { LoadLibraryExW(library.as_ptr(), std::ptr::null_mut(), LOAD_LIBRARY_SEARCH_SYSTEM32) };
    look_up(loaded, name)
}

fn look_up(library: HMODULE, name: &std::ffi::CStr) -> Option<Symbol> {
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is loaded, and the name ends in zero.
    unsafe { GetProcAddress(library, name.as_ptr().cast()) }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
