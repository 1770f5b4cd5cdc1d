//! Atomic variables, one text for all that have the same functions.

use super::sync;
use std::{
    fmt::{Debug, Pointer},
    panic::RefUnwindSafe,
};
use sync::atomic::*;

/// What every type has: `[parameters] path type [value] (argument of new) (of store) (of From)`, and what it has besides.
macro_rules! entries {
    (
        [$($g:tt)*] $name:ident [$($self:tt)*] [$($value:tt)*] $new:ident $stored:ident
        $($own:tt)*
    ) => {
        surface! {
            {name sync::atomic::$name}
            {sync::atomic::$name: impl [$($g)*] $($self)*: const fn new($new: $($value)*) -> $($self)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: const unsafe fn from_ptr<'a>(ptr: *mut $($value)*) -> &'a $($self)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn get_mut(&mut self) -> &mut $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: const fn into_inner(self) -> $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: const fn as_ptr(&self) -> *mut $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn load(&self, order: Ordering) -> $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn store(&self, $stored: $($value)*, order: Ordering)}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn swap(&self, $stored: $($value)*, order: Ordering) -> $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn compare_and_swap(&self, current: $($value)*, new: $($value)*, order: Ordering) -> $($value)*}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn compare_exchange(&self, current: $($value)*, new: $($value)*, success: Ordering, failure: Ordering) -> Result<$($value)*, $($value)*>}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn compare_exchange_weak(&self, current: $($value)*, new: $($value)*, success: Ordering, failure: Ordering) -> Result<$($value)*, $($value)*>}
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn fetch_update<F>(&self, set_order: Ordering, fetch_order: Ordering, f: F) -> Result<$($value)*, $($value)*> where { F: FnMut($($value)*) -> Option<$($value)*> }}
            #[cfg(since_1_95)]
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn try_update(&self, set_order: Ordering, fetch_order: Ordering, f: impl FnMut($($value)*) -> Option<$($value)*>) -> Result<$($value)*, $($value)*>}
            #[cfg(since_1_95)]
            {sync::atomic::$name: impl [$($g)*] $($self)*: fn update(&self, set_order: Ordering, fetch_order: Ordering, f: impl FnMut($($value)*) -> $($value)*) -> $($value)*}
            {sync::atomic::$name: impl [$($g)*] Debug => $($self)*}
            {sync::atomic::$name: impl [$($g)*] Default => $($self)*}
            {sync::atomic::$name: impl [$($g)*] From<$($value)*> => $($self)*}
            {sync::atomic::$name: impl [$($g)*] RefUnwindSafe => $($self)*}
            {sync::atomic::$name: impl [$($g)*] Sync => $($self)*}
            $($own)*
        }
    };
}

macro_rules! integers {
    ($($module:ident: $name:ident $value:ident;)*) => {
        $(mod $module {
            use super::*;

            entries! {
                [] $name [$name] [$value] v val
                {sync::atomic::$name: impl [] $name: fn fetch_add(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_sub(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_and(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_nand(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_or(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_xor(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_max(&self, val: $value, order: Ordering) -> $value}
                {sync::atomic::$name: impl [] $name: fn fetch_min(&self, val: $value, order: Ordering) -> $value}
            }
        })*

        fn of_integers() -> Vec<&'static str> {
            [$($module::KEYS),*].concat()
        }
    };
}

integers! {
    of_i8: AtomicI8 i8;
    of_u8: AtomicU8 u8;
    of_i16: AtomicI16 i16;
    of_u16: AtomicU16 u16;
    of_i32: AtomicI32 i32;
    of_u32: AtomicU32 u32;
    of_i64: AtomicI64 i64;
    of_u64: AtomicU64 u64;
    of_isize: AtomicIsize isize;
    of_usize: AtomicUsize usize;
}

mod of_bool {
    use super::*;

    entries! {
        [] AtomicBool [AtomicBool] [bool] v val
        {sync::atomic::AtomicBool: impl [] AtomicBool: fn fetch_and(&self, val: bool, order: Ordering) -> bool}
        {sync::atomic::AtomicBool: impl [] AtomicBool: fn fetch_nand(&self, val: bool, order: Ordering) -> bool}
        {sync::atomic::AtomicBool: impl [] AtomicBool: fn fetch_or(&self, val: bool, order: Ordering) -> bool}
        {sync::atomic::AtomicBool: impl [] AtomicBool: fn fetch_xor(&self, val: bool, order: Ordering) -> bool}
        {sync::atomic::AtomicBool: impl [] AtomicBool: fn fetch_not(&self, order: Ordering) -> bool}
    }
}

mod of_pointer {
    use super::*;

    entries! {
        [T,] AtomicPtr [AtomicPtr<T>] [*mut T] p ptr
        {sync::atomic::AtomicPtr: impl [T,] Pointer => AtomicPtr<T>}
        {sync::atomic::AtomicPtr: impl [T,] Send => AtomicPtr<T>}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_and(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_or(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_xor(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_byte_add(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_byte_sub(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_ptr_add(&self, val: usize, order: Ordering) -> *mut T}
        #[cfg(since_1_91)]
        {sync::atomic::AtomicPtr: impl [T,] AtomicPtr<T>: fn fetch_ptr_sub(&self, val: usize, order: Ordering) -> *mut T}
    }
}

surface! {
    {const sync::atomic::ATOMIC_BOOL_INIT: AtomicBool}
    {const sync::atomic::ATOMIC_ISIZE_INIT: AtomicIsize}
    {const sync::atomic::ATOMIC_USIZE_INIT: AtomicUsize}
    {name sync::atomic::Ordering}
    {fn sync::atomic::compiler_fence(order: Ordering)}
    {fn sync::atomic::fence(order: Ordering)}
    {fn sync::atomic::spin_loop_hint()}
}

pub(crate) fn keys() -> Vec<&'static str> {
    [KEYS, of_bool::KEYS, of_pointer::KEYS, &of_integers()].concat()
}
