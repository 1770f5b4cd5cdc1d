//! Bytes at offsets: a file, or memory in tests and for sources that are not files.

use std::{fmt, fs::File, io, os::unix::fs::FileExt};

/// Something that can be read at any offset.
pub trait Bytes: fmt::Debug + Send {
    /// Length in bytes at this moment.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether there are none.
    ///
    /// # Errors
    ///
    /// As [`Bytes::len`].
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Reads into `buffer` what lies at `offset`; returns how much, which is less than asked for at the end.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Bytes for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut n_read = 0;
        while let Some(rest) = buffer.get_mut(n_read..)
            && !rest.is_empty()
        {
            match FileExt::read_at(self, rest, offset + n_read as u64) {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }
}

impl Bytes for Vec<u8> {
    fn len(&self) -> io::Result<u64> {
        Ok(self.as_slice().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let n_read = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..n_read), rest.get(..n_read)) {
            to.copy_from_slice(from);
        }
        Ok(n_read)
    }
}

/// Reads up to `len` bytes at `offset` into a buffer of its own, which is as long as what was there.
///
/// `len` must have been checked against the file's length: it sizes the buffer.
pub(super) fn copy(bytes: &dyn Bytes, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; len];
    let n_read = bytes.read_at(&mut buffer, offset)?;
    buffer.truncate(n_read);
    Ok(buffer)
}
