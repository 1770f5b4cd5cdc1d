//! What the recorder asks of the operating system and the processor: Linux, on `x86_64` and `aarch64`.
//!
//! The only module with such code; another platform is another version of it.

use std::{
    fs::File,
    io::{Read, Write},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Whether the program runs with raised privileges: its environment is not to be obeyed then.
pub(super) fn is_secure() -> bool {
    // SAFETY: reads the auxiliary vector; no precondition.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The stack pointer of the function that this is inlined into.
///
/// One location reached at the same stack depth nearly always means the same path; see [`super::site`].
#[inline(always)]
#[expect(clippy::inline_always, reason = "of another function's frame the stack pointer would say nothing")]
pub(crate) fn stack_pointer() -> usize {
    let pointer: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: copies a register; touches neither memory, flags nor stack.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: copies a register; touches neither memory, flags nor stack.
    unsafe {
        std::arch::asm!("mov {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let here = 0_u8;
        pointer = &raw const here as usize;
    }
    pointer
}

/// How many bytes of the alternate signal stack are left below `stack_pointer`; `None` if the thread is not on it.
pub(super) fn alternate_stack_left(stack_pointer: usize) -> Option<usize> {
    let mut stack = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: `stack` is a valid place for the answer, and nothing is changed.
    let known = unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) } == 0;
    let is_on_it = known && stack.ss_flags & libc::SS_ONSTACK != 0;
    is_on_it.then(|| stack_pointer.saturating_sub(stack.ss_sp.addr()))
}

/// Whether the byte at `address` can be read, without reading it.
///
/// Asks for a change of the signal mask that the kernel refuses, after it has tried to read the mask there. A stack that
/// grows on demand grows by that, as it would by a call.
pub(super) fn is_readable(address: usize) -> bool {
    const NO_SUCH_CHANGE: libc::c_int = -1;
    const MASK_BYTES: usize = 8;
    let mask = std::ptr::with_exposed_provenance::<u64>(address);
    let no_mask = std::ptr::null_mut::<u64>();
    // SAFETY: the kernel reads the mask, or finds that it cannot, and writes nothing.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, NO_SUCH_CHANGE, mask, no_mask, MASK_BYTES) };
    errno() != libc::EFAULT
}

/// The longest file that the process may write, in bytes.
pub(super) fn file_bytes_max() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } == 0;
    if known { limit.rlim_cur } else { u64::MAX }
}

/// `errno` of this thread, which is the program's: what the recorder asks of the kernel must not show in it.
pub(super) fn errno() -> i32 {
    // SAFETY: the C library keeps a thread's `errno` there as long as the thread lives.
    unsafe { *libc::__errno_location() }
}

/// Puts `errno` back.
pub(super) fn set_errno(errno: i32) {
    // SAFETY: as in `errno`.
    unsafe { *libc::__errno_location() = errno };
}

/// Id of this process.
pub(super) fn pid() -> u32 {
    std::process::id()
}

/// Id of this thread in the operating system.
pub(super) fn tid() -> u32 {
    // SAFETY: no precondition.
    unsafe { u32::try_from(libc::gettid()).unwrap_or(0) }
}

/// Longest name of a thread in the operating system.
pub(super) const THREAD_NAME_BYTES_MAX: usize = 15;

/// The operating system's name of this thread; empty if it is that of the whole program, which threads begin with.
pub(super) fn thread_name(buffer: &mut [u8; 16]) -> &[u8] {
    // SAFETY: the kernel writes at most 16 bytes, the last of them 0.
    unsafe { libc::prctl(libc::PR_GET_NAME, buffer.as_mut_ptr()) };
    let name = buffer.split(|byte| *byte == 0).next().unwrap_or(&[]);
    let mut main = [0; 32];
    let is_programs = read("/proc/self/comm", &mut main).is_some_and(|main| main.trim_ascii() == name);
    if is_programs { &[] } else { name }
}

/// Start time of this process, in clock ticks since boot.
pub(super) fn process_start() -> u64 {
    start_in("/proc/self/stat")
}

