//! quick
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::print_stdout)]
use std::time::Instant;
fn run(name: &str, n: u64, mut f: impl FnMut(u64), mut g: impl FnMut(u64)) {
    let w = std::env::args().nth(1).unwrap_or_default();
    if !w.is_empty() && !w.starts_with("--") && w != name {
        return;
    }
    let mut line = String::new();
    let mut r = vec![];
    f(n / 10);
    g(n / 10);
    for _ in 0..7 {
        let s = Instant::now();
        f(n);
        let a = s.elapsed().as_nanos() as f64 / n as f64;
        let s = Instant::now();
        g(n);
        let b = s.elapsed().as_nanos() as f64 / n as f64;
        r.push(b / a);
        line += &format!(" {b:.1}");
    }
    r.sort_by(|a, b| a.total_cmp(b));
    println!("{name} ratio {:.2} [{line}]", r[3]);
}
fn drain() {
    use std::os::unix::fs::FileExt;
    let Some(dir) = std::env::var_os("DEADLOCK_CHECK_TRACE") else { return };
    if std::env::var_os("DRAIN").is_none() {
        return;
    }
    std::thread::spawn(move || {
        let mut offs: Vec<(std::fs::File, u64, Vec<u64>)> = vec![];
        loop {
            std::thread::sleep(std::time::Duration::from_micros(300));
            if offs.is_empty() {
                if let Ok(rd) = std::fs::read_dir(&dir) {
                    for e in rd.flatten() {
                        if e.file_name().to_string_lossy().ends_with(".events") {
                            offs.push((
                                std::fs::OpenOptions::new().read(true).write(true).open(e.path()).unwrap(),
                                4096,
                                vec![],
                            ));
                        }
                    }
                }
            }
            for (f, end, segs) in &mut offs {
                let w = |o: u64| {
                    let mut b = [0u8; 8];
                    let _ = f.read_at(&mut b, o);
                    u64::from_le_bytes(b)
                };
                while w(*end) == trace_format::chunk::MAGIC {
                    let k = w(*end + 8);
                    if k & 0xffff == 1 {
                        segs.push(*end);
                    }
                    *end += k >> 32;
                }
                for o in segs.iter() {
                    if w(*o + 16) == 2 {
                        f.write_at(&3u64.to_le_bytes(), *o + 16).unwrap();
                    }
                }
            }
        }
    });
}
fn main() {
    drain();
    let n = 1_000_000;
    let s = std::sync::Mutex::new(0u64);
    let s2 = std::sync::Mutex::new(0u64);
    let i = instrumented_sync::Mutex::new(0u64);
    let i2 = instrumented_sync::Mutex::new(0u64);
    let sr = std::sync::RwLock::new(0u64);
    let ir = instrumented_sync::RwLock::new(0u64);
    run(
        "lock",
        n,
        |n| {
            for _ in 0..n {
                *std::hint::black_box(&s).lock().unwrap() += 1;
            }
        },
        |n| {
            for _ in 0..n {
                *std::hint::black_box(&i).lock().unwrap() += 1;
            }
        },
    );
    run(
        "nest",
        n,
        |n| {
            for _ in 0..n {
                let _g = std::hint::black_box(&s).lock().unwrap();
                *std::hint::black_box(&s2).lock().unwrap() += 1;
            }
        },
        |n| {
            for _ in 0..n {
                let _g = std::hint::black_box(&i).lock().unwrap();
                *std::hint::black_box(&i2).lock().unwrap() += 1;
            }
        },
    );
    run(
        "read",
        n,
        |n| {
            for _ in 0..n {
                std::hint::black_box(*std::hint::black_box(&sr).read().unwrap());
            }
        },
        |n| {
            for _ in 0..n {
                std::hint::black_box(*std::hint::black_box(&ir).read().unwrap());
            }
        },
    );
}
