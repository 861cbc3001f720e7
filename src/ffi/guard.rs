//! The boundary: panics, error texts, and pointers of C callers.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::STRUCT_SIZE_MAX;
use crate::error::Error;

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::new(CString::default());
}

/// Why a call failed: the number that it returns, and the text for `channeler_last_error`.
#[derive(Debug)]
pub struct Failure {
    pub(super) error: Error,
    pub(super) detail: Cow<'static, str>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure { error, detail: Cow::Borrowed(error.text()) }
    }
}

/// A failure with a text of its own.
pub(super) fn fail(error: Error, detail: impl Into<Cow<'static, str>>) -> Failure {
    Failure { error, detail: detail.into() }
}

/// A failure with the text that an error has here, or else its usual one.
pub(super) fn explain(error: Error, texts: &[(Error, &'static str)]) -> Failure {
    let text = texts.iter().find(|(known, _)| *known == error);
    text.map_or_else(|| error.into(), |(_, text)| fail(error, *text))
}

/// What a null argument is.
pub(super) fn null(name: &str) -> Failure {
    fail(Error::InvalidArgument, format!("{name} is NULL; it must point to something"))
}

/// What a buffer is that cannot hold the result.
pub(super) fn too_small(name: &str, has: usize, needs: usize) -> Failure {
    fail(Error::InsufficientBufferSize, format!("{name} has {has} bytes; {needs} are needed"))
}

/// Runs the body of a C function: its failure, and a panic in it, become a status and a text.
pub(super) fn guard(call: impl FnOnce() -> Result<(), Failure>) -> i32 {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => {
            remember(&failure.detail);
            failure.error.code()
        }
        Err(panic) => status_of(&*panic),
    }
}

/// As `guard`, for the short way of a call that mostly works; none where it does not, and the long
/// one must be taken.
#[inline]
pub(super) fn attempt(call: impl FnOnce() -> bool) -> Option<i32> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(is_done) => is_done.then_some(0),
        Err(panic) => Some(status_of(&*panic)),
    }
}

/// What a call that panicked returns.
#[cold]
fn status_of(panic: &(dyn Any + Send)) -> i32 {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    remember(text.unwrap_or("a panic without a text"));
    Error::Unexpected.code()
}

/// The text of the last failure in this thread.
pub(super) fn last_error() -> *const c_char {
    LAST_ERROR.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

fn remember(text: &str) {
    let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    let text = CString::new(text).expect("zero bytes were filtered out");
    // A thread that is ending has no place for it any more.
    let _ = LAST_ERROR.try_with(|last| *last.borrow_mut() = text);
}

/// Fills `bytes` from the operating system.
pub(super) fn randomness(bytes: &mut [u8]) -> Result<(), Failure> {
    getrandom::fill(bytes).map_err(|error| {
        fail(Error::Unsupported, format!("the system gives no randomness: {error}"))
    })
}

/// Where a result goes. Checked before the work is done, written after it.
pub(super) struct Out<T>(Option<NonNull<T>>);

impl<T> Out<T> {
    /// # Safety
    /// `pointer` is null or writable for as long as this lives.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<Out<T>, Failure> {
        let pointer = NonNull::new(pointer).ok_or_else(|| null(name))?;
        Ok(Out(Some(pointer)))
    }

    /// As `new`, but null means that the caller does not care.
    ///
    /// # Safety
    /// `pointer` is null or writable for as long as this lives.
    pub(super) unsafe fn optional(pointer: *mut T) -> Out<T> {
        Out(NonNull::new(pointer))
    }

    pub(super) fn set(&self, value: T) {
        if let Some(pointer) = self.0 {
            // SAFETY: who made this promised that the pointer is writable.
            unsafe { pointer.write(value) }
        }
    }
}

/// A struct that begins with `size_t struct_size` and may get fields at its end.
///
/// # Safety
/// It is `repr(C)`, its first field is `struct_size`, and bytes of it may be copied from a caller's
/// struct of the same layout, up to any multiple of a pointer's size.
pub(super) unsafe trait Versioned: Copy {
    /// Bytes that every version has.
    const SIZE_MIN: usize;

    /// The defaults.
    fn new(struct_size: usize) -> Self;
}

/// Refuses sizes that no version of the struct can have.
fn check_size<T: Versioned>(size: usize, name: &str) -> Result<(), Failure> {
    let step = size_of::<usize>();
    if (T::SIZE_MIN..=STRUCT_SIZE_MAX).contains(&size) && size.is_multiple_of(step) {
        return Ok(());
    }
    Err(fail(
        Error::InvalidArgument,
        format!(
            "{name}: struct_size is {size}; set it to sizeof the struct, {} here (allowed are \
             multiples of {step} from {} to {STRUCT_SIZE_MAX})",
            size_of::<T>(),
            T::SIZE_MIN,
        ),
    ))
}