/// Start time of the process `pid`, in clock ticks since boot; 0 if it is not known, or is no process any more.
pub(crate) fn process_start_of(pid: u32) -> u64 {
    let mut path = [0; 24];
    let mut rest = path.as_mut_slice();
    // Ten digits fit.
    let is_written = write!(rest, "/proc/{pid}/stat").is_ok();
    let n_left = rest.len();
    let path = std::str::from_utf8(&path[..path.len() - n_left]);
    path.ok().filter(|_| is_written).map_or(0, start_in)
}

/// Start time of this thread, in clock ticks since boot.
pub(super) fn thread_start() -> u64 {
    start_in("/proc/thread-self/stat")
}

fn start_in(path: &str) -> u64 {
    let mut buffer = [0; 1024];
    let Some(text) = read(path, &mut buffer) else { return 0 };
    // The second field is the command in parentheses and may contain anything, so count from the last ')'.
    // Field 22 is then the 20th, from 0 the 19th, of what follows.
    let Some(end) = text.iter().rposition(|byte| *byte == b')') else { return 0 };
    let field = text[end + 1..].split(|byte| *byte == b' ').filter(|field| !field.is_empty()).nth(19);
    field.and_then(|field| std::str::from_utf8(field).ok()?.parse().ok()).unwrap_or(0)
}

/// Hash of the boot id.
pub(super) fn boot() -> u64 {
    let mut buffer = [0; 64];
    read("/proc/sys/kernel/random/boot_id", &mut buffer)
        .map_or(0, |text| trace_format::process::fnv1a(text.trim_ascii()))
}

/// Reads a short file without allocating.
fn read<'a>(path: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut file = File::open(path).ok()?;
    let mut len = 0;
    while let Ok(n @ 1..) = file.read(&mut buffer[len..]) {
        len += n;
    }
    Some(&buffer[..len])
}

/// Monotonic time in nanoseconds.
pub(super) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Wall-clock time in nanoseconds since 1970.
pub(super) fn wall_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer. Both clocks exist everywhere, so the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    let [seconds, nanoseconds] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds)
}

/// The key behind [`call_at_thread_end`], plus one; 0 before [`install`], or if none could be had.
static KEY: AtomicU64 = AtomicU64::new(0);

/// Has `at_thread_end` called when this thread ends, after all destructors of thread-local variables.
///
/// A `pthread` key rather than a thread-local with a destructor: registering the latter allocates, and it would
/// run before the program's own destructors, whose locks are to be recorded.
pub(super) fn call_at_thread_end() {
    // Relaxed: stored before recording is on, and only a number.
    if let Some(key) = KEY.load(Ordering::Relaxed).checked_sub(1) {
        // SAFETY: the key was created by `install` and is never deleted. The value only has to differ from null.
        unsafe { libc::pthread_setspecific(key as libc::pthread_key_t, std::ptr::without_provenance(1)) };
    }
}

extern "C" fn at_thread_end(_: *mut libc::c_void) {
    super::local::thread_ends();
}

/// Installs the hooks for fork, exit and the ends of threads, once per process image, before recording is on.
///
/// Called by whoever decides or starts, so by one thread at a time. A forked child in which that thread does not exist
/// installs them again if it is not known that they are: each hook may run twice.
pub(super) fn install() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    // Relaxed, here and below: one thread at a time comes here, see above.
    if INSTALLED.load(Ordering::Relaxed) {
        return;
    }
    pin();
    let mut key = 0;
    // SAFETY: `key` is a valid place for the answer, and the destructor is a function of this program.
    if unsafe { libc::pthread_key_create(&raw mut key, Some(at_thread_end)) } == 0 {
        // Relaxed: as above.
        KEY.store(u64::from(key) + 1, Ordering::Relaxed);
    }
    // SAFETY: the hooks are functions of this program. The child's touches this thread's own cells, atomics and memory of
    // the recorder's own only, which is allowed between fork and exec.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child)) };
    // SAFETY: the hook is a function of this program.
    unsafe { libc::atexit(at_exit) };
    INSTALLED.store(true, Ordering::Relaxed);
}

