//! `libchdb.so`, the ClickHouse engine as a library, by its C functions. Everything unsafe of this crate
//! is here, behind types that cannot be misused.
//!
//! What the safety rests on: the functions are looked up by name in the one release whose signatures
//! stand below, which [`super::library`] has checked; every handle is made here, owned by one of these
//! types and destroyed once, before what it was made from. A connection runs one statement at a time and
//! has a mutex of its own: it may be used from any thread, by one at a time, which `&mut` says.
//!
//! **Invariant:** rows never stand in a statement's text. The engine ends inline rows at an empty line,
//! silently, and in binary formats two bytes 0A are nothing unusual.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use libloading::Library;

use super::Exception;

/// Handles of the library, of whose insides nothing is known.
#[repr(C)]
struct ConnectionHandle(c_void);
#[repr(C)]
struct ResultHandle(c_void);
#[repr(C)]
struct InsertHandle(c_void);

/// What `chdb_connect` returns points to a connection.
type ConnectionPlace = *mut *mut ConnectionHandle;

/// Parallel arrays of names and values with their lengths, and how many there are.
type WithParameters<T> = unsafe extern "C" fn(
    *mut ConnectionHandle,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *const *const c_char,
    *const usize,
    *const *const c_char,
    *const usize,
    usize,
) -> *mut T;

macro_rules! functions {
    ($($field:ident = $name:literal: $kind:ty,)*) => {
        /// The library's functions that are used here.
        struct Functions { $($field: $kind,)* }

        impl Functions {
            /// Looks all of them up.
            fn find(library: &Library) -> Result<Functions, libloading::Error> {
                // SAFETY: the types below are those of the library's header.
                unsafe { Ok(Functions { $($field: *library.get::<$kind>($name)?,)* }) }
            }
        }
    };
}

functions! {
    set_signal_handlers = c"chdb_set_signal_handlers_enabled": unsafe extern "C" fn(c_int),
    connect = c"chdb_connect": unsafe extern "C" fn(c_int, *const *const c_char) -> ConnectionPlace,
    close = c"chdb_close_conn": unsafe extern "C" fn(ConnectionPlace),
    query = c"chdb_query_with_params_n": WithParameters<ResultHandle>,
    stream_query = c"chdb_stream_query_with_params_n": WithParameters<ResultHandle>,
    stream_fetch = c"chdb_stream_fetch_result":
        unsafe extern "C" fn(*mut ConnectionHandle, *mut ResultHandle) -> *mut ResultHandle,
    stream_cancel = c"chdb_stream_cancel_query":
        unsafe extern "C" fn(*mut ConnectionHandle, *mut ResultHandle),
    stream_insert_n = c"chdb_stream_insert_n": unsafe extern "C" fn(
        *mut ConnectionHandle, *const c_char, usize, *const c_char, usize) -> *mut InsertHandle,
    stream_insert = c"chdb_stream_insert_with_params_n": WithParameters<InsertHandle>,
    insert_append = c"chdb_stream_append":
        unsafe extern "C" fn(*mut InsertHandle, *const c_void, usize) -> c_int,
    insert_done = c"chdb_stream_done": unsafe extern "C" fn(*mut InsertHandle) -> *mut ResultHandle,
    insert_error = c"chdb_stream_insert_error": unsafe extern "C" fn(*mut InsertHandle) -> *const c_char,
    insert_destroy = c"chdb_destroy_insert_stream": unsafe extern "C" fn(*mut InsertHandle),
    result_buffer = c"chdb_result_buffer": unsafe extern "C" fn(*mut ResultHandle) -> *const u8,
    result_length = c"chdb_result_length": unsafe extern "C" fn(*mut ResultHandle) -> usize,
    result_error = c"chdb_result_error": unsafe extern "C" fn(*mut ResultHandle) -> *const c_char,
    result_rows_written = c"chdb_result_rows_written": unsafe extern "C" fn(*mut ResultHandle) -> u64,
    result_bytes_written = c"chdb_result_bytes_written": unsafe extern "C" fn(*mut ResultHandle) -> u64,
    result_destroy = c"chdb_destroy_query_result": unsafe extern "C" fn(*mut ResultHandle),
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum NoEngine {
    #[error("{library} cannot be loaded")]
    NotLoaded { library: String, source: libloading::Error },
    #[error("{0:?} cannot be passed to the engine: it has a zero byte")]
    ZeroByte(String),
    #[error(
        "the engine does not open {0}: another process may use it, or it is no folder of ClickHouse"
    )]
    NotOpened(String),
    #[error("the engine takes no further connection")]
    NoConnection,
}