/// Reads a caller's struct: fields past its end are the defaults. A longer one must be zero past
/// what we know: else the caller asks for something that we do not understand.
///
/// # Safety
/// `pointer` is null or has as many readable bytes as its first field says.
pub(super) unsafe fn read_versioned_or_default<T: Versioned>(
    pointer: *const T,
    name: &str,
) -> Result<T, Failure> {
    let mut value = T::new(size_of::<T>());
    if pointer.is_null() {
        return Ok(value);
    }
    // SAFETY: not null, so the caller promises at least the first field.
    let size = unsafe { pointer.cast::<usize>().read() };
    check_size::<T>(size, name)?;
    // SAFETY: the caller promises `size` readable bytes.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if let Some(at) = bytes[known..].iter().position(|byte| *byte != 0) {
        return Err(fail(
            Error::InvalidArgument,
            format!(
                "{name}: struct_size is {size}, and byte {} is set; this library knows {known} \
                 bytes, and those past them must be 0",
                known + at,
            ),
        ));
    }
    let into = (&raw mut value).cast::<u8>();
    // SAFETY: `known` is at most the size of `value`; `Versioned` promises that such bytes may be
    // copied.
    unsafe { into.copy_from_nonoverlapping(bytes.as_ptr(), known) };
    Ok(value)
}

/// Writes the first `size` bytes of `value`, and zeroes what is longer than we know.
///
/// # Safety
/// `pointer` has `size` writable bytes.
unsafe fn write_versioned<T: Versioned>(pointer: NonNull<T>, size: usize, value: &T) {
    let bytes = pointer.cast::<u8>();
    let known = size.min(size_of::<T>());
    let from = NonNull::from(value).cast::<u8>();
    // SAFETY: the caller promises `size` bytes, `value` has at least `known`, and is ours.
    unsafe { bytes.copy_from_nonoverlapping(from, known) };
    // SAFETY: `known` is at most `size`.
    let rest = unsafe { bytes.add(known) };
    // SAFETY: what remains of the `size` bytes that the caller promises.
    unsafe { rest.write_bytes(0, size - known) };
}

/// Fills a caller's struct with the defaults.
///
/// # Safety
/// `pointer` is null or has `size` writable bytes.
pub(super) unsafe fn init_versioned<T: Versioned>(
    pointer: *mut T,
    size: usize,
    name: &str,
) -> Result<(), Failure> {
    let pointer = NonNull::new(pointer).ok_or_else(|| null(name))?;
    check_size::<T>(size, name)?;
    // SAFETY: the caller promises `size` writable bytes.
    unsafe { write_versioned(pointer, size, &T::new(size)) };
    Ok(())
}

/// Where a versioned result goes.
pub(super) struct OutVersioned<T> {
    pointer: NonNull<T>,
    size: usize,
}

impl<T: Versioned> OutVersioned<T> {
    /// # Safety
    /// `pointer` is null, or has as many writable bytes as its first field says, for as long as
    /// this lives.
    pub(super) unsafe fn new(pointer: *mut T, name: &str) -> Result<OutVersioned<T>, Failure> {
        let pointer = NonNull::new(pointer).ok_or_else(|| null(name))?;
        // SAFETY: not null, so the caller promises at least the first field.
        let size = unsafe { pointer.cast::<usize>().read() };
        check_size::<T>(size, name)?;
        Ok(OutVersioned { pointer, size })
    }

    /// Writes as much as the caller's struct holds. Its `struct_size` stays.
    pub(super) fn set(&self, value: T) {
        let size = self.size;
        // SAFETY: who made this promised `size` writable bytes.
        unsafe { write_versioned(self.pointer, size, &value) };
        // SAFETY: as above; the first field is the size.
        unsafe { self.pointer.cast::<usize>().write(size) };
    }
}

/// Reads a plain struct.
///
/// # Safety
/// `pointer` is null or readable.
pub(super) unsafe fn read<T: Copy>(pointer: *const T, name: &str) -> Result<T, Failure> {
    // SAFETY: the caller promises that `pointer` is null or readable.
    unsafe { read_optional(pointer) }.ok_or_else(|| null(name))
}

/// Reads a plain struct that may be missing.
///
/// # Safety
/// `pointer` is null or readable.
pub(super) unsafe fn read_optional<T: Copy>(pointer: *const T) -> Option<T> {
    // SAFETY: the caller promises that `pointer` is readable when it is not null.
    (!pointer.is_null()).then(|| unsafe { pointer.read() })
}

