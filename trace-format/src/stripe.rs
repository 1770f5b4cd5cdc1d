//! Stripes: what numbers the operations on atomic variables.
//!
//! An atomic variable is known by its address and has no room for a number of its own. So a process has [`STRIPES`] words, each
//! for the variables whose addresses [`of`] gives it; only recorders use them, readers know which stripe an address has.
//!
//! ```text
//!   63                     1     0
//!  | version of the stripe | taken |
//! ```
//!
//! | from | to | by |
//! |---|---|---|
//! | free, version n | taken, version n | a store or read-modify-write, before it touches the variable |
//! | taken, version n | free, version n + 1 | the same, once it has and its event is published |
//! | taken, version n | free, version n | the same, if it changed nothing |
//!
//! A load that finds the stripe free in one version before and after it saw what that version left. So the stores of a stripe
//! are numbered without a hole, and a load of version n comes after store n and before store n + 1 of the stripe.

/// How many stripes a process has.
pub const STRIPES: usize = 1024;

const _: () = assert!(STRIPES.is_power_of_two());

/// The stripe of the variable at an address.
///
/// Neighbours in an array or a structure are spread. Fibonacci hashing (Knuth, TAOCP 3, 6.4); with the shift, since by itself
/// it puts variables that are 8 bytes apart into less than half of the stripes.
///
/// ```
/// use trace_format::stripe;
///
/// assert!(stripe::of(0x7fff_1234_5678) < stripe::STRIPES);
/// assert_ne!(stripe::of(0x1000), stripe::of(0x1008));
/// ```
#[inline]
pub const fn of(address: u64) -> usize {
    ((address ^ address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - STRIPES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_side_by_side_are_spread() {
        for step in [1, 4, 8, 16, 64, 4096] {
            let mut is_used = [false; STRIPES];
            (0..STRIPES as u64).for_each(|n| is_used[of(0x7f12_3400_0000 + n * step)] = true);
            let n = is_used.iter().filter(|is_used| **is_used).count();
            assert!(n > STRIPES / 2, "{n} stripes for {STRIPES} variables {step} bytes apart");
        }
    }
}