/// The engine over one folder; a process has one at most.
#[derive(Clone)]
pub struct Engine {
    functions: Arc<Functions>,
    arguments: Arc<Vec<CString>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads the library, and opens the folder, which is made if it is not there. The engine runs as long
    /// as there is a connection: keep the first one until the end. `settings` are ClickHouse's, of the
    /// server and of every connection.
    pub fn open(
        library: &Path,
        data: &Path,
        settings: &[(&str, String)],
    ) -> Result<(Engine, Connection), NoEngine> {
        let not_loaded = |source| {
            let library = library.display().to_string();
            NoEngine::NotLoaded { library, source }
        };
        // SAFETY: what runs when the library is loaded is the engine's own set-up, which expects to be
        // loaded so.
        let loaded = unsafe { Library::new(library) }.map_err(not_loaded)?;
        let functions = Functions::find(&loaded).map_err(not_loaded)?;
        // Never unloaded: it has threads of its own, and handlers that run when the process ends.
        std::mem::forget(loaded);
        // SAFETY: may be called at any time. Signals are this process's business.
        unsafe { (functions.set_signal_handlers)(0) };
        let mut arguments = vec!["clickhouse".to_owned(), format!("--path={}", data.display())];
        arguments.extend(settings.iter().map(|(name, value)| format!("--{name}={value}")));
        let arguments = arguments
            .into_iter()
            .map(|text| CString::new(text.clone()).map_err(|_| NoEngine::ZeroByte(text)));
        let arguments = Arc::new(arguments.collect::<Result<_, _>>()?);
        let engine = Engine { functions: Arc::new(functions), arguments };
        let first = engine.connect();
        let first = first.map_err(|_| NoEngine::NotOpened(data.display().to_string()))?;
        Ok((engine, first))
    }

    /// A connection: a session with settings, a current database and temporary tables of its own.
    pub fn connect(&self) -> Result<Connection, NoEngine> {
        let pointers: Vec<_> = self.arguments.iter().map(|text| text.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(0);
        // SAFETY: the arguments outlive the call, which copies them; it may come from any thread.
        let place = unsafe { (self.functions.connect)(count, pointers.as_ptr()) };
        let place = NonNull::new(place).ok_or(NoEngine::NoConnection)?;
        Ok(Connection { place, functions: self.functions.clone() })
    }
}

/// A connection to the engine, closed when dropped.
pub struct Connection {
    place: NonNull<*mut ConnectionHandle>,
    functions: Arc<Functions>,
}

// SAFETY: a connection is bound to no thread.
unsafe impl Send for Connection {}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // SAFETY: made by `chdb_connect` and closed once; what was made from it borrows it.
        unsafe { (self.functions.close)(self.place.as_ptr()) };
    }
}

/// Values for the `{name:Type}` of a statement, by name.
pub type Parameters = [(String, String)];

impl Connection {
    fn handle(&self) -> *mut ConnectionHandle {
        // SAFETY: `chdb_connect` returns a place that holds a connection until it is closed.
        unsafe { *self.place.as_ptr() }
    }

    /// Calls a function that takes a statement, a format and parameters.
    fn call<T>(
        &mut self,
        function: WithParameters<T>,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> *mut T {
        let names: Vec<_> = parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect();
        let name_lengths: Vec<_> = parameters.iter().map(|(name, _)| name.len()).collect();
        let values: Vec<_> = parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect();
        let value_lengths: Vec<_> = parameters.iter().map(|(_, value)| value.len()).collect();
        // SAFETY: everything is passed with its length and copied before the call returns.
        unsafe {
            function(
                self.handle(),
                statement.as_ptr().cast(),
                statement.len(),
                format.as_ptr().cast(),
                format.len(),
                names.as_ptr(),
                name_lengths.as_ptr(),
                values.as_ptr(),
                value_lengths.as_ptr(),
                parameters.len(),
            )
        }
    }

    fn result(&self, handle: *mut ResultHandle) -> Result<Chunk, Exception> {
        let Some(handle) = NonNull::new(handle) else { return Err(Exception::silent()) };
        let chunk = Chunk { handle, functions: self.functions.clone() };
        match chunk.error() {
            None => Ok(chunk),
            Some(exception) => Err(exception),
        }
    }

    /// Runs a statement; its whole result comes at once.
    pub fn query(
        &mut self,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<Chunk, Exception> {
        let result = self.call(self.functions.query, statement, format, parameters);
        self.result(result)
    }

    /// Runs a `SELECT`; its result comes piece by piece.
    pub fn select(
        &mut self,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<Selected<'_>, Exception> {
        let stream = self.call(self.functions.stream_query, statement, format, parameters);
        let stream = self.result(stream)?;
        Ok(Selected { stream, connection: self })
    }

    /// Begins an `INSERT` whose rows follow. The statement ends before its `FORMAT` or `VALUES`.
    pub fn insert(
        &mut self,
        statement: &[u8],
        format: &str,
        parameters: &Parameters,
    ) -> Result<Inserting<'_>, Exception> {
        let handle = if parameters.is_empty() {
            let (text, format_text) = (statement.as_ptr().cast(), format.as_ptr().cast());
            // SAFETY: everything is passed with its length and copied before the call returns.
            unsafe {
                (self.functions.stream_insert_n)(
                    self.handle(),
                    text,
                    statement.len(),
                    format_text,
                    format.len(),
                )
            }
        } else {
            self.call(self.functions.stream_insert, statement, format, parameters)
        };
        let Some(handle) = NonNull::new(handle) else { return Err(Exception::silent()) };
        let inserting = Inserting { handle, functions: self.functions.clone(), of: PhantomData };
        match inserting.error() {
            None => Ok(inserting),
            Some(exception) => Err(exception),
        }
    }
}

/// Bytes of a result, and what is known of it.
pub struct Chunk {
    handle: NonNull<ResultHandle>,
    functions: Arc<Functions>,
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("bytes", &self.bytes().len()).finish_non_exhaustive()
    }
}

