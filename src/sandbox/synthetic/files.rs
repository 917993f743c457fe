//! Bytes of synthetic assets: a valid start of the format, then noise, made when read.
//!
//! Any range can be made alone, so an asset of any size needs one chunk of memory, and 2,000
//! assets need none. The noise does not compress, like photographs.

use std::ops::Range;

use bytes::Bytes;

use super::random::Random;

/// Noise is made in blocks of this size, each from its own seed.
const BLOCK: u64 = 4096;

/// A format that the sandbox can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// PNG: signature and header.
    Png,
    /// JPEG: JFIF and frame header.
    Jpeg,
    /// SVG: an empty drawing with a comment.
    Svg,
    /// PDF: header.
    Pdf,
}

impl FileFormat {
    /// Returns the extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }
}

/// A file that is made from a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Decides the noise.
    pub seed: u64,
    /// Decides beginning and end.
    pub format: FileFormat,
    /// Pixels, for pictures.
    pub width: u32,
    /// Pixels, for pictures.
    pub height: u32,
    /// Bytes in all.
    pub len: u64,
}

impl GeneratedFile {
    /// Makes the bytes of a range, which is cut at the end of the file.
    pub fn read(&self, range: Range<u64>) -> Bytes {
        let range = range.start..range.end.min(self.len);
        let (head, tail) = (self.head(), self.tail());
        let noise_end = self.len.saturating_sub(tail.len() as u64);
        let mut bytes =
            Vec::with_capacity(usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0));
        let mut block = [0; BLOCK as usize];
        let mut loaded = None;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let mut at = range.start;
        while at < range.end {
            if let Some(byte) = head.get(index(at)) {
                bytes.push(*byte);
                at += 1;
            } else if at >= noise_end {
                bytes.push(tail.get(index(at - noise_end)).copied().unwrap_or(b' '));
                at += 1;
            } else {
                let number = at / BLOCK;
                if loaded != Some(number) {
                    self.fill(number, &mut block);
                    loaded = Some(number);
                }
                let end = ((number + 1) * BLOCK).min(noise_end).min(range.end);
                bytes.extend_from_slice(&block[index(at % BLOCK)..=index((end - 1) % BLOCK)]);
                at = end;
            }
        }
        bytes.into()
    }

    fn fill(&self, number: u64, block: &mut [u8]) {
        Random::new(&[self.seed, number]).fill(block);
        if self.format == FileFormat::Svg {
            // Letters only, so that the comment stays text.
            for byte in block {
                *byte = b'a' + *byte % 26;
            }
        }
    }

    fn head(&self) -> Vec<u8> {
        match self.format {
            FileFormat::Png => {
                let mut header = b"IHDR".to_vec();
                header.extend_from_slice(&self.width.to_be_bytes());
                header.extend_from_slice(&self.height.to_be_bytes());
                header.extend_from_slice(&[8, 2, 0, 0, 0]);
                let mut head = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
                head.extend_from_slice(&header);
                head.extend_from_slice(&crc32(&header).to_be_bytes());
                head
            }
            FileFormat::Jpeg => {
                let mut head = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x48\0\x48\0\0".to_vec();
                // The frame that says how large it is: one component.
                head.extend_from_slice(b"\xff\xc0\0\x0b\x08");
                for side in [self.height, self.width] {
                    head.extend_from_slice(&u16::try_from(side).unwrap_or(u16::MAX).to_be_bytes());
                }
                head.extend_from_slice(b"\x01\x01\x11\0");
                head
            }
            FileFormat::Svg => format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\"><!--",
                self.width, self.height
            )
            .into_bytes(),
            FileFormat::Pdf => b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec(),
        }
    }

    fn tail(&self) -> &'static [u8] {
        match self.format {
            FileFormat::Png => b"\0\0\0\0IEND\xae\x42\x60\x82",
            FileFormat::Jpeg => b"\xff\xd9",
            FileFormat::Svg => b"--></svg>",
            FileFormat::Pdf => b"\n%%EOF\n",
        }
    }
}

/// CRC-32 as PNG wants it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_is_the_same_as_that_part_of_the_whole() {
        for format in [FileFormat::Png, FileFormat::Jpeg, FileFormat::Svg, FileFormat::Pdf] {
            let file = GeneratedFile { seed: 5, format, width: 4, height: 3, len: 10_000 };
            let whole = file.read(0..10_000);
            assert_eq!(whole.len(), 10_000);
            for range in [0..1, 3..200, 4095..4097, 4096..8192, 9_990..10_000, 0..10_000] {
                let index = |n: u64| usize::try_from(n).expect("small");
                assert_eq!(
                    file.read(range.clone()),
                    whole[index(range.start)..index(range.end)],
                    "{range:?}"
                );
            }
            assert_eq!(file.read(9_999..20_000).len(), 1);
        }
    }

    #[test]
    fn a_png_has_a_valid_header_and_an_svg_is_text() {
        assert_eq!(crc32(b"IEND"), 0xae42_6082);
        let file = GeneratedFile { seed: 5, format: FileFormat::Svg, width: 4, height: 3, len: 300 };
        let text = String::from_utf8(file.read(0..300).to_vec()).expect("text");
        assert!(text.starts_with("<svg") && text.ends_with("--></svg>"));
    }
}