/// The caller's array.
///
/// # Safety
/// `pointer` is null or has `count` readable entries, which nobody changes for `'a`.
pub(super) unsafe fn slice<'a, T>(
    pointer: *const T,
    count: usize,
    name: &str,
) -> Result<&'a [T], Failure> {
    check_array::<T>(pointer.is_null(), count, name)?;
    // SAFETY: not null, within the limits of a slice, and readable as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// The caller's array, to be written.
///
/// # Safety
/// `pointer` is null or has `count` writable entries, which nobody else uses for `'a`.
pub(super) unsafe fn slice_mut<'a, T>(
    pointer: *mut T,
    count: usize,
    name: &str,
) -> Result<&'a mut [T], Failure> {
    check_array::<T>(pointer.is_null(), count, name)?;
    // SAFETY: not null, within the limits of a slice, and writable as the caller promises.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, count) })
}

fn check_array<T>(is_null: bool, count: usize, name: &str) -> Result<(), Failure> {
    if is_null {
        return Err(null(name));
    }
    let most = isize::MAX as usize / size_of::<T>();
    if count > most {
        let text = format!("{name}: {count} is more than memory can hold; allowed is up to {most}");
        return Err(fail(Error::InvalidArgument, text));
    }
    Ok(())
}

/// The caller's bytes.
///
/// # Safety
/// As `slice`.
pub(super) unsafe fn bytes<'a>(
    pointer: *const u8,
    length: usize,
    name: &str,
) -> Result<&'a [u8], Failure> {
    // SAFETY: passed on.
    unsafe { slice(pointer, length, name) }
}

/// The caller's bytes, which may be null when there are none.
///
/// # Safety
/// As `slice`.
pub(super) unsafe fn bytes_or_none<'a>(
    pointer: *const u8,
    length: usize,
    name: &str,
) -> Result<&'a [u8], Failure> {
    if length == 0 {
        return Ok(&[]);
    }
    // SAFETY: passed on.
    unsafe { bytes(pointer, length, name) }
}

/// The caller's bytes, where it need not be said what is wrong with them.
///
/// # Safety
/// As `slice`.
#[inline]
pub(super) unsafe fn good_bytes<'a>(pointer: *const u8, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() || length > isize::MAX as usize {
        return None;
    }
    // SAFETY: not null, within the limits of a slice, and readable as the caller promises.
    Some(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// The caller's buffer.
///
/// # Safety
/// As `slice_mut`.
pub(super) unsafe fn bytes_mut<'a>(
    pointer: *mut u8,
    capacity: usize,
    name: &str,
) -> Result<&'a mut [u8], Failure> {
    // SAFETY: passed on.
    unsafe { slice_mut(pointer, capacity, name) }
}

/// The caller's buffer for a message, which must hold at least a byte.
///
/// # Safety
/// As `slice_mut`.
pub(super) unsafe fn room<'a>(
    pointer: *mut u8,
    capacity: usize,
    name: &str,
) -> Result<&'a mut [u8], Failure> {
    if capacity == 0 && !pointer.is_null() {
        let text = format!("{name}: its capacity is 0; allowed is 1 and more");
        return Err(fail(Error::InvalidArgument, text));
    }
    // SAFETY: passed on.
    unsafe { slice_mut(pointer, capacity, name) }
}

/// The caller's text.
///
/// # Safety
/// `pointer` is null or ends with a zero byte, and nobody changes it for `'a`.
pub(super) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller promises a zero byte at its end.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| fail(Error::Decode, format!("{name} is not UTF-8")))
}

/// The caller's text, if there is one.
///
/// # Safety
/// As `text`.
pub(super) unsafe fn text_or_none<'a>(
    pointer: *const c_char,
    name: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    unsafe { text(pointer, name) }.map(Some)
}

/// Writes a text and a zero byte.
///
/// # Safety
/// `buffer` is null or has `capacity` writable bytes.
pub(super) unsafe fn write_text(
    buffer: *mut c_char,
    capacity: usize,
    text: &str,
) -> Result<(), Failure> {
    // SAFETY: passed on.
    let buffer = unsafe { bytes_mut(buffer.cast(), capacity, "buffer") }?;
    let needs = text.len() + 1;
    let Some(room) = buffer.get_mut(..needs) else {
        return Err(too_small("buffer", capacity, needs));
    };
    room[..text.len()].copy_from_slice(text.as_bytes());
    room[text.len()] = 0;
    Ok(())
}
