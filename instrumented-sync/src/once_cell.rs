//! Drop-in for [`once_cell`](https://docs.rs/once_cell).
//!
//! ```
//! use instrumented_sync::once_cell::sync::{Lazy, OnceCell};
//!
//! static NAME: OnceCell<String> = OnceCell::new();
//! static LENGTH: Lazy<usize> = Lazy::new(|| NAME.wait().len());
//!
//! assert_eq!(NAME.get_or_try_init(|| "first".parse()), Ok(&"first".to_owned()));
//! assert_eq!((*LENGTH, NAME.set("second".to_owned())), (5, Err("second".to_owned())));
//! ```
//!
//! An initialiser that asks for what it initialises, and those of two threads that wait for each other, are told as any hang. What is in
//! [`unsync`] belongs to one thread and panics there by itself, so it is the original. Cells of [`race`] wait for nobody: recorded is that who sees a value comes after who
//! made it.

pub use ::once_cell::unsync;

#[cfg(recorded)]
pub mod race;
#[cfg(recorded)]
pub mod sync;
#[cfg(not(recorded))]
pub use ::once_cell::{race, sync};
