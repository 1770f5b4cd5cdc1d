//! A program without the wrappers that loads two plugins which have them. Its arguments: the plugins, and what happens.

use std::{
    ffi::{c_char, c_int, c_void, CString},
    mem::transmute,
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        Barrier, OnceLock,
    },
};

extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

const RTLD_NOW: c_int = 2;

type Section = extern "C" fn();

struct Plugin {
    with_own: extern "C" fn(Section),
    make: extern "C" fn() -> usize,
    with_shared: extern "C" fn(usize, Section),
    start: extern "C" fn(Section) -> usize,
    join: extern "C" fn(usize),
    record: extern "C" fn(*const c_char),
    is_recording: extern "C" fn() -> bool,
    hold: extern "C" fn(usize) -> usize,
    release: extern "C" fn(usize),
}

impl Plugin {
    fn load(path: &str) -> Self {
        let path = CString::new(path).unwrap();
        let handle = unsafe { dlopen(path.as_ptr(), RTLD_NOW) };
        assert!(!handle.is_null(), "{path:?}");
        let symbol = |name: &str| {
            let name = CString::new(name).unwrap();
            let symbol = unsafe { dlsym(handle, name.as_ptr()) };
            assert!(!symbol.is_null(), "{name:?}");
            symbol
        };
        unsafe {
            Self {
                with_own: transmute::<*mut c_void, extern "C" fn(Section)>(symbol("with_own")),
                make: transmute::<*mut c_void, extern "C" fn() -> usize>(symbol("make")),
                with_shared: transmute::<*mut c_void, extern "C" fn(usize, Section)>(symbol("with_shared")),
                start: transmute::<*mut c_void, extern "C" fn(Section) -> usize>(symbol("start")),
                join: transmute::<*mut c_void, extern "C" fn(usize)>(symbol("join")),
                record: transmute::<*mut c_void, extern "C" fn(*const c_char)>(symbol("record")),
                is_recording: transmute::<*mut c_void, extern "C" fn() -> bool>(symbol("is_recording")),
                hold: transmute::<*mut c_void, extern "C" fn(usize) -> usize>(symbol("hold")),
                release: transmute::<*mut c_void, extern "C" fn(usize)>(symbol("release")),
            }
        }
    }
}

static A: OnceLock<Plugin> = OnceLock::new();
static B: OnceLock<Plugin> = OnceLock::new();
static SHARED: OnceLock<usize> = OnceLock::new();
static DONE: AtomicBool = AtomicBool::new(false);
static MET: Barrier = Barrier::new(2);

fn a() -> &'static Plugin {
    A.get().unwrap()
}

fn b() -> &'static Plugin {
    B.get().unwrap()
}

fn shared() -> usize {
    *SHARED.get().unwrap()
}

extern "C" fn nothing() {}

extern "C" fn done() {
    DONE.store(true, SeqCst);
}

fn wait_until_done() {
    while !DONE.load(SeqCst) {
        std::thread::yield_now();
    }
}

extern "C" fn own_b() {
    (b().with_own)(nothing);
}

extern "C" fn own_a() {
    (a().with_own)(nothing);
}

extern "C" fn a_then_b() {
    (a().with_own)(own_b);
    done();
}

extern "C" fn b_then_a() {
    wait_until_done();
    (b().with_own)(own_a);
}

/// Each thread is joined by the plugin that did not start it.
fn orders() {
    let first = (a().start)(a_then_b);
    let second = (b().start)(b_then_a);
    (b().join)(first);
    (a().join)(second);
}

/// What the join orders cannot deadlock.
fn joined() {
    let first = (a().start)(a_then_b);
    (b().join)(first);
    let second = (b().start)(b_then_a);
    (a().join)(second);
}

extern "C" fn meet_then_b() {
    MET.wait();
    own_b();
}

extern "C" fn meet_then_a() {
    MET.wait();
    own_a();
}

extern "C" fn hang_with_a() {
    (a().with_own)(meet_then_b);
}

extern "C" fn hang_with_b() {
    (b().with_own)(meet_then_a);
}

fn hangs() {
    let first = (a().start)(hang_with_a);
    let second = (b().start)(hang_with_b);
    (b().join)(first);
    (a().join)(second);
}

extern "C" fn shared_through_a_then_b() {
    (a().with_shared)(shared(), own_b);
    done();
}

extern "C" fn shared_through_b() {
    (b().with_shared)(shared(), nothing);
}

extern "C" fn b_then_shared_through_b() {
    wait_until_done();
    (b().with_own)(shared_through_b);
}

/// A lock made by one plugin, locked by the code of both.
fn crosses() {
    // Objects of the second before: an id of its own could be taken for that of the first's lock.
    (b().with_own)(nothing);
    SHARED.set((a().make)()).unwrap();
    let first = (a().start)(shared_through_a_then_b);
    let second = (b().start)(b_then_shared_through_b);
    (a().join)(first);
    (b().join)(second);
}

/// The second plugin was not told to record, and drops a guard of the first, which was.
fn meets(dir: &str) {
    assert!(!(b().is_recording)());
    (a().record)(CString::new(dir).unwrap().as_ptr());
    let shared = (a().make)();
    for _ in 0..3 {
        (b().release)((a().hold)(shared));
    }
    assert!((b().is_recording)());
    orders();
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [first, second, part, dir @ ..] = arguments.as_slice() else { panic!("{arguments:?}") };
    assert!(A.set(Plugin::load(first)).is_ok() && B.set(Plugin::load(second)).is_ok());
    match part.as_str() {
        "orders" => orders(),
        "joined" => joined(),
        "hangs" => hangs(),
        "crosses" => crosses(),
        "meets" => meets(&dir[0]),
        _ => panic!("{part}"),
    }
}
