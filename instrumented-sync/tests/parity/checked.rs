//! A line of the list as code.
//!
//! An entry is a line of `std_api.txt`, a little rewritten for the sake of macros: `impl [T,]` for `impl<T>`,
//! `Trait => Type` for `Trait for Type`, `f [T: Trait,]` for `f<T: Trait>`, braces around the bounds of a `where`. It is compiled to the assertion
//! that the item exists with this very declaration - functions by a pointer of their exact type, `const` ones in
//! a `const fn`, implementations under their exact bounds -, and kept as text. What is no entry does not compile.

/// Checks entries, and gives them out as `KEYS`.
macro_rules! surface {
    ($( $(#[$since:meta])? { $($entry:tt)* } )*) => {
        $( $(#[$since])? checked! { $($entry)* } )*

        pub(crate) const KEYS: &[&str] = &[$( $(#[$since])? { stringify!($($entry)*) } ),*];
    };
}

/// One entry.
macro_rules! checked {
    (macro thread_local) => {
        const _: () = {
            root::thread_local!(static NUMBER: Cell<i32> = const { Cell::new(1) });
            root::thread_local! {
                pub static LAZY: Cell<i32> = Cell::new(2);
                static OTHER: Cell<i32> = Cell::new(3);
            }
            fn all() -> i32 {
                NUMBER.get() + LAZY.get() + OTHER.get()
            }
            let _: fn() -> i32 = all;
        };
    };
    (name $($path:ident)::+) => {
        const _: () = {
            use $($path)::+ as _;
        };
    };
    (struct $($path:ident)::+) => {
        const _: () = {
            use $($path)::+ as _;
        };
    };
    (trait $($path:ident)::+) => {
        const _: () = {
            use $($path)::+ as _;
        };
    };
    (enum $($path:ident)::+) => {
        const _: () = {
            use $($path)::+ as _;
        };
    };
    (const $($path:ident)::+ : $type:ty) => {
        const _: $type = $($path)::+;
    };
    (type $($path:ident)::+ <$t:ident> = $type:ty) => {
        const _: () = {
            fn is_that<$t>(one: $($path)::+<$t>) -> $type {
                one
            }
            fn and_back<$t>(one: $type) -> $($path)::+<$t> {
                one
            }
        };
    };
    (fn $($path:ident)::+ $(<$($g:tt),*>)? ($($arg:ident : $type:ty),*) $($tail:tt)*) => {
        called! { fn [$($($g),*)?] [$($path)::+] [$($arg: $type),*] $($tail)* }
    };
    ($($path:ident)::+ $(<$t:ident>)? : variant $name:ident $(($type:ty))?) => {
        const _: () = {
            fn made$(<$t>)?($(one: $type)?) -> $($path)::+$(<$t>)? {
                $($path)::+::$name$((one as $type))?
            }
        };
    };
    ($($path:ident)::+ $(<$t:ident>)? : field $name:tt : $type:ty) => {
        const _: () = {
            fn taken_out$(<$t>)?(one: $($path)::+$(<$t>)?) -> $type {
                one.$name
            }
        };
    };
    ($($path:ident)::+ : impl [] $self:ty : const $name:ident : $type:ty) => {
        const _: $type = <$self>::$name;
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : const fn $name:ident ($($arg:ident : $type:ty),*) -> $result:ty) => {
        const _: () = {
            const fn constant<$($g)*>($($arg: $type),*) -> $result {
                <$self>::$name($($arg),*)
            }
        };
        called! { fn [$($g)*] [<$self>::$name] [$($arg: $type),*] -> $result }
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : const fn $name:ident (&self) -> $result:ty) => {
        const _: () = {
            const fn constant<$($g)*>(this: &$self) -> $result {
                <$self>::$name(this)
            }
        };
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : const fn $name:ident (self) -> $result:ty) => {
        const _: () = {
            const fn constant<$($g)*>(this: $self) -> $result {
                <$self>::$name(this)
            }
        };
    };
    (
        $($path:ident)::+ : impl [$($g:tt)*] $self:ty :
        const unsafe fn $name:ident <$l:lifetime>($arg:ident : $type:ty) -> $result:ty
    ) => {
        const _: () = {
            const unsafe fn constant<$l, $($g)*>($arg: $type) -> $result {
                // SAFETY: never called.
                unsafe { <$self>::$name($arg) }
            }
        };
    };
    (
        $($path:ident)::+ : impl [$($g:tt)*] $self:ty :
        fn $name:ident (
            &self, $set:ident : $set_order:ty, $fetch:ident : $fetch_order:ty, f: impl FnMut($in:ty) -> $out:ty
        ) -> $result:ty
    ) => {
        const _: () = {
            fn has_this_type<$($g)*>(
                this: &$self, $set: $set_order, $fetch: $fetch_order, f: impl FnMut($in) -> $out,
            ) -> $result {
                <$self>::$name(this, $set, $fetch, f)
            }
        };
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : unsafe fn $name:ident <$($own:tt),*> ($($args:tt)*) $($tail:tt)*) => {
        received! { unsafe fn [$($g)* $($own),*] [$self] [$name] ($($args)*) $($tail)* }
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : fn $name:ident [$($own:tt)*] ($($args:tt)*) $($tail:tt)*) => {
        received! { fn [$($g)* $($own)*] [$self] [$name] ($($args)*) $($tail)* }
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $self:ty : fn $name:ident $(<$($own:tt),*>)? ($($args:tt)*) $($tail:tt)*) => {
        received! { fn [$($g)* $($($own),*)?] [$self] [$name] ($($args)*) $($tail)* }
    };
    ($($path:ident)::+ : impl [$($g:tt)*] ! $trait:path => $self:ty) => {
        const _: () = {
            trait Ambiguous<A> {
                fn ask() {}
            }
            struct Implemented;
            impl<X: ?Sized> Ambiguous<()> for X {}
            impl<X: ?Sized + $trait> Ambiguous<Implemented> for X {}
            fn is_not<$($g)*>() {
                <$self as Ambiguous<_>>::ask();
            }
        };
    };
    ($($path:ident)::+ : impl [$($g:tt)*] From<$from:ty> => $self:ty) => {
        called! { fn [$($g)*] [<$self as From<$from>>::from] [from: $from] -> $self }
    };
    ($($path:ident)::+ : impl [$($g:tt)*] $trait:ident => $self:ty) => {
        const _: () = {
            fn asked<X: ?Sized + $trait>() {}
            // The argument for what its type implies: of `Iter<'a, T>`, that `T` outlives `'a`.
            fn is<$($g)*>(_: &$self) {
                asked::<$self>();
            }
        };
    };
}

/// A function of a type: what it is called on becomes an argument like others.
macro_rules! received {
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] (&self) -> &$result:ty) => {
        called! { $($kind)+ ['this, $($g)*] [<$self>::$name] [this: &'this $self] -> &'this $result }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] (&self $(, $arg:ident : $type:ty)*) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [this: &$self $(, $arg: $type)*] $($tail)* }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] (&mut self $(, $arg:ident : $type:ty)*) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [this: &mut $self $(, $arg: $type)*] $($tail)* }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] (& $l:lifetime self $(, $arg:ident : $type:ty)*) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [this: &$l $self $(, $arg: $type)*] $($tail)* }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] (self $(, $arg:ident : $type:ty)*) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [this: $self $(, $arg: $type)*] $($tail)* }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] ($this:ident : Self) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [$this: $self] $($tail)* }
    };
    ($($kind:ident)+ [$($g:tt)*] [$self:ty] [$name:ident] ($($arg:ident : $type:ty),*) $($tail:tt)*) => {
        called! { $($kind)+ [$($g)*] [<$self>::$name] [$($arg: $type),*] $($tail)* }
    };
}

/// A function by a pointer of its exact type, under its exact bounds.
macro_rules! called {
    (
        $($kind:ident)+ [$($g:tt)*] [$($callee:tt)*] [$($arg:ident : $type:ty),*]
        $(-> $result:ty)? $(where { $($bounds:tt)* })?
    ) => {
        const _: () = {
            $($kind)+ has_this_type<$($g)*>($($arg: $type),*) $(-> $result)? $(where $($bounds)*)? {
                let function: $($kind)+($($type),*) $(-> $result)? = $($callee)*;
                calling!($($kind)+ function($($arg),*))
            }
        };
    };
}

macro_rules! calling {
    (fn $function:ident ($($arg:ident),*)) => {
        $function($($arg),*)
    };
    (unsafe fn $function:ident ($($arg:ident),*)) => {
        // SAFETY: never called.
        unsafe { $function($($arg),*) }
    };
}
