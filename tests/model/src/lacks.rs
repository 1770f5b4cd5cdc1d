//! What does not compile under loom, and what does instead.
//!
//! A primitive in a `static`: it is made inside of the model, which counts what it makes.
//!
//! ```compile_fail,E0015
//! static LOCK: instrumented_sync::Mutex<u32> = instrumented_sync::Mutex::new(0);
//! ```
//! ```compile_fail,E0015
//! static CELL: instrumented_sync::OnceLock<u32> = instrumented_sync::OnceLock::new();
//! ```
//! ```compile_fail,E0015
//! static SLOTS: instrumented_sync::Semaphore = instrumented_sync::Semaphore::new(1);
//! ```
//! ```compile_fail,E0015
//! static FLAG: instrumented_sync::atomic::AtomicBool = instrumented_sync::atomic::AtomicBool::new(false);
//! ```
//!
//! `Weak`; std's own `Arc` and `Weak` work in a model, but order nothing:
//!
//! ```compile_fail,E0432
//! use instrumented_sync::Weak;
//! ```
//! ```compile_fail,E0599
//! let weak = instrumented_sync::Arc::downgrade(&instrumented_sync::Arc::new(1));
//! ```
//! ```
//! instrumented_sync::model(|| {
//!     let arc = std::sync::Arc::new(instrumented_sync::Mutex::new(1));
//!     let weak = std::sync::Arc::downgrade(&arc);
//!     assert!(weak.upgrade().is_some());
//! });
//! ```
//!
//! An `Arc` that unsizes; `from_std` makes one:
//!
//! ```compile_fail,E0308
//! let arc: instrumented_sync::Arc<dyn Send> = instrumented_sync::Arc::new(1);
//! ```
//! ```
//! instrumented_sync::model(|| {
//!     let arc: instrumented_sync::Arc<dyn Send> = instrumented_sync::Arc::from_std(std::sync::Arc::new(1));
//!     drop(arc);
//! });
//! ```
//!
//! Poison of a mutex:
//!
//! ```compile_fail,E0599
//! instrumented_sync::model(|| instrumented_sync::Mutex::new(1).clear_poison());
//! ```
//!
//! `get_mut` of an atomic; loom's lends it with `with_mut`:
//!
//! ```compile_fail,E0599
//! instrumented_sync::model(|| *instrumented_sync::atomic::AtomicU32::new(1).get_mut() = 2);
//! ```
