//! Memory that nobody needs any more.

#![allow(unsafe_code)] // one function of the C library, which takes and gives no pointer

/// Gives what was freed back to the machine. glibc keeps it where the thread that took it had its memory: stations are
/// restored by threads that end, so a worker that restores again and again came to hold what all its former selves did.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn malloc_trim(pad: usize) -> std::ffi::c_int;
        }
        // SAFETY: it may be called at any time, by any thread.
        unsafe { malloc_trim(0) };
    }
}
