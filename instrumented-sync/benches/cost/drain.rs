//! A live reader in its smallest form: it marks full segments as drained.

use std::{
    fs::{File, OpenOptions, read_dir},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use trace_format::{
    chunk::{self, ChunkKind, State},
    process,
    words::Copied,
};

/// Drains the one process file that appears in `dir`, until the process ends.
pub(crate) fn start(dir: &Path) {
    let dir = dir.to_owned();
    thread::spawn(move || {
        let file = loop {
            if let Some(file) =
                process_file(&dir).and_then(|path| OpenOptions::new().read(true).write(true).open(path).ok())
            {
                break file;
            }
            thread::sleep(Duration::from_millis(1));
        };
        let (mut end, mut segments) = (process::HEADER_BYTES as u64, Vec::new());
        loop {
            // A thread fills 1 MiB in about a millisecond, and sixteen full segments may wait.
            thread::sleep(Duration::from_micros(500));
            while let Some(header) = chunk_header(&file, end) {
                if header.kind == ChunkKind::EVENTS {
                    segments.push(end);
                }
                end += header.bytes as u64;
            }
            for offset in &segments {
                if chunk_header(&file, *offset).is_some_and(|header| header.state == State::FULL) {
                    let state = offset + 8 * chunk::word::STATE as u64;
                    // A failure shows as a trace that grows, and in the figures.
                    let _written = file.write_all_at(&State::DRAINED.0.to_le_bytes(), state);
                }
            }
        }
    });
}

/// The header of a process file.
pub(crate) fn header(path: &Path) -> io::Result<Option<process::Header>> {
    let mut bytes = vec![0; process::HEADER_BYTES];
    File::open(path)?.read_exact_at(&mut bytes, 0)?;
    Ok(process::Header::read(&Copied(&bytes)))
}

fn process_file(dir: &Path) -> Option<PathBuf> {
    let mut paths = read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|suffix| suffix == "events"))
}

fn chunk_header(file: &File, offset: u64) -> Option<chunk::Header> {
    let mut bytes = [0; chunk::HEADER_BYTES];
    file.read_exact_at(&mut bytes, offset).ok()?;
    chunk::Header::read(&Copied(&bytes))
}
