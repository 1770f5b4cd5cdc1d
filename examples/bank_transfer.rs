//! Two transfers between the same accounts, in opposite directions.
//!
//! **What is wrong:** `transfer` locks the account that pays first and the account that receives second. A
//! transfer from checking to savings and one from savings to checking take the two locks in opposite orders. If
//! each gets its first lock before the other gets its second, both wait for ever.
//!
//! **What happens here:** nothing. The second transfer begins long after the first has ended, so every run
//! completes. That is what makes such a bug survive a test suite.
//!
//! **What is reported:** one `lock-order` finding: both transfers, the account that each holds and the one that
//! it wants.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example bank_transfer
//! ```

use instrumented_sync::{Arc, Mutex, PoisonError, label, thread};
use std::time::Duration;

struct Account {
    balance: i64,
}

fn transfer(from: &Mutex<Account>, to: &Mutex<Account>, amount: i64) {
    let mut from = from.lock().unwrap_or_else(PoisonError::into_inner);
    let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
    from.balance -= amount;
    to.balance += amount;
}

fn main() -> std::io::Result<()> {
    let checking = Arc::new(Mutex::new(Account { balance: 100 }));
    let savings = Arc::new(Mutex::new(Account { balance: 100 }));
    label(&*checking, "checking");
    label(&*savings, "savings");

    let (from, to) = (Arc::clone(&checking), Arc::clone(&savings));
    let deposit = thread::Builder::new().name("deposit".into()).spawn(move || transfer(&from, &to, 10))?;

    // Long enough for the first transfer to be over. It is luck all the same, not order: nothing but time keeps
    // the two apart.
    thread::sleep(Duration::from_millis(200));

    let (from, to) = (Arc::clone(&savings), Arc::clone(&checking));
    let withdraw = thread::Builder::new().name("withdraw".into()).spawn(move || transfer(&from, &to, 30))?;

    for thread in [deposit, withdraw] {
        thread.join().map_err(|_| std::io::Error::other("a transfer panicked"))?;
    }
    Ok(())
}
