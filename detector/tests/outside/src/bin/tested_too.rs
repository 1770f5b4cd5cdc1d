use instrumented_sync::RwLock;

static SETTINGS: RwLock<u32> = RwLock::new(0);

fn main() {
    println!("{}", SETTINGS.read().unwrap());
}

#[cfg(test)]
mod tests {
    #[test]
    fn writes_while_it_reads() {
        let settings = super::SETTINGS.read().unwrap();
        *super::SETTINGS.write().unwrap() += 1;
        drop(settings);
    }
}
