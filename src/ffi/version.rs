//! Versions, and what error numbers mean.

use std::ffi::{CStr, CString, c_char};
use std::sync::LazyLock;

use super::guard;
use crate::error::Error;

/// The version of this interface: it rises with each change that breaks compiled programs. Compare
/// it with what `channeler_abi_version` returns when the library is loaded at run time.
pub const CHANNELER_ABI_VERSION: u32 = 1;

/// C name and text of every error, ended by a zero byte, in the order of `Error::ALL`.
static ERRORS: LazyLock<Vec<(CString, CString)>> = LazyLock::new(|| {
    let text = |text: String| CString::new(text).expect("the error table has no zero bytes");
    let entry = |error: &Error| {
        (text(format!("CHANNELER_{}", error.name())), text(error.text().to_owned()))
    };
    Error::ALL.iter().map(entry).collect()
});

/// Returns the version of the library, as "major.minor.patch".
///
/// Owner: the library; valid for ever. Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("Cargo's version has no zero byte"),
        };
    VERSION.as_ptr()
}

/// Returns the version of the interface that the library was built with.
///
/// A program may use the library when this equals the `CHANNELER_ABI_VERSION` it was compiled with.
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_abi_version() -> u32 {
    CHANNELER_ABI_VERSION
}

/// Returns the name of a status as this header has it, such as "CHANNELER_ERR_STATE".
///
/// Never NULL: 0 is "CHANNELER_OK", a number that is not ours is "CHANNELER_ERR_UNKNOWN".
/// Owner: the library; valid for ever. Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_error_name(status: i32) -> *const c_char {
    match position(status) {
        Some(index) => ERRORS[index].0.as_ptr(),
        None if status == 0 => c"CHANNELER_OK".as_ptr(),
        None => c"CHANNELER_ERR_UNKNOWN".as_ptr(),
    }
}

/// Returns one sentence on what a status means. `channeler_last_error` often says more.
///
/// Never NULL. Owner: the library; valid for ever. Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_error_text(status: i32) -> *const c_char {
    match position(status) {
        Some(index) => ERRORS[index].1.as_ptr(),
        None if status == 0 => c"success".as_ptr(),
        None => c"not an error number of this library".as_ptr(),
    }
}

/// Returns what went wrong in the last call of this thread that failed, in words: which argument,
/// what it was, and what is allowed.
///
/// Never NULL; "" when no call failed yet. Calls that succeed leave it as it is.
/// Owner: the library; valid until the next call of this thread that fails, or the thread's end.
/// Thread: any; each has its own text.
#[unsafe(no_mangle)]
pub extern "C" fn channeler_last_error() -> *const c_char {
    guard::last_error()
}

fn position(status: i32) -> Option<usize> {
    Error::ALL.iter().position(|error| error.code() == status)
}
