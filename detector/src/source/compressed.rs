//! Compressed files: gzip and zstd, known by how they begin.

use flate2::{bufread::MultiGzDecoder, write::GzEncoder};
use ruzstd::{
    decoding::{
        BlockDecodingStrategy, FrameDecoder,
        errors::{FrameDecoderError, ReadFrameHeaderError},
    },
    encoding,
};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::Path,
};

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// Frames of zstd that are to be skipped: the first byte's upper half, and the rest.
const ZSTD_SKIPPED: (u8, &[u8]) = (0x50, &[0x2a, 0x4d, 0x18]);

/// Bytes read at a time.
pub(super) const BLOCK: usize = 256 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all.
    None,
    /// As gzip does.
    Gzip,
    /// As zstd does.
    Zstd,
}

impl Compression {
    /// What the beginning of a file says.
    ///
    /// ```
    /// use detector::source::Compression;
    ///
    /// assert_eq!(Compression::of(&[0x1f, 0x8b, 8, 0]), Compression::Gzip);
    /// assert_eq!(Compression::of(b"T1|acq(L)|1"), Compression::None);
    /// ```
    pub fn of(head: &[u8]) -> Self {
        let (first, rest) = ZSTD_SKIPPED;
        let is_skipped = head.first().is_some_and(|byte| byte & 0xf0 == first) && head.get(1..4) == Some(rest);
        if head.starts_with(GZIP_MAGIC) {
            Self::Gzip
        } else if head.starts_with(ZSTD_MAGIC) || is_skipped {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// What a file with this name is to be: by `.gz` or `.zst`.
    pub fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("gz") => Self::Gzip,
            Some("zst") => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What is in a file that is compressed like this.
    pub(super) fn reader(self, file: Box<dyn BufRead>) -> Box<dyn BufRead> {
        match self {
            Self::None => file,
            Self::Gzip => Box::new(BufReader::with_capacity(BLOCK, MultiGzDecoder::new(file))),
            Self::Zstd => Box::new(BufReader::with_capacity(BLOCK, ZstdReader::new(file))),
        }
    }

    /// Copies all that `input` gives to `output`, compressed like this.
    ///
    /// # Errors
    ///
    /// If the output fails, or the input.
    pub fn write(self, mut input: impl Read, mut output: impl Write) -> io::Result<()> {
        match self {
            Self::None => {
                io::copy(&mut input, &mut output)?;
            }
            Self::Gzip => {
                let mut encoder = GzEncoder::new(&mut output, flate2::Compression::default());
                io::copy(&mut input, &mut encoder)?;
                encoder.finish()?;
            }
            Self::Zstd => {
                // The encoder takes for granted that neither fails.
                let (mut read, mut written) = (Ok(()), Ok(()));
                let source = Latch { inner: &mut input, failed: &mut read };
                let target = Latch { inner: &mut output, failed: &mut written };
                encoding::compress(source, target, encoding::CompressionLevel::Fastest);
                read.and(written)?;
            }
        }
        output.flush()
    }
}

/// Keeps a failure, and from then on reads nothing, or writes nowhere.
struct Latch<'a, T> {
    inner: &'a mut T,
    failed: &'a mut io::Result<()>,
}

impl<T: Read> Read for Latch<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    *self.failed = Err(error);
                    return Ok(0);
                }
            }
        }
    }
}

impl<T: Write> Write for Latch<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed.is_ok()
            && let Err(error) = self.inner.write_all(bytes)
        {
            *self.failed = Err(error);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads all frames of a zstd file, one after the other, and compares their checksums.
struct ZstdReader {
    source: Box<dyn BufRead>,
    decoder: FrameDecoder,
    is_within: bool,
}

impl ZstdReader {
    fn new(source: Box<dyn BufRead>) -> Self {
        Self { source, decoder: FrameDecoder::new(), is_within: false }
    }

    /// Goes to the next frame that holds something; whether there is one.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(_) => return Err(damaged()),
            }
        }
        Ok(false)
    }
}

impl Read for ZstdReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_within && !self.next_frame()? {
                return Ok(0);
            }
            self.is_within = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(|_| damaged())?;
            }
            let n = self.decoder.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            let expected = self.decoder.get_checksum_from_data();
            if expected.is_some() && expected != self.decoder.get_calculated_checksum() {
                return Err(io::Error::other("its checksum does not fit"));
            }
            self.is_within = false;
        }
    }
}

/// What the decoder says is for those who write decoders.
fn damaged() -> io::Error {
    io::Error::other("its zstd data is damaged, or cut")
}
