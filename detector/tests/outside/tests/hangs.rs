//! The same hangs inside tests: the thread that runs a test has its name, and libtest's own thread records nothing.

macro_rules! tests {
    ($($module:ident: $($name:ident)*;)*) => { $($(
        #[test]
        fn $name() {
            outside::hangs::$module::$name();
        }
    )*)* };
}

tests! {
    locks: ab_ba cycle_of_3 cycle_of_10 relock relock_after_contention read_again ring_of_readers upgrade two_hangs
        bystanders;
    waits: early_notify early_unpark wait_under_lock lock_after_notify;
    channels: channel_cycle receive_under_lock full_channel forgotten_sender;
    ends: join_under_lock destructor_under_lock scope_under_lock leaked_guard;
    parked: parked_ab_ba parked_read_again parked_upgrade parked_early_notify
        parked_early_notify_013 parked_once_again;
    cells: once_cell_again lazy_cycle;
    wrapped: once_again cell_again once_and_lock missing_party;
}
