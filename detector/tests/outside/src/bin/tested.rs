use instrumented_sync::Mutex;

static JOURNAL: Mutex<u32> = Mutex::new(0);

fn main() {
    println!("{}", JOURNAL.lock().unwrap());
}

#[cfg(test)]
mod tests {
    #[test]
    fn locks_twice() {
        let journal = super::JOURNAL.lock().unwrap();
        *super::JOURNAL.lock().unwrap() += 1;
        drop(journal);
    }
}
