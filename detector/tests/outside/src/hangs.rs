//! Ways to hang. Each function hangs whenever it is called, and in one way.

pub mod cells;
pub mod channels;
pub mod ends;
pub mod locks;
pub mod parked;
pub mod waits;
pub mod wrapped;

/// Every way, by name.
pub const ALL: &[(&str, fn())] = &[
    ("ab_ba", locks::ab_ba),
    ("cycle_of_3", locks::cycle_of_3),
    ("cycle_of_10", locks::cycle_of_10),
    ("relock", locks::relock),
    ("relock_after_contention", locks::relock_after_contention),
    ("read_again", locks::read_again),
    ("ring_of_readers", locks::ring_of_readers),
    ("upgrade", locks::upgrade),
    ("two_hangs", locks::two_hangs),
    ("bystanders", locks::bystanders),
    ("early_notify", waits::early_notify),
    ("early_unpark", waits::early_unpark),
    ("wait_under_lock", waits::wait_under_lock),
    ("lock_after_notify", waits::lock_after_notify),
    ("channel_cycle", channels::channel_cycle),
    ("receive_under_lock", channels::receive_under_lock),
    ("full_channel", channels::full_channel),
    ("forgotten_sender", channels::forgotten_sender),
    ("join_under_lock", ends::join_under_lock),
    ("destructor_under_lock", ends::destructor_under_lock),
    ("scope_under_lock", ends::scope_under_lock),
    ("leaked_guard", ends::leaked_guard),
    ("parked_ab_ba", parked::parked_ab_ba),
    ("parked_read_again", parked::parked_read_again),
    ("parked_upgrade", parked::parked_upgrade),
    ("parked_early_notify", parked::parked_early_notify),
    ("parked_early_notify_013", parked::parked_early_notify_013),
    ("parked_once_again", parked::parked_once_again),
    ("once_cell_again", cells::once_cell_again),
    ("lazy_cycle", cells::lazy_cycle),
    ("once_again", wrapped::once_again),
    ("cell_again", wrapped::cell_again),
    ("once_and_lock", wrapped::once_and_lock),
    ("missing_party", wrapped::missing_party),
];
