//! What the processes of a program share: its name, a region, and pipes by which they say when the other may go on.
//!
//! A pipe is nothing that the tool knows of: what it orders could happen the other way round for all that is recorded.

use instrumented_sync::process::{
    self,
    shared::{Mutex, Region},
    Child, Command, Stdio,
};
use std::{
    env,
    io::{self, Read, Write},
};

const REGION_BYTES: usize = 1 << 16;

/// A program, in one of its processes.
pub struct Stage {
    pub program: String,
    /// Which of its processes this is; the first one has no part.
    pub part: Option<String>,
    region_name: String,
    pub region: Region,
}

impl Stage {
    /// `PROGRAM` for the first process, `PROGRAM PART REGION` for what it starts.
    pub fn enter(arguments: &[String]) -> Self {
        let (program, part, region_name) = match arguments {
            [program] => (program, None, format!("processes-{}", process::id())),
            [program, part, region] => (program, Some(part.clone()), region.clone()),
            _ => panic!("one program by its name"),
        };
        process::set_role(part.as_deref().unwrap_or("first"));
        let region = Region::named(&region_name, REGION_BYTES).unwrap();
        Self { program: program.clone(), part, region_name, region }
    }

    /// Whether this is the process that plays `part`.
    pub fn is(&self, part: &str) -> bool {
        self.part.as_deref() == Some(part)
    }

    /// Whether the program is to hang, or only to show that it could.
    pub fn hangs(&self) -> bool {
        self.program.starts_with("hang-")
    }

    /// The region mapped once more, at another address.
    pub fn region_again(&self) -> Region {
        Region::named(&self.region_name, REGION_BYTES).unwrap()
    }

    #[track_caller]
    pub fn mutex(&self, name: &str) -> Mutex<u64> {
        Mutex::open(&self.region, name, 0).unwrap()
    }

    /// What starts a process of this program that plays `part`.
    pub fn command(&self, part: &str) -> Command {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([&self.program, part, &self.region_name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    #[track_caller]
    pub fn start(&self, part: &str) -> Peer {
        Peer(self.command(part).spawn().unwrap())
    }

    /// Takes the region's name away: whoever has it open keeps it.
    pub fn close(self) {
        if self.part.is_none() {
            Region::remove(&self.region_name).unwrap();
        }
    }
}

/// A process that this one started.
pub struct Peer(pub Child);

impl Peer {
    /// Waits until the process says that it is so far.
    pub fn hear(&mut self) {
        self.0.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }

    pub fn tell(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b".").unwrap();
    }

    #[track_caller]
    pub fn finish(mut self) {
        assert!(self.0.wait().unwrap().success());
    }
}

/// Says to the process that started this one that it is so far.
pub fn tell() {
    io::stdout().write_all(b".").unwrap();
    io::stdout().flush().unwrap();
}

/// Waits until the process that started this one says so.
pub fn hear() {
    io::stdin().read_exact(&mut [0]).unwrap();
}

/// In a program that hangs: goes on only when the parent holds its lock too.
pub fn meet_parent(stage: &Stage) {
    if stage.hangs() {
        tell();
        hear();
    }
}

/// In a program that does not hang: the parent may take its locks now.
pub fn is_through(stage: &Stage) {
    if !stage.hangs() {
        tell();
    }
}