/// Keeps the shared library that this code is part of loaded: the hooks are called whether it is or not.
///
/// In a statically linked program there is none, and asking the loader would bring it in.
#[cfg(not(target_feature = "crt-static"))]
fn pin() {
    let this: extern "C" fn() = at_exit;
    // The executable is never unloaded. Asked without the loader, whose lock a fork may have left locked.
    if executable_range().is_some_and(|range| range.contains(&(this as usize as u64))) {
        return;
    }
    // SAFETY: all zeros are a valid `Dl_info`.
    let mut own: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: `own` is a valid place for the answer.
    let known = unsafe { libc::dladdr(this as *const libc::c_void, &raw mut own) } != 0;
    if !known || own.dli_fname.is_null() {
        return;
    }
    // SAFETY: the name is the loader's own, of a library that is loaded while its code runs, so nothing is loaded and
    // no constructor runs. The handle is given up: the library stays.
    unsafe { libc::dlopen(own.dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE) };
}

#[cfg(target_feature = "crt-static")]
const fn pin() {}

/// Where the executable lies, as far as the kernel says so.
#[cfg(not(target_feature = "crt-static"))]
fn executable_range() -> Option<std::ops::Range<u64>> {
    // SAFETY: reads the auxiliary vector; no precondition.
    let [address, n] = [libc::AT_PHDR, libc::AT_PHNUM].map(|what| unsafe { libc::getauxval(what) });
    let first = std::ptr::with_exposed_provenance::<libc::Elf64_Phdr>(address as usize);
    if first.is_null() {
        return None;
    }
    // SAFETY: the kernel says that so many program headers of the executable lie there, and it stays loaded.
    let headers = unsafe { std::slice::from_raw_parts(first, n as usize) };
    let own = headers.iter().find(|header| header.p_type == libc::PT_PHDR)?;
    let base = address.checked_sub(own.p_vaddr)?;
    let loaded = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let start = loaded().map(|header| base + header.p_vaddr).min()?;
    let end = loaded().map(|header| base + header.p_vaddr + header.p_memsz).max()?;
    Some(start..end)
}

extern "C" fn before_fork() {
    super::local::before_fork();
}

extern "C" fn after_fork_in_parent() {
    super::local::after_fork_in_parent();
}

extern "C" fn after_fork_in_child() {
    super::process::after_fork_in_child(super::local::forked_as());
    super::site::after_fork_in_child();
    super::stripe::after_fork_in_child();
    super::local::after_fork_in_child();
}

extern "C" fn at_exit() {
    super::local::at_exit();
    super::process::at_exit();
}

/// A loaded module, as [`for_each_module`] finds it; borrowed from the loader.
#[derive(Debug)]
pub(super) struct Module<'a> {
    pub(super) base: u64,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) build_id: &'a [u8],
    /// Empty for the executable itself.
    pub(super) name: &'a [u8],
}

