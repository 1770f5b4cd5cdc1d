//! Regions: made, joined, refused, and whatever is in them.

use crate::{FIRST_OBJECT, Named, file_of, read_word, write_word};
use instrumented_sync::process::shared::{Mutex, Region, RwLock, TryLockError};
use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{FileExt, PermissionsExt},
    path::Path,
    time::Duration,
};

/// Bytes of an entry, and where the first is.
const ENTRY: u64 = 128;
const FIRST_ENTRY: u64 = 64;

#[test]
fn what_one_makes_the_others_find() {
    let name = Named::new();
    let (region, again) = (name.open(), name.open());
    let one = Mutex::open(&region, "one", 1_u32).unwrap();
    let other = Mutex::open(&again, "one", 2_u32).unwrap();
    let second = Mutex::open(&again, "two", 2_u32).unwrap();
    assert_eq!(*other.lock().unwrap(), 1);
    let guard = one.lock().unwrap();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    assert_eq!(*second.lock().unwrap(), 2);
    drop(guard);
    *other.lock().unwrap() = 3;
    assert_eq!(*one.lock().unwrap(), 3);
    let mode = fs::metadata(Path::new("/dev/shm").join(&name.0)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_lock_is_not_opened_as_what_it_is_not() {
    let region = Region::anonymous(4096).unwrap();
    let _lock = Mutex::open(&region, "lock", 0_u64).unwrap();
    let errors = [
        RwLock::open(&region, "lock", 0_u64).unwrap_err(),
        // As many bytes in all, and as many of another alignment.
        Mutex::open(&region, "lock", 0_u8).unwrap_err(),
        Mutex::open(&region, "lock", [0_u8; 8]).unwrap_err(),
        Mutex::open(&region, "", 0_u8).unwrap_err(),
        Mutex::open(&region, &"x".repeat(89), 0_u8).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let longest = "x".repeat(88);
    *Mutex::open(&region, &longest, 0_u8).unwrap().lock().unwrap() = 7;
    assert_eq!(*Mutex::open(&region, &longest, 0_u8).unwrap().lock().unwrap(), 7);
}

#[test]
fn a_region_that_is_full_says_so() {
    let region = Region::anonymous(4096).unwrap();
    let error = Mutex::open(&region, "large", [0_u8; 8192]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert!(error.to_string().contains("make a larger one"), "{error}");
    let region = Region::anonymous(1 << 16).unwrap();
    for n in 0..128 {
        Mutex::open(&region, &format!("{n}"), n).unwrap();
    }
    let error = Mutex::open(&region, "one more", 0).unwrap_err();
    assert!(error.to_string().contains("128 objects"), "{error}");
    assert_eq!(*Mutex::open(&region, "127", 0).unwrap().lock().unwrap(), 127);
}

#[test]
fn what_is_no_region_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let refused = |why: &str| {
        let before = fs::read(&path).unwrap();
        let error = Region::at(&path, 4096).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()) && text.contains(why), "{text}");
        assert_eq!(fs::read(&path).unwrap(), before);
    };
    fs::write(&path, "a letter").unwrap();
    refused("no region");
    // Its first word is zero.
    fs::write(&path, [vec![0; 100], vec![1; 100_000]].concat()).unwrap();
    refused("no region");
    fs::remove_file(&path).unwrap();
    let region = Region::at(&path, 4096).unwrap();
    let error = Region::at(&path, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("ask for fewer"), "{error}");
    // Another version; another PID namespace; cut.
    write_word(&region, 8, 99);
    refused("version 99");
    write_word(&region, 8, 1);
    let numbers = read_word(&region, 32);
    write_word(&region, 32, numbers + 1);
    refused("namespace");
    write_word(&region, 32, numbers);
    drop(Region::at(&path, 4096).unwrap());
    file_of(&region).set_len(region.n_bytes() as u64 - 4096).unwrap();
    refused("was cut");
    let error = Region::at(dir.path(), 4096).unwrap_err();
    assert!(error.to_string().contains("check that"), "{error}");
    assert!(Region::from_fd(fs::File::open("/dev/null").unwrap()).is_err());
    for name in ["", "a/b", ".", "..", "a\0b"] {
        assert_eq!(Region::named(name, 4096).unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert!(Region::anonymous(usize::MAX).is_err());
    assert_eq!(Region::remove("there-is-no-such-region").unwrap_err().kind(), ErrorKind::NotFound);
}

/// Whoever was to make something and was killed leaves zeros in the header, or bytes where the next object will lie.
#[test]
fn what_a_killed_maker_left_is_as_if_it_were_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, vec![0; 1 << 16]).unwrap();
    let region = Region::at(&path, 4096).unwrap();
    file_of(&region).write_all_at(&[0xff; 1000], FIRST_OBJECT).unwrap();
    let mutex = Mutex::open(&region, "lock", 1_u32).unwrap();
    assert_eq!(*mutex.try_lock().unwrap(), 1);
    assert!(!mutex.is_poisoned());
}

#[test]
fn an_anonymous_region_is_handed_on_and_cannot_be_cut() {
    let region = Region::anonymous(4096).unwrap();
    let mutex = Mutex::open(&region, "lock", 1_u32).unwrap();
    for len in [0, 1 << 30] {
        assert_eq!(file_of(&region).set_len(len).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
    let again = Region::from_fd(file_of(&region)).unwrap();
    assert_eq!(*Mutex::open(&again, "lock", 2_u32).unwrap().lock().unwrap(), 1);
    drop((region, again));
    assert_eq!(*mutex.lock().unwrap(), 1);
}

fn random(state: &mut u64) -> u64 {
    // Xorshift (Marsaglia 2003).
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Indices, offsets and lengths that another process made up are refused, or harmless.
#[test]
fn no_word_of_the_directory_is_trusted() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let corners = [0, 1, 63, 64, FIRST_OBJECT, 1 << 16, u64::MAX, u64::MAX - 63, i64::MAX as u64];
    let mut n_refused = 0;
    for round in 0..600 {
        let region = Region::anonymous(4096).unwrap();
        let mutex = Mutex::open(&region, "lock", 1_u32).unwrap();
        for _ in 0..=round % 3 {
            let value = match random(&mut state) % 3 {
                0 => random(&mut state),
                n => corners[(random(&mut state) % 9) as usize].wrapping_add(n - 1),
            };
            // Any word of the header, the first entry and the one behind it.
            let word = random(&mut state) % ((FIRST_ENTRY + 2 * ENTRY) / 8);
            write_word(&region, word * 8, value);
        }
        let opened = [Mutex::open(&region, "lock", 2_u32), Mutex::open(&region, "other", 3_u32)];
        n_refused += opened.iter().filter(|opened| opened.is_err()).count();
        for mutex in opened.iter().flatten().chain([&mutex]) {
            match mutex.try_lock() {
                Ok(mut guard) => *guard += 1,
                Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() += 1,
                Err(TryLockError::WouldBlock) => {}
            }
        }
        n_refused += usize::from(Region::from_fd(file_of(&region)).is_err());
    }
    assert!((100..1500).contains(&n_refused), "{n_refused}");
}

/// Whatever a lock's own memory says, it is free, held or poisoned, and what is told of owners is bounded text.
#[test]
fn no_word_of_a_lock_is_trusted() {
    let mut state = 0x2545_f491_4f6c_dd1d;
    let mut n_poisoned = 0;
    for _ in 0..100 {
        let region = Region::anonymous(8192).unwrap();
        let (mutex, lock) =
            (Mutex::open(&region, "mutex", 1_u32).unwrap(), RwLock::open(&region, "lock", 1_u32).unwrap());
        let junk: Vec<u8> = (0..200).flat_map(|_| random(&mut state).to_le_bytes()).collect();
        file_of(&region).write_all_at(&junk, FIRST_OBJECT).unwrap();
        let short = Duration::from_millis(30);
        let errors = [
            mutex.lock_timeout(short).err().map(|error| error.to_string()),
            lock.read_timeout(short).err().map(|error| error.to_string()),
            lock.write_timeout(short).err().map(|error| error.to_string()),
        ];
        for text in errors.into_iter().flatten() {
            assert!(text.len() < 300 && !text.contains(char::is_control), "{text:?}");
            n_poisoned += usize::from(text.contains("while it held"));
        }
    }
    assert!(n_poisoned > 100, "{n_poisoned}");
}
