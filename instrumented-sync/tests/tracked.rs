//! `tracked::Arc` does what std's does, recorded or not.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use instrumented_sync::{
    thread,
    trace::{acquired, released},
    tracked::{Arc, Weak},
};
use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts its drops.
#[derive(Clone)]
struct Counted<'a>(&'a AtomicUsize, usize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_value_is_dropped_with_its_last_handle() {
    let n_drops = AtomicUsize::new(0);
    let first = Arc::new(Counted(&n_drops, 5));
    let others: Vec<_> = (0..4).map(|_| Arc::clone(&first)).collect();
    assert_eq!((Arc::strong_count(&first), Arc::weak_count(&first)), (5, 0));
    thread::scope(|scope| {
        for other in others {
            scope.spawn(move || assert_eq!(other.1, 5));
        }
    });
    assert_eq!((Arc::strong_count(&first), n_drops.load(Relaxed)), (1, 0));
    drop(first);
    assert_eq!(n_drops.into_inner(), 1);
}

#[test]
fn of_threads_that_want_the_value_one_gets_it() {
    for _ in 0..100 {
        let n_drops = AtomicUsize::new(0);
        let first = Arc::new(Counted(&n_drops, 1));
        let second = Arc::clone(&first);
        let n_got = AtomicUsize::new(0);
        let take = |handle: Arc<Counted<'_>>| {
            if let Some(value) = Arc::into_inner(handle) {
                assert_eq!(value.1, 1);
                n_got.fetch_add(1, Relaxed);
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| take(first));
            scope.spawn(|| take(second));
        });
        assert_eq!((n_got.into_inner(), n_drops.into_inner()), (1, 1));
    }
}

#[test]
fn exclusive_access_needs_the_only_handle() {
    let mut one = Arc::new(1);
    *Arc::get_mut(&mut one).unwrap() += 1;
    let other = Arc::clone(&one);
    assert_eq!(Arc::get_mut(&mut one), None);
    let one = Arc::try_unwrap(one).unwrap_err();
    assert!(Arc::ptr_eq(&one, &other) && Arc::as_ptr(&one) == Arc::as_ptr(&other));
    drop(other);
    let weak = Arc::downgrade(&one);
    let mut one = one;
    assert_eq!(Arc::get_mut(&mut one), None, "a weak handle could be upgraded");
    drop(weak);
    assert_eq!((Arc::get_mut(&mut one).copied(), Arc::try_unwrap(one)), (Some(2), Ok(2)));
}

#[test]
fn a_shared_value_is_cloned_to_be_changed() {
    let n_drops = AtomicUsize::new(0);
    let mut one = Arc::new(Counted(&n_drops, 1));
    Arc::make_mut(&mut one).1 += 1;
    let mut other = Arc::clone(&one);
    Arc::make_mut(&mut other).1 += 1;
    assert_eq!((one.1, other.1, n_drops.load(Relaxed)), (2, 3, 0));
    let weak = Arc::downgrade(&other);
    Arc::make_mut(&mut other).1 += 1;
    assert!(weak.upgrade().is_none(), "the weak handle was to what is no more");
    assert_eq!((other.1, n_drops.load(Relaxed)), (4, 1));
    assert_eq!(Arc::unwrap_or_clone(Arc::clone(&one)).1, 2);
    assert_eq!(Arc::unwrap_or_clone(one).1, 2);
    drop(other);
    assert_eq!(n_drops.load(Relaxed), 4);
}

#[test]
fn weak_handles_do_not_keep_the_value() {
    struct Node {
        own: Weak<Node>,
        number: i32,
    }
    let node = Arc::new_cyclic(|own| {
        assert!(own.upgrade().is_none());
        Node { own: own.clone(), number: 3 }
    });
    assert_eq!(node.own.upgrade().unwrap().number, 3);
    let weak = Arc::downgrade(&node);
    assert!(weak.ptr_eq(&node.own) && !weak.ptr_eq(&Weak::new()));
    assert_eq!((weak.strong_count(), weak.weak_count(), Arc::weak_count(&node)), (1, 2, 2));
    drop(node);
    assert!(weak.upgrade().is_none() && Weak::<i32>::default().upgrade().is_none());
    assert_eq!((weak.strong_count(), format!("{weak:?}")), (0, "(Weak)".to_owned()));
}

fn is_shared<T: Send + Sync + Unpin>(_: &T) {}

#[test]
fn a_handle_is_used_as_the_value_is() {
    let text: Arc<String> = Arc::from("text".to_owned());
    assert_eq!((format!("{text} {text:?}"), text.len()), ("text \"text\"".to_owned(), 4));
    assert_eq!(text, Arc::new("text".to_owned()));
    assert!(text > Arc::default() && text.cmp(&Arc::default()).is_gt());
    assert!(format!("{text:p}").starts_with("0x"));
    let texts = HashSet::from([text]);
    let borrowed = String::from("text");
    assert!(texts.contains(&borrowed), "found by what is borrowed");
    let text: &String = texts.iter().next().unwrap().as_ref();
    assert_eq!(text, "text");
    is_shared(&texts);
}

#[test]
fn any_place_can_be_released_and_acquired() {
    released("of no known size");
    acquired("of no known size");
    released(&());
    acquired(&[1, 2][..]);
}
