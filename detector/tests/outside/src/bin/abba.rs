use instrumented_sync::{label, thread};
use std::sync::Barrier;

/// Really deadlocks: both threads have their first lock before either asks for its second.
fn main() {
    let (a, b) = outside::two();
    label(&*a, "alpha");
    label(&*b, "beta");
    let met = Barrier::new(2);
    thread::scope(|scope| {
        let left = thread::Builder::new().name("left".into());
        left.spawn_scoped(scope, || {
            let _a = a.lock().unwrap();
            met.wait();
            let _b = b.lock().unwrap();
        })
        .unwrap();
        let right = thread::Builder::new().name("right".into());
        right.spawn_scoped(scope, || {
            let _b = b.lock().unwrap();
            met.wait();
            let _a = a.lock().unwrap();
        })
        .unwrap();
    });
}
