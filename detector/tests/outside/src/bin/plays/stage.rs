//! What the roles of a play have in common.

use instrumented_sync::process::{
    shared::{Mutex, Region},
    Child, Command,
};
use std::{fs, path::PathBuf, thread::sleep, time::Duration};

/// Where a play happens, as one of its roles sees it.
#[derive(Clone)]
pub struct Stage {
    play: String,
    ending: String,
    folder: PathBuf,
    role: String,
}

impl Stage {
    pub fn new(play: &str, ending: &str, folder: &str, role: &str) -> Self {
        Self { play: play.to_owned(), ending: ending.to_owned(), folder: folder.into(), role: role.to_owned() }
    }

    /// The region that all roles share, mapped anew.
    pub fn region(&self) -> Region {
        Region::at(self.folder.join("region"), 1 << 16).unwrap()
    }

    #[track_caller]
    pub fn mutex(&self, name: &str) -> Mutex<u64> {
        Mutex::open(&self.region(), name, 0).unwrap()
    }

    /// This program in another role.
    pub fn command(&self, role: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([&self.play, &self.ending]).arg(&self.folder).arg(role);
        command
    }

    /// The same, started by a shell, of which nothing is recorded.
    pub fn command_of_a_shell(&self, role: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "\"$0\" \"$@\"; exit $?"]).arg(std::env::current_exe().unwrap());
        command.args([&self.play, &self.ending]).arg(&self.folder).arg(role);
        command
    }

    /// Starts the roles, and waits for all of them; those that were started last may have ended first.
    pub fn cast(&self, roles: &[&str]) {
        let children: Vec<Child> = roles.iter().map(|role| self.command(role).spawn().unwrap()).collect();
        self.wait_for(children);
    }

    pub fn wait_for(&self, children: Vec<Child>) {
        for mut child in children {
            let status = child.wait().unwrap();
            // Who was in a hang is ended.
            assert!(status.success() || self.hangs(), "{}: {status}", self.role);
        }
    }

    pub fn hangs(&self) -> bool {
        self.ending == "hangs"
    }

    /// All who have to hold something before the circle can close: nobody goes on before the others are here.
    pub fn meet(&self, all: &[&str]) {
        self.meet_as(&self.role, all);
    }

    /// The same for one of several threads of a role.
    pub fn meet_as(&self, name: &str, all: &[&str]) {
        if self.hangs() {
            self.say(&format!("holds-{name}"));
            all.iter().for_each(|other| self.hear(&format!("holds-{other}")));
            // From here on it stands still.
            println!("hangs");
        }
    }

    /// In a play that completes one comes after the other, for reasons that nobody records.
    pub fn comes_after(&self, other: &str) {
        if !self.hangs() {
            self.hear(&format!("done-{other}"));
        }
    }

    pub fn is_done(&self, name: &str) {
        self.say(&format!("done-{name}"));
    }

    pub fn say(&self, word: &str) {
        fs::write(self.folder.join(word), "").unwrap();
    }

    pub fn hear(&self, word: &str) {
        while !self.folder.join(word).exists() {
            sleep(Duration::from_millis(1));
        }
    }

    /// Returns when the first thread of a process has been seen asleep again and again: it waits.
    pub fn wait_until_asleep(&self, pid: u32) {
        let is_asleep = || {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            status.lines().any(|line| line.starts_with("State:\tS"))
        };
        let mut n_times = 0;
        while n_times < 20 {
            n_times = if is_asleep() { n_times + 1 } else { 0 };
            sleep(Duration::from_millis(5));
        }
    }
}
