//! The correct twin of `bank_transfer`: whoever pays, the account with the smaller number is locked first.
//!
//! **What is wrong:** nothing. All threads take the locks in one order, so no schedule leads to a cycle.
//!
//! **What is reported:** nothing; the exit status is 0.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example ordered_transfer
//! ```

use instrumented_sync::{Arc, Mutex, PoisonError, label, thread};
use std::time::Duration;

struct Account {
    number: u32,
    balance: Mutex<i64>,
}

fn transfer(from: &Account, to: &Account, amount: i64) {
    let (first, second) = if from.number < to.number { (from, to) } else { (to, from) };
    let mut first_balance = first.balance.lock().unwrap_or_else(PoisonError::into_inner);
    let mut second_balance = second.balance.lock().unwrap_or_else(PoisonError::into_inner);
    let pays_first = first.number == from.number;
    *first_balance += if pays_first { -amount } else { amount };
    *second_balance += if pays_first { amount } else { -amount };
}

fn main() -> std::io::Result<()> {
    let checking = Arc::new(Account { number: 1, balance: Mutex::new(100) });
    let savings = Arc::new(Account { number: 2, balance: Mutex::new(100) });
    label(&checking.balance, "checking");
    label(&savings.balance, "savings");

    let (from, to) = (Arc::clone(&checking), Arc::clone(&savings));
    let deposit = thread::Builder::new().name("deposit".into()).spawn(move || transfer(&from, &to, 10))?;
    thread::sleep(Duration::from_millis(200));
    let withdraw = thread::Builder::new().name("withdraw".into()).spawn(move || transfer(&savings, &checking, 30))?;

    for thread in [deposit, withdraw] {
        thread.join().map_err(|_| std::io::Error::other("a transfer panicked"))?;
    }
    Ok(())
}