impl Chunk {
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the buffer is the result's own, has this length, and stays as it is until it is destroyed.
        unsafe {
            let buffer = (self.functions.result_buffer)(self.handle.as_ptr());
            let length = (self.functions.result_length)(self.handle.as_ptr());
            if buffer.is_null() || length == 0 {
                return &[];
            }
            std::slice::from_raw_parts(buffer, length)
        }
    }

    /// Rows and bytes that were inserted, into what views follow too.
    pub fn written(&self) -> (u64, u64) {
        // SAFETY: the result is valid until it is destroyed.
        unsafe {
            (
                (self.functions.result_rows_written)(self.handle.as_ptr()),
                (self.functions.result_bytes_written)(self.handle.as_ptr()),
            )
        }
    }

    fn error(&self) -> Option<Exception> {
        // SAFETY: as above; the text is the result's own.
        unsafe { exception((self.functions.result_error)(self.handle.as_ptr())) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: made by the library, destroyed once.
        unsafe { (self.functions.result_destroy)(self.handle.as_ptr()) };
    }
}

/// A `SELECT` under way; dropped before its end, it is given up.
#[derive(Debug)]
pub struct Selected<'a> {
    stream: Chunk,
    connection: &'a mut Connection,
}

impl Selected<'_> {
    /// The next piece; none at the end.
    pub fn fetch(&mut self) -> Result<Option<Chunk>, Exception> {
        let (functions, stream) = (&self.connection.functions, self.stream.handle.as_ptr());
        // SAFETY: stream and connection belong together, and both are borrowed here alone.
        let fetched = unsafe { (functions.stream_fetch)(self.connection.handle(), stream) };
        let chunk = self.connection.result(fetched)?;
        Ok((!chunk.bytes().is_empty()).then_some(chunk))
    }
}

impl Drop for Selected<'_> {
    fn drop(&mut self) {
        let functions = &self.connection.functions;
        // SAFETY: as above. After the end this does nothing.
        unsafe { (functions.stream_cancel)(self.connection.handle(), self.stream.handle.as_ptr()) };
    }
}

/// An `INSERT` under way. Dropped before [`Inserting::finish`], it is given up.
pub struct Inserting<'a> {
    handle: NonNull<InsertHandle>,
    functions: Arc<Functions>,
    of: PhantomData<&'a mut Connection>,
}

impl std::fmt::Debug for Inserting<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inserting")
    }
}

impl Inserting<'_> {
    /// Gives the engine more of the rows; waits while it has enough to do.
    pub fn append(&mut self, rows: &[u8]) -> Result<(), Exception> {
        // SAFETY: the rows are passed with their length and copied.
        let state = unsafe {
            (self.functions.insert_append)(self.handle.as_ptr(), rows.as_ptr().cast(), rows.len())
        };
        if state == 0 { Ok(()) } else { Err(self.error().unwrap_or_else(Exception::silent)) }
    }

    /// Inserts what was given.
    pub fn finish(self) -> Result<Chunk, Exception> {
        // SAFETY: the handle is valid, and destroyed by `drop` afterwards, as the library wants it.
        let result = unsafe { (self.functions.insert_done)(self.handle.as_ptr()) };
        let Some(handle) = NonNull::new(result) else { return Err(Exception::silent()) };
        let chunk = Chunk { handle, functions: self.functions.clone() };
        match chunk.error() {
            None => Ok(chunk),
            Some(exception) => Err(exception),
        }
    }

    fn error(&self) -> Option<Exception> {
        // SAFETY: the text is the handle's own, and copied while that is valid.
        unsafe { exception((self.functions.insert_error)(self.handle.as_ptr())) }
    }
}

impl Drop for Inserting<'_> {
    fn drop(&mut self) {
        // SAFETY: made by the library, destroyed once, before its connection is closed: it borrows that.
        unsafe { (self.functions.insert_destroy)(self.handle.as_ptr()) };
    }
}

/// What the library says went wrong, if anything did.
///
/// # Safety
/// `text` is null, or ends with a zero and is valid for this call.
unsafe fn exception(text: *const c_char) -> Option<Exception> {
    if ptr::eq(text, ptr::null()) {
        return None;
    }
    // SAFETY: promised by the caller.
    Some(Exception::said(&unsafe { CStr::from_ptr(text) }.to_string_lossy()))
}
