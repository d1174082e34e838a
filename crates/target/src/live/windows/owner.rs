use std::collections::HashMap;

use windows_sys::Wdk::System::Threading::{NtQueryInformationProcess, PROCESSINFOCLASS};
use windows_sys::Win32::Foundation::{LocalFree, UNICODE_STRING};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountSidW, PSID, SID_NAME_USE, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentThread, OpenProcessToken, OpenThreadToken, QueryFullProcessImageNameW,
};

use super::access::Handle;
use super::text::{filled, wide};
use crate::procfs::printable;

/// Accounts, each looked up once: a look-up may ask a server of the domain.
#[derive(Default)]
pub(super) struct Accounts(HashMap<Vec<u8>, Option<String>>);

impl Accounts {
    /// The account that a process runs as.
    pub(super) fn of(&mut self, process: &Handle) -> Option<String> {
        let token = user_token(process)?;
        let sid = sid(&token);
        let key = token.iter().flat_map(|word| word.to_ne_bytes()).skip(size_of::<TOKEN_USER>()).collect();
        self.0.entry(key).or_insert_with(|| account(sid)).clone()
    }
}

fn user_token(process: &Handle) -> Option<Vec<u64>> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: the token is written to a local.
    let opened = unsafe { OpenProcessToken(process.raw(), TOKEN_QUERY, &raw mut raw) };
    user(&Handle::owned(raw).filter(|_| opened != 0)?)
}

/// Of the account that this thread acts as: a service may act as its client for a while.
fn thread_token() -> Option<Vec<u64>> {
    let mut raw = std::ptr::null_mut();
    // SAFETY: the token is written to a local; the thread is the one that asks.
    let opened = unsafe { OpenThreadToken(GetCurrentThread(), TOKEN_QUERY, 1, &raw mut raw) };
    user(&Handle::owned(raw).filter(|_| opened != 0)?)
}

fn user(token: &Handle) -> Option<Vec<u64>> {
    let mut buffer = vec![0_u64; 32];
    let (room, mut length) = (u32::try_from(buffer.len() * 8).ok()?, 0);
    // SAFETY: the buffer is as long as is told: a SID has 68 bytes at most.
    let done = unsafe {
        GetTokenInformation(token.raw(), TokenUser, buffer.as_mut_ptr().cast(), room, &raw mut length)
    };
    (done != 0).then_some(buffer)
}

/// The SID of a token's user. It lives in the token's buffer.
fn sid(token: &[u64]) -> PSID {
    // SAFETY: `user` filled the buffer with a `TOKEN_USER`, whose SID stands behind it in the same buffer, and the
    // buffer is aligned for it.
    unsafe { (*token.as_ptr().cast::<TOKEN_USER>()).User.Sid }
}

/// The SID of the account that a file of ours gets, as security descriptors write it: `S-1-5-21-...`.
pub(super) fn own_sid() -> Option<String> {
    let token = thread_token().or_else(|| user_token(&Handle::own()))?;
    let mut text = std::ptr::null_mut();
    // SAFETY: the SID lives in the token; the text is written to a local.
    if unsafe { ConvertSidToStringSidW(sid(&token), &raw mut text) } == 0 {
        return None;
    }
    // SAFETY: the call made a text that ends in zero, and it is ours to free, once.
    unsafe {
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        let told = String::from_utf16(std::slice::from_raw_parts(text, length)).ok();
        LocalFree(text.cast());
        told
    }
}

fn account(sid: PSID) -> Option<String> {
    let (mut name, mut domain) = ([0_u16; 256], [0_u16; 256]);
    let (mut name_length, mut domain_length) = (256, 256);
    let mut kind: SID_NAME_USE = 0;
    // SAFETY: both buffers are as long as is told, and the SID lives in a buffer of the caller.
    let done = unsafe {
        LookupAccountSidW(
            std::ptr::null(),
            sid,
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    (done != 0).then(|| match (wide(&domain), wide(&name)) {
        (domain, name) if domain.is_empty() => name,
        (domain, name) => format!("{domain}\\{name}"),
    })
}

/// `ProcessCommandLineInformation`, since Windows 8.1.
const COMMAND_LINE: PROCESSINFOCLASS = 60;

/// The command line of a process; where it is not told, the path of its program.
pub(super) fn command(process: &Handle) -> Option<String> {
    command_line(process).or_else(|| path(process))
}

fn command_line(process: &Handle) -> Option<String> {
    let mut buffer = vec![0_u64; 8 * 1024 + 8];
    let (room, mut length) = (u32::try_from(buffer.len() * 8).ok()?, 0);
    // SAFETY: the buffer is as long as is told: a command line has 32 767 characters at most.
    let status = unsafe {
        NtQueryInformationProcess(
            process.raw(),
            COMMAND_LINE,
            buffer.as_mut_ptr().cast(),
            room,
            &raw mut length,
        )
    };
    if status < 0 {
        return None;
    }
    // SAFETY: on success the buffer begins with a `UNICODE_STRING`, for which it is aligned.
    let string = unsafe { buffer.as_ptr().cast::<UNICODE_STRING>().read() };
    let bytes: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let at = (string.Buffer as usize).checked_sub(buffer.as_ptr() as usize)?;
    let raw = bytes.get(at..at.checked_add(usize::from(string.Length))?)?;
    let units: Vec<u16> = raw.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let text = printable(String::from_utf16_lossy(&units).trim().as_bytes());
    (!text.is_empty()).then_some(text)
}

fn path(process: &Handle) -> Option<String> {
    filled(32 * 1024, |buffer, mut length| {
        // SAFETY: the buffer has room for as many characters as is told.
        let done = unsafe { QueryFullProcessImageNameW(process.raw(), 0, buffer, &raw mut length) };
        if done == 0 { 0 } else { length }
    })
}
