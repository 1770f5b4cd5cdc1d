//! Variables of a model's threads.

/// As [`std::thread_local!`], of loom's threads; `const { … }` is an expression like any other.
#[macro_export]
macro_rules! thread_local {
    () => {};
    (
        $(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = const $value:block
        $(; $($rest:tt)*)?
    ) => {
        $crate::__loom_thread_local! { $(#[$attribute])* $visibility static $name: $type = $value }
        $($crate::thread_local! { $($rest)* })?
    };
    (
        $(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $value:expr
        $(; $($rest:tt)*)?
    ) => {
        $crate::__loom_thread_local! { $(#[$attribute])* $visibility static $name: $type = $value }
        $($crate::thread_local! { $($rest)* })?
    };
}
