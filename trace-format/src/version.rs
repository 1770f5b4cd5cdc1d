//! Versions of the format and who can read what.

use core::fmt;

/// Version of a process file.
///
/// The major number changes with the layout; a reader reads its own major only. The minor number changes when
/// kinds, flags or fields in reserved space are added; a reader reads every minor of its major, skips what it
/// does not know, and counts it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// Layout.
    pub major: u16,
    /// Additions.
    pub minor: u16,
}

/// The version that this crate writes.
///
/// # Changelog
///
/// * 1.0: first version.
pub const CURRENT: Version = Version { major: 1, minor: 0 };

impl Version {
    /// Packs the version into 32 bits, major number on top.
    pub const fn pack(self) -> u32 {
        (self.major as u32) << 16 | self.minor as u32
    }

    /// Unpacks what [`Version::pack`] packed.
    pub const fn unpack(packed: u32) -> Self {
        Self { major: (packed >> 16) as u16, minor: packed as u16 }
    }

    /// Whether a reader of version `reader` can read a file of this version.
    ///
    /// # Errors
    ///
    /// Says in which direction the major versions differ.
    ///
    /// ```
    /// use trace_format::version::{CURRENT, Incompatible, Version};
    ///
    /// assert_eq!(CURRENT.check_readable_by(CURRENT), Ok(()));
    /// let newer = Version { major: CURRENT.major + 1, minor: 0 };
    /// assert_eq!(newer.check_readable_by(CURRENT), Err(Incompatible::TooNew { file: newer, reader: CURRENT }));
    /// ```
    pub const fn check_readable_by(self, reader: Self) -> Result<(), Incompatible> {
        if self.major > reader.major {
            Err(Incompatible::TooNew { file: self, reader })
        } else if self.major < reader.major {
            Err(Incompatible::TooOld { file: self, reader })
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a file cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incompatible {
    /// The file was written by a newer recorder.
    TooNew {
        /// Version of the file.
        file: Version,
        /// Version of the reader.
        reader: Version,
    },
    /// The file was written by an older recorder.
    TooOld {
        /// Version of the file.
        file: Version,
        /// Version of the reader.
        reader: Version,
    },
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooNew { file, reader } => {
                write!(f, "it has format version {file}, this tool reads {}.x: update deadlock-check", reader.major)
            }
            Self::TooOld { file, reader } => write!(
                f,
                "it has format version {file}, this tool reads {}.x: record it again, or use an older deadlock-check",
                reader.major
            ),
        }
    }
}

impl core::error::Error for Incompatible {}
