//! A read-write lock and a mutex, taken in opposite orders: readers count too.
//!
//! **What is wrong:** `handle_request` reads the configuration and then locks the cache; `reload` locks the
//! cache and then writes the configuration. The reader keeps the writer out, the writer keeps the cache: both
//! wait. Had `reload` only *read* the configuration, two readers would not exclude each other and nothing would
//! be wrong.
//!
//! **What is reported:** one `lock-order` finding with one shared and one exclusive hold.
//!
//! ```text
//! cargo deadlock-check run -- cargo run --quiet --example config_reload
//! ```

use instrumented_sync::{Arc, Mutex, PoisonError, RwLock, label, thread};
use std::{collections::HashMap, time::Duration};

struct Server {
    config: RwLock<u32>,
    cache: Mutex<HashMap<u32, u32>>,
}

impl Server {
    fn handle_request(&self, request: u32) -> u32 {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        *cache.entry(request).or_insert_with(|| request * *config)
    }

    fn reload(&self) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *config += 1;
        cache.clear();
    }
}

fn main() -> std::io::Result<()> {
    let server = Arc::new(Server { config: RwLock::new(7), cache: Mutex::new(HashMap::new()) });
    label(&server.config, "config");
    label(&server.cache, "cache");

    let shared = Arc::clone(&server);
    let requests = thread::Builder::new().name("requests".into()).spawn(move || {
        for request in 0..10 {
            shared.handle_request(request);
        }
    })?;
    thread::sleep(Duration::from_millis(200));
    let reloader = thread::Builder::new().name("reloader".into()).spawn(move || server.reload())?;

    for thread in [requests, reloader] {
        thread.join().map_err(|_| std::io::Error::other("a thread panicked"))?;
    }
    Ok(())
}