/// Calls `f` for every loaded module, the executable first. Does not allocate.
pub(super) fn for_each_module(mut f: impl FnMut(&Module<'_>)) {
    unsafe extern "C" fn visit<F: FnMut(&Module<'_>)>(
        entry: *mut libc::dl_phdr_info,
        _: libc::size_t,
        f: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid entry, and `f` is the closure handed to it below.
        let (entry, f) = unsafe { (&*entry, &mut *f.cast::<F>()) };
        // SAFETY: the loader's entry describes a loaded module for the duration of this call.
        if let Some(module) = unsafe { module(entry) } {
            f(&module);
        }
        0
    }
    fn callback<F: FnMut(&Module<'_>)>(
        _: &F,
    ) -> unsafe extern "C" fn(*mut libc::dl_phdr_info, libc::size_t, *mut libc::c_void) -> libc::c_int {
        visit::<F>
    }
    // SAFETY: the callback gets the very closure for whose type it was made, and the closure outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(callback(&f)), (&raw mut f).cast()) };
}

/// # Safety
///
/// `entry` must describe a module that stays loaded as long as the result is used.
unsafe fn module(entry: &libc::dl_phdr_info) -> Option<Module<'_>> {
    if entry.dlpi_phdr.is_null() {
        return None;
    }
    // SAFETY: the loader keeps `dlpi_phnum` program headers there while the module is loaded.
    let headers = unsafe { std::slice::from_raw_parts(entry.dlpi_phdr, usize::from(entry.dlpi_phnum)) };
    let loaded = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let base = entry.dlpi_addr;
    let start = loaded().map(|header| base + header.p_vaddr).min()?;
    let end = loaded().map(|header| base + header.p_vaddr + header.p_memsz).max()?;
    let name = if entry.dlpi_name.is_null() {
        &[]
    } else {
        // SAFETY: the loader keeps a terminated string there while the module is loaded.
        unsafe { std::ffi::CStr::from_ptr(entry.dlpi_name) }.to_bytes()
    };
    let build_id = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_NOTE)
        .find_map(|header| {
            let notes = std::ptr::with_exposed_provenance::<u8>((base + header.p_vaddr) as usize);
            // SAFETY: a note segment of a loaded module is mapped, readable and `p_memsz` bytes long.
            build_id(unsafe { std::slice::from_raw_parts(notes, header.p_memsz as usize) })
        })
        .unwrap_or(&[]);
    Some(Module { base, start, end, build_id, name })
}

/// Whether the unwinder finds modules without the loader's lock, which in a forked child may belong to nobody: glibc
/// has a function for it from 2.35 on, and the unwinder that comes with such a glibc uses it. Other C libraries mend
/// the lock in the child.
pub(super) fn unwinds_without_lock() -> bool {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: no precondition; the string is a constant of the C library.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        is_at_least(version.to_bytes(), (2, 35))
    }
    #[cfg(not(target_env = "gnu"))]
    true
}

/// Whether a version, of two numbers at least, is no older than that.
#[cfg(any(test, target_env = "gnu"))]
fn is_at_least(version: &[u8], oldest: (u32, u32)) -> bool {
    let mut numbers = version.split(|byte| *byte == b'.').map(|number| std::str::from_utf8(number).ok()?.parse().ok());
    let mut next = || numbers.next().flatten();
    matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) >= oldest)
}

/// Finds the GNU build id among ELF notes: name length, content length, type, name and content, padded to 4.
fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    const NT_GNU_BUILD_ID: u32 = 3;
    loop {
        let (header, rest) = notes.split_at_checked(12)?;
        let field = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (name, rest) = rest.split_at_checked((field(0) as usize).next_multiple_of(4))?;
        let (content, rest) = rest.split_at_checked((field(4) as usize).next_multiple_of(4))?;
        if field(8) == NT_GNU_BUILD_ID && name == b"GNU\0" {
            return content.get(..field(4) as usize);
        }
        notes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        let is_new = |version: &str| is_at_least(version.as_bytes(), (2, 35));
        assert!(["2.35", "2.36", "2.100", "3.0", "2.35.9000"].map(is_new).into_iter().all(|is_new| is_new));
        assert!(["2.34", "2.4", "1.99", "2", "", "2.x"].map(is_new).into_iter().all(|is_new| !is_new));
    }

    #[test]
    fn the_executable_is_a_module_with_this_function_in_it() {
        let here = tid as fn() -> u32 as usize as u64;
        let mut containing = Vec::new();
        for_each_module(|module| {
            if (module.start..module.end).contains(&here) {
                containing.push((module.name.to_vec(), module.build_id.to_vec()));
            }
        });
        assert_eq!(containing.len(), 1);
        assert!(containing[0].0.is_empty(), "the executable has no name");
    }

    #[test]
    fn start_times_are_known() {
        assert!(process_start() > 0);
        assert!(thread_start() >= process_start());
        assert_ne!(boot(), 0);
    }
}
