//! What all atomic types have, once.

/// An atomic type: what each has, whatever its value is.
macro_rules! atomic {
    ($(#[$doc:meta])* $width:literal $name:ident $(<$t:ident>)?: $value:ty, $default:expr) => {
        $(#[$doc])*
        #[cfg(target_has_atomic = $width)]
        #[repr(transparent)]
        pub struct $name $(<$t>)? (native::$name $(<$t>)?);

        #[cfg(target_has_atomic = $width)]
        impl $(<$t>)? $name $(<$t>)? {
            /// A variable with this value.
            #[inline]
            pub const fn new(v: $value) -> Self {
                Self(native::$name::new(v))
            }

            /// The variable that lies at `ptr`. What is done there otherwise is not recorded.
            ///
            /// # Safety
            ///
            #[doc = concat!("As [`std::sync::atomic::", stringify!($name), "::from_ptr`].")]
            #[inline]
            pub const unsafe fn from_ptr<'a>(ptr: *mut $value) -> &'a Self {
                // SAFETY: the caller promises what std's function wants for the type that this one is laid out as.
                unsafe { &*ptr.cast::<Self>() }
            }

            /// The value, as exclusive access proves that nobody else uses it. Not recorded.
            #[inline]
            pub fn get_mut(&mut self) -> &mut $value {
                self.0.get_mut()
            }

            /// The value of a variable that is no more. Not recorded.
            #[inline]
            pub const fn into_inner(self) -> $value {
                self.0.into_inner()
            }

            /// Where the value lies. What is done through the pointer is not recorded.
            #[inline]
            pub const fn as_ptr(&self) -> *mut $value {
                self.0.as_ptr()
            }

            /// Loads the value.
            ///
            /// # Panics
            ///
            /// `order` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[inline]
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                if record::records_load(order) {
                    let site = Location::caller();
                    return record::load(record::Place::of(self), order, site, || self.0.load(order));
                }
                self.0.load(order)
            }

            /// Stores a value.
            ///
            /// # Panics
            ///
            /// `order` is [`Ordering::Acquire`] or [`Ordering::AcqRel`].
            #[inline]
            #[track_caller]
            pub fn store(&self, val: $value, order: Ordering) {
                if record::records_store(order) {
                    let (place, site) = (record::Place::of(self), Location::caller());
                    return record::write(Kind::ATOMIC_STORE, place, order, site, || self.0.store(val, order));
                }
                self.0.store(val, order);
            }

            /// Stores a value; returns what it was.
            #[inline]
            #[track_caller]
            pub fn swap(&self, val: $value, order: Ordering) -> $value {
                self.changed(order, Location::caller(), |this| this.swap(val, order))
            }

            /// Stores `new` if the value is `current`; returns what it was.
            #[inline]
            #[track_caller]
            #[deprecated(note = "use `compare_exchange` or `compare_exchange_weak`")]
            pub fn compare_and_swap(&self, current: $value, new: $value, order: Ordering) -> $value {
                let failure = match order {
                    Ordering::Release => Ordering::Relaxed,
                    Ordering::AcqRel => Ordering::Acquire,
                    order => order,
                };
                match self.compare_exchange(current, new, order, failure) {
                    Ok(was) | Err(was) => was,
                }
            }

            /// Stores `new` if the value is `current`; returns what it was.
            ///
            /// # Errors
            ///
            /// It was something else: that.
            ///
            /// # Panics
            ///
            /// `failure` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[inline]
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                if record::records_load(failure) {
                    let (place, site) = (record::Place::of(self), Location::caller());
                    let native = || self.0.compare_exchange(current, new, success, failure);
                    return record::exchange(place, success, failure, site, native);
                }
                self.0.compare_exchange(current, new, success, failure)
            }

            /// As [`Self::compare_exchange`], but may fail even if the value is `current`.
            ///
            /// # Errors
            ///
            /// Nothing was stored: the value.
            ///
            /// # Panics
            ///
            /// `failure` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[inline]
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                if record::records_load(failure) {
                    let (place, site) = (record::Place::of(self), Location::caller());
                    let native = || self.0.compare_exchange_weak(current, new, success, failure);
                    return record::exchange(place, success, failure, site, native);
                }
                self.0.compare_exchange_weak(current, new, success, failure)
            }

            /// Replaces the value by what `f` makes of it, which may be asked several times; returns what it was.
            ///
            /// # Errors
            ///
            /// `f` made nothing of it: the value.
            ///
            /// # Panics
            ///
            /// `fetch_order` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[inline]
            #[track_caller]
            pub fn fetch_update<F>(
                &self,
                set_order: Ordering,
                fetch_order: Ordering,
                mut f: F,
            ) -> Result<$value, $value>
            where
                F: FnMut($value) -> Option<$value>,
            {
                let mut was = self.load(fetch_order);
                while let Some(new) = f(was) {
                    match self.compare_exchange_weak(was, new, set_order, fetch_order) {
                        Ok(was) => return Ok(was),
                        Err(is) => was = is,
                    }
                }
                Err(was)
            }

            /// As [`Self::fetch_update`].
            ///
            /// # Errors
            ///
            /// `f` made nothing of the value: that.
            ///
            /// # Panics
            ///
            /// `fetch_order` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[cfg(since_1_95)]
            #[inline]
            #[track_caller]
            pub fn try_update(
                &self,
                set_order: Ordering,
                fetch_order: Ordering,
                f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                self.fetch_update(set_order, fetch_order, f)
            }

            /// Replaces the value by what `f` makes of it, which may be asked several times; returns what it was.
            ///
            /// # Panics
            ///
            /// `fetch_order` is [`Ordering::Release`] or [`Ordering::AcqRel`].
            #[cfg(since_1_95)]
            #[inline]
            #[track_caller]
            pub fn update(
                &self,
                set_order: Ordering,
                fetch_order: Ordering,
                mut f: impl FnMut($value) -> $value,
            ) -> $value {
                match self.fetch_update(set_order, fetch_order, |value| Some(f(value))) {
                    Ok(was) | Err(was) => was,
                }
            }

            /// Reads and writes at once.
            #[inline]
            fn changed(
                &self,
                order: Ordering,
                site: probe::Site,
                native: impl FnOnce(&native::$name $(<$t>)?) -> $value,
            ) -> $value {
                if probe::recording() {
                    return record::write(Kind::ATOMIC_RMW, record::Place::of(self), order, site, || native(&self.0));
                }
                native(&self.0)
            }
        }

        #[cfg(target_has_atomic = $width)]
        impl $(<$t>)? Default for $name $(<$t>)? {
            #[inline]
            fn default() -> Self {
                Self::new($default)
            }
        }

        #[cfg(target_has_atomic = $width)]
        impl $(<$t>)? From<$value> for $name $(<$t>)? {
            #[inline]
            fn from(value: $value) -> Self {
                Self::new(value)
            }
        }

        #[cfg(target_has_atomic = $width)]
        impl $(<$t>)? fmt::Debug for $name $(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

/// Operations that read and write at once, with an operand.
macro_rules! read_modify_write {
    ($width:literal $name:ident $(<$t:ident>)?: $operand:ty => $value:ty { $($(#[$doc:meta])* $function:ident,)* }) => {
        #[cfg(target_has_atomic = $width)]
        impl $(<$t>)? $name $(<$t>)? {
            $(
                $(#[$doc])*
                #[inline]
                #[track_caller]
                #[allow(clippy::incompatible_msrv, reason = "the build script asked for the version")]
                pub fn $function(&self, val: $operand, order: Ordering) -> $value {
                    self.changed(order, Location::caller(), |this| this.$function(val, order))
                }
            )*
        }
    };
}

/// Atomic integers.
macro_rules! integers {
    ($($width:literal $name:ident: $value:ty,)*) => {
        $(
            atomic! {
                #[doc = concat!("An integer that threads may share, as [`std::sync::atomic::", stringify!($name), "`]; operations")]
                /// are recorded.
                $width $name: $value, 0
            }

            read_modify_write! {
                $width $name: $value => $value {
                    /// Adds, wrapping around; returns what the value was.
                    fetch_add,
                    /// Subtracts, wrapping around; returns what the value was.
                    fetch_sub,
                    /// Keeps the bits that are set in `val`; returns what the value was.
                    fetch_and,
                    /// Keeps the bits that are set in `val`, then flips all; returns what the value was.
                    fetch_nand,
                    /// Sets the bits that are set in `val`; returns what the value was.
                    fetch_or,
                    /// Flips the bits that are set in `val`; returns what the value was.
                    fetch_xor,
                    /// Keeps the greater of the value and `val`; returns what the value was.
                    fetch_max,
                    /// Keeps the lesser of the value and `val`; returns what the value was.
                    fetch_min,
                }
            }
        )*
    };
}
