//! scratch
mod support;
use detector::{merge, model, analysis, source::Trace};
use trace_format::*;
use std::time::Instant;

#[test]
fn speed() {
    for (n_threads, n_locks, label) in [(8u64, 64u64, "8 threads, 64 locks, pairs"), (8, 1000, "8 threads 1000 locks"), (2, 2, "2 threads 2 locks")] {
        let n_pairs = 2_500_000u64;
        let mut seqs = vec![0u64; n_locks as usize];
        let mut events: Vec<Vec<Event>> = vec![Vec::new(); n_threads as usize];
        let mut r = 1u64;
        for _ in 0..n_pairs {
            r = r.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let t = (r >> 33) % n_threads;
            let a = (r >> 40) % n_locks;
            let b = (a + 1 + (r >> 50) % (n_locks - 1)) % n_locks;
            let (a, b) = (a.min(b), a.max(b));
            let e = &mut events[t as usize];
            for l in [a, b] {
                seqs[l as usize] += 1;
                e.push(Event::new(Kind::ACQUIRE, Flags::NONE, 1 + (l % 5) as u32, ObjectId(100 + l), seqs[l as usize]));
            }
            for l in [b, a] { e.push(Event::new(Kind::RELEASE, Flags::NONE, 1, ObjectId(100 + l), seqs[l as usize])); }
        }
        let mut file = support::Process::new(1).to_bytes();
        for (t, e) in events.iter().enumerate() {
            for (i, part) in e.chunks(60_000).enumerate() {
                let mut v = vec![Event::new(Kind::OWNER, Flags::NONE, 0, ObjectId(1 + t as u64), i as u64)];
                v.extend_from_slice(part);
                file.extend(support::segment(&v));
            }
        }
        let mut trace = Trace::default();
        let t0 = Instant::now();
        trace.read_process("1-1-0.events".into(), Box::new(file));
        let t1 = Instant::now();
        struct Nothing;
        impl merge::Sink for Nothing { type Mark = (); fn step(&mut self, _: &merge::Step) {} fn depart(&mut self, _: u32) {} fn arrive(&mut self, _: u32, (): &()) {} }
        let first = merge::FirstPass::new(&trace.processes[0]);
        let t2 = Instant::now();
        let m = merge::run(&trace.processes[0], first, &mut Nothing);
        assert_eq!(m.n_gaps, 0);
        let t3 = Instant::now();
        let (model, _) = model::build(&trace);
        let t4 = Instant::now();
        let (f, p) = analysis::run(&model, analysis::Stopped::No);
        let t5 = Instant::now(); if let Ok(s) = std::fs::read_to_string("/proc/self/status") { println!("{}", s.lines().filter(|l| l.starts_with("VmHWM")).collect::<String>()); }
        println!("{label}: {} events; open {:?} first {:?} merge {:?} | build (first+merge+model) {:?} = {:.1} M/s | analyses {:?} ({} findings, {} nested, {:?})", model.n_events, t1-t0, t2-t1, t3-t2, t4-t3, model.n_events as f64 / (t4-t3).as_secs_f64() / 1e6, t5-t4, f.len(), model.nested.len(), p);
    }
}
