//! Drop-in for `once_cell::race`: cells that several threads may make a value for, of which one is kept.

use crate::trace::{acquired, released};
use ::once_cell::race as native;
use std::{fmt, num::NonZeroUsize};

/// A cell, and what goes in and comes out of it.
macro_rules! cell {
    ($(#[$doc:meta])* $name:ident [$($generics:tt)*], $given:ty, $kept:ty, $refused:ty) => {
        $(#[$doc])*
        pub struct $name $($generics)* {
            native: native::$name $($generics)*,
        }

        impl $($generics)* $name $($generics)* {
            /// As the original's `new`.
            #[must_use]
            pub const fn new() -> Self {
                Self { native: native::$name::new() }
            }

            /// As the original's `get`.
            #[track_caller]
            pub fn get(&self) -> Option<$kept> {
                self.native.get().inspect(|_| acquired(&self.native))
            }

            /// As the original's `set`.
            ///
            /// # Errors
            ///
            /// It has a value already.
            #[allow(clippy::result_unit_err, reason = "as the original's")]
            #[track_caller]
            pub fn set(&self, value: $given) -> Result<(), $refused> {
                released(&self.native);
                self.native.set(value)
            }

            /// As the original's `get_or_init`.
            #[track_caller]
            pub fn get_or_init<F>(&self, f: F) -> $kept
            where
                F: FnOnce() -> $given,
            {
                let made = || {
                    let value = f();
                    released(&self.native);
                    value
                };
                let value = self.native.get_or_init(made);
                acquired(&self.native);
                value
            }

            /// As the original's `get_or_try_init`.
            ///
            /// # Errors
            ///
            /// `f` has one.
            #[track_caller]
            pub fn get_or_try_init<F, E>(&self, f: F) -> Result<$kept, E>
            where
                F: FnOnce() -> Result<$given, E>,
            {
                let made = || f().inspect(|_| released(&self.native));
                self.native.get_or_try_init(made).inspect(|_| acquired(&self.native))
            }
        }

        impl $($generics)* Default for $name $($generics)* {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $($generics)* fmt::Debug for $name $($generics)* {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.native.fmt(f)
            }
        }
    };
}

cell! {
    /// Drop-in for `once_cell::race::OnceBox`.
    OnceBox [<T>], Box<T>, &T, Box<T>
}

cell! {
    /// Drop-in for `once_cell::race::OnceRef`.
    OnceRef [<'a, T>], &'a T, &'a T, ()
}

cell! {
    /// Drop-in for `once_cell::race::OnceNonZeroUsize`.
    OnceNonZeroUsize [], NonZeroUsize, NonZeroUsize, ()
}

cell! {
    /// Drop-in for `once_cell::race::OnceBool`.
    OnceBool [], bool, bool, ()
}

impl<T> OnceBox<T> {
    /// As `once_cell::race::OnceBox::with_value`.
    #[must_use]
    pub fn with_value(value: Box<T>) -> Self {
        Self { native: native::OnceBox::with_value(value) }
    }
}

impl OnceNonZeroUsize {
    /// As `once_cell::race::OnceNonZeroUsize::get_unchecked`.
    ///
    /// # Safety
    ///
    /// It has a value.
    #[track_caller]
    pub unsafe fn get_unchecked(&self) -> NonZeroUsize {
        acquired(&self.native);
        // SAFETY: the caller says so.
        unsafe { self.native.get_unchecked() }
    }
}
