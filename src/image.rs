//! A picture that can be sent and saved: only the parts that draw it are kept.
//!
//! Cameras and programs write into a picture where and when it was taken, with which device, by
//! whom, and sometimes a smaller copy of what was cut away. So each format has a list of the parts
//! that are copied, and everything else is left out: also what follows the end of the picture,
//! where phones keep videos. The `img-parts` crate copies all that follows the first scan of a JPEG
//! unread, and does not know GIF.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::sync::Arc;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A picture without metadata.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    format: ImageFormat,
    bytes: Arc<[u8]>,
}

/// A format that models accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, as most cameras write it.
    Jpeg,
    /// WebP.
    WebP,
    /// Graphics Interchange Format.
    Gif,
}

/// Why a picture cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It ends too early, or is not what its beginning says.
    #[error("the picture is damaged or incomplete")]
    Damaged,
    /// Models do not accept the format.
    #[error("models do not accept {0} pictures")]
    Unsupported(&'static str),
}

impl ImageFormat {
    /// The format by the first bytes of a file; `None` if it is not a picture.
    fn detect(bytes: &[u8]) -> Option<Result<Self, ImageError>> {
        let has = |at: usize, text: &[u8]| bytes.get(at..at + text.len()) == Some(text);
        let other = |name| Some(Err(ImageError::Unsupported(name)));
        match bytes {
            _ if has(0, PNG_SIGNATURE) => Some(Ok(Self::Png)),
            _ if has(0, b"\xff\xd8\xff") => Some(Ok(Self::Jpeg)),
            _ if has(0, b"RIFF") && has(8, b"WEBP") => Some(Ok(Self::WebP)),
            _ if has(0, b"GIF87a") || has(0, b"GIF89a") => Some(Ok(Self::Gif)),
            _ if has(0, b"II*\0") || has(0, b"MM\0*") => other("TIFF"),
            _ if has(4, b"ftyphe") || has(4, b"ftypmif1") => other("HEIC"),
            _ if has(4, b"ftypavif") => other("AVIF"),
            _ if has(0, b"BM") && has(6, &[0; 4]) => other("BMP"),
            _ => None,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
        }
    }
}

impl Image {
    /// Whether the beginning of a file is that of a picture, in whatever format.
    #[must_use]
    pub fn is_picture(start: &[u8]) -> bool {
        ImageFormat::detect(start).is_some()
    }

    /// Reads a picture and leaves out its metadata; `None` if the bytes are not a picture.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Result<Self, ImageError>> {
        let format = match ImageFormat::detect(bytes)? {
            Ok(format) => format,
            Err(error) => return Some(Err(error)),
        };
        let kept = match format {
            ImageFormat::Png => copy_png(bytes),
            ImageFormat::Jpeg => copy_jpeg(bytes),
            ImageFormat::WebP => copy_webp(bytes),
            ImageFormat::Gif => copy_gif(bytes),
        };
        let image = kept.map(|bytes| Self {
            format,
            bytes: bytes.into(),
        });
        Some(image.ok_or(ImageError::Damaged))
    }

    /// The size in bytes.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// The picture as a `data:` URL.
    #[must_use]
    pub fn data_url(&self) -> String {
        let mut url = format!("data:{};base64,", self.format.media_type());
        STANDARD.encode_string(&self.bytes, &mut url);
        url
    }
}

/// The bytes are private, so they are not part of debug output.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({:?}, {} bytes)", self.format, self.bytes.len())
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.data_url())
    }
}

/// Reads saved pictures like any others: what a backup of someone else contains may not be what
/// this program wrote. What is not a picture is left out, so that the message stays readable.
pub(crate) fn read_saved<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Image>, D::Error> {
    let urls = Vec::<String>::deserialize(d)?;
    Ok(urls.iter().filter_map(|url| from_data_url(url)).collect())
}

fn from_data_url(url: &str) -> Option<Image> {
    let (_, data) = url.split_once(";base64,")?;
    Image::read(&STANDARD.decode(data).ok()?)?.ok()
}

/// Reads numbers and slices from the front of a file.
struct ByteReader<'a>(&'a [u8]);

impl<'a> ByteReader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }
}

/// The chunks with pixels, their palette and transparency, colour spaces without a profile, and
/// animation.
const PNG_CHUNKS: [&[u8; 4]; 11] = [
    b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"acTL", b"fcTL",
    b"fdAT",
];

fn copy_png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ByteReader(bytes.get(PNG_SIGNATURE.len()..)?);
    let mut kept = PNG_SIGNATURE.to_vec();
    loop {
        let length = reader.array()?;
        let kind = reader.array()?;
        let data = reader.take(usize::try_from(u32::from_be_bytes(length)).ok()?)?;
        let checksum = reader.array::<4>()?;
        if kept.len() == PNG_SIGNATURE.len() && kind != *b"IHDR" {
            return None;
        }
        if PNG_CHUNKS.contains(&&kind) {
            kept.extend_from_slice(&length);
            kept.extend_from_slice(&kind);
            kept.extend_from_slice(data);
            kept.extend_from_slice(&checksum);
        }
        if kind == *b"IEND" {
            return Some(kept);
        }
    }
}

mod jpeg_marker {
    pub(super) const START: u8 = 0xd8;
    pub(super) const END: u8 = 0xd9;
    pub(super) const SCAN: u8 = 0xda;
    pub(super) const JFIF: u8 = 0xe0;
    pub(super) const EXIF: u8 = 0xe1;
    pub(super) const ADOBE: u8 = 0xee;
}

/// A JFIF segment without a thumbnail.
const JFIF_SEGMENT: &[u8] = b"\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

fn copy_jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    use jpeg_marker as marker;
    let mut reader = ByteReader(bytes.get(2..)?);
    let mut kept = vec![0xff, marker::START];
    let mut has_scan = false;
    loop {
        if reader.byte()? != 0xff {
            return None;
        }
        let mut code = reader.byte()?;
        while code == 0xff {
            code = reader.byte()?;
        }
        match code {
            marker::END => {
                kept.extend_from_slice(&[0xff, code]);
                return has_scan.then_some(kept);
            }
            // Restart markers, and one without a meaning: they have no length.
            0xd0..=0xd7 | 0x01 => {
                kept.extend_from_slice(&[0xff, code]);
                continue;
            }
            _ => {}
        }
        let length = reader.array()?;
        let data = reader.take(usize::from(u16::from_be_bytes(length)).checked_sub(2)?)?;
        match code {
            // Frames, tables, restart intervals, line counts and scans.
            0xc0..=0xcf | 0xdb..=0xdf | marker::SCAN => {
                kept.extend_from_slice(&[0xff, code]);
                kept.extend_from_slice(&length);
                kept.extend_from_slice(data);
            }
            marker::JFIF if data.starts_with(b"JFIF\0") => kept.extend_from_slice(JFIF_SEGMENT),
            marker::EXIF if data.starts_with(b"Exif\0\0") => {
                let orientation = exif_orientation(data.get(6..)?);
                kept.extend(orientation.map(exif_segment).into_iter().flatten());
            }
            // How colours are stored.
            marker::ADOBE if data.starts_with(b"Adobe") => {
                kept.extend_from_slice(&[0xff, code, 0, 14]);
                kept.extend_from_slice(data.get(..12)?);
            }
            _ => {}
        }
        if code == marker::SCAN {
            has_scan = true;
            let scan = scan_length(reader.0)?;
            kept.extend_from_slice(reader.take(scan)?);
        }
    }
}

/// The length of the pixels of a scan: up to the next marker that is not a restart marker.
fn scan_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(0xff, bytes)
        .find(|at| !matches!(bytes.get(at + 1), Some(0 | 0xd0..=0xd7 | 0xff) | None))
}

/// How a picture is to be turned, by the first directory of its Exif data.
fn exif_orientation(tiff: &[u8]) -> Option<u8> {
    let is_little = tiff.starts_with(b"II");
    let short = |at: usize| {
        let bytes: [u8; 2] = tiff.get(at..at + 2)?.try_into().ok()?;
        Some(if is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    // The high half of the offset is zero in every file of a camera.
    let directory = usize::from(short(if is_little { 4 } else { 6 })?);
    let entries = usize::from(short(directory)?);
    let entry = (0..entries)
        .map(|n| directory + 2 + n * 12)
        .find(|at| short(*at) == Some(0x0112))?;
    u8::try_from(short(entry + 8)?)
        .ok()
        .filter(|turn| (2..=8).contains(turn))
}

/// An Exif segment that says only how the picture is to be turned.
fn exif_segment(orientation: u8) -> Vec<u8> {
    let mut segment =
        b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    segment.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    segment
}

fn copy_webp(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ByteReader(bytes.get(4..)?);
    let size = usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?;
    let chunks = reader.take(size)?.get(4..)?;
    let mut kept = b"RIFF\0\0\0\0WEBP".to_vec();
    copy_webp_chunks(chunks, false, &mut kept)?;
    let size = u32::try_from(kept.len() - 8).ok()?;
    kept.get_mut(4..8)?.copy_from_slice(&size.to_le_bytes());
    Some(kept)
}

/// The bits of the header for transparency and animation; the others announce metadata.
const WEBP_FLAGS: u8 = 0x12;

/// Copies the chunks that draw the picture. A frame of an animation consists of such chunks too,
/// but not of frames.
fn copy_webp_chunks(chunks: &[u8], is_frame: bool, kept: &mut Vec<u8>) -> Option<()> {
    let mut reader = ByteReader(chunks);
    while !reader.0.is_empty() {
        let kind: [u8; 4] = reader.array()?;
        let length = usize::try_from(u32::from_le_bytes(reader.array()?)).ok()?;
        let data = reader.take(length)?;
        reader.take((length % 2).min(reader.0.len()))?;
        let start = kept.len();
        match &kind {
            b"VP8 " | b"VP8L" | b"ALPH" | b"ANIM" => {
                kept.extend_from_slice(b"????\0\0\0\0");
                kept.extend_from_slice(data);
            }
            b"VP8X" => {
                kept.extend_from_slice(b"????\0\0\0\0");
                kept.push(data.first()? & WEBP_FLAGS);
                kept.extend_from_slice(data.get(1..)?);
            }
            b"ANMF" if !is_frame => {
                kept.extend_from_slice(b"????\0\0\0\0");
                kept.extend_from_slice(data.get(..16)?);
                copy_webp_chunks(data.get(16..)?, true, kept)?;
            }
            _ => continue,
        }
        let length = u32::try_from(kept.len() - start - 8).ok()?;
        kept.get_mut(start..start + 4)?.copy_from_slice(&kind);
        kept.get_mut(start + 4..start + 8)?
            .copy_from_slice(&length.to_le_bytes());
        if length % 2 == 1 {
            kept.push(0);
        }
    }
    Some(())
}

fn copy_gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut reader = ByteReader(bytes);
    let mut kept = reader.take(13)?.to_vec();
    kept.extend_from_slice(reader.take(color_table_length(*kept.get(10)?))?);
    loop {
        match reader.byte()? {
            0x3b => {
                kept.push(0x3b);
                return Some(kept);
            }
            0x2c => {
                let head = reader.take(9)?;
                kept.push(0x2c);
                kept.extend_from_slice(head);
                kept.extend_from_slice(reader.take(color_table_length(*head.last()?))?);
                kept.push(reader.byte()?);
                kept.extend(gif_blocks(&mut reader)?);
            }
            0x21 => {
                let label = reader.byte()?;
                let blocks = gif_blocks(&mut reader)?;
                // How long a frame is shown, and how often the animation repeats.
                if label == 0xf9 || label == 0xff && blocks.starts_with(b"\x0bNETSCAPE2.0") {
                    kept.extend_from_slice(&[0x21, label]);
                    kept.extend(blocks);
                }
            }
            _ => return None,
        }
    }
}

fn color_table_length(flags: u8) -> usize {
    if flags & 0x80 == 0 {
        return 0;
    }
    3 << ((flags & 7) + 1)
}

/// The blocks up to the one without a length, which is included.
fn gif_blocks(reader: &mut ByteReader<'_>) -> Option<Vec<u8>> {
    let mut blocks = Vec::new();
    loop {
        let length = reader.byte()?;
        blocks.push(length);
        if length == 0 {
            return Some(blocks);
        }
        blocks.extend_from_slice(reader.take(usize::from(length))?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
        chunk.extend_from_slice(kind);
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(b"SUM!");
        chunk
    }

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        let mut segment = vec![0xff, marker];
        segment.extend_from_slice(&u16::try_from(data.len() + 2).unwrap().to_be_bytes());
        segment.extend_from_slice(data);
        segment
    }

    fn riff(chunks: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut body = b"WEBP".to_vec();
        for (kind, data) in chunks {
            body.extend_from_slice(kind);
            body.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
            body.extend_from_slice(data);
            body.extend_from_slice(&vec![0; data.len() % 2]);
        }
        let mut file = b"RIFF".to_vec();
        file.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        file.extend(body);
        file
    }

    /// Pictures of each format, with metadata; and without, as they are sent.
    fn pictures() -> Vec<(Vec<u8>, Vec<u8>)> {
        let png = |extra: bool| {
            let mut png = PNG_SIGNATURE.to_vec();
            png.extend(chunk(b"IHDR", b"head"));
            if extra {
                png.extend(chunk(b"tEXt", b"Author\0SECRET"));
                png.extend(chunk(b"eXIf", b"SECRET"));
            }
            png.extend(chunk(b"IDAT", b"pixels"));
            png.extend(chunk(b"IEND", b""));
            if extra {
                png.extend_from_slice(b"SECRET trailer");
            }
            png
        };
        let jpeg = |extra: bool| {
            let mut jpeg = vec![0xff, 0xd8];
            if extra {
                jpeg.extend(segment(
                    0xe0,
                    b"JFIF\0\x01\x02\x01\0\x48\0\x48\x01\x01SECRET",
                ));
                let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0".to_vec();
                exif.extend_from_slice(b"\x0f\x01\x02\0\x06\0\0\0\x40\0\0\0");
                exif.extend_from_slice(b"\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0SECRET");
                jpeg.extend(segment(0xe1, &exif));
                jpeg.extend(segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0SECRET"));
                jpeg.extend(segment(0xfe, b"SECRET"));
            } else {
                jpeg.extend_from_slice(JFIF_SEGMENT);
                jpeg.extend(exif_segment(6));
            }
            jpeg.extend(segment(0xdb, b"table"));
            jpeg.extend(segment(0xda, b"scan"));
            jpeg.extend_from_slice(b"pixels\xff\x00more\xff\xd0pixels");
            jpeg.extend(segment(0xc4, b"table"));
            jpeg.extend(segment(0xda, b"scan"));
            jpeg.extend_from_slice(b"pixels\xff\xd9");
            if extra {
                jpeg.extend_from_slice(b"SECRET video");
            }
            jpeg
        };
        let webp = |extra: bool| {
            let size = b"\0\0\0\x09\0\0\x09\0\0".as_slice();
            let flags = |flags: u8| [&[flags], size].concat();
            if extra {
                let mut file = riff(&[
                    (b"VP8X", &flags(0x2c | 0x10)),
                    (b"ICCP", b"SECRET"),
                    (b"VP8 ", b"pixel"),
                    (b"EXIF", b"SECRET"),
                    (b"XMP ", b"SECRET!"),
                ]);
                file.extend_from_slice(b"SECRET");
                file
            } else {
                riff(&[(b"VP8X", &flags(0x10)), (b"VP8 ", b"pixel")])
            }
        };
        let gif = |extra: bool| {
            let mut gif = b"GIF89a\x01\0\x01\0\x80\0\0RGBRGB".to_vec();
            gif.extend_from_slice(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0");
            if extra {
                gif.extend_from_slice(b"\x21\xfe\x06SECRET\0");
                gif.extend_from_slice(b"\x21\xff\x0bXMP DataXMP\x06SECRET\0");
            }
            gif.extend_from_slice(
                b"\x21\xf9\x04\0\0\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02L\x01\0;",
            );
            if extra {
                gif.extend_from_slice(b"SECRET");
            }
            gif
        };
        let animation = |extra: bool| {
            let frame = |extra: bool| {
                let head = [0; 16].as_slice();
                // The pixels look like a chunk, and the frame has one that does not draw.
                let pixels = b"VP8L\x06\0\0\0ANMF\x01\0".as_slice();
                let hidden = b"XMP \x06\0\0\0SECRET".as_slice();
                [head, pixels, if extra { hidden } else { b"" }].concat()
            };
            riff(&[(b"ANIM", &[0; 6]), (b"ANMF", &frame(extra))])
        };
        vec![
            (animation(true), animation(false)),
            (png(true), png(false)),
            (jpeg(true), jpeg(false)),
            (webp(true), webp(false)),
            (gif(true), gif(false)),
        ]
    }

    #[test]
    fn image_keeps_only_what_draws_it() {
        for (original, sent) in pictures() {
            let image = Image::read(&original).unwrap().unwrap();
            assert_eq!(
                image.bytes.escape_ascii().to_string(),
                sent.escape_ascii().to_string()
            );
            // What was sent is read as the same picture.
            assert_eq!(Image::read(&sent).unwrap().unwrap(), image);
            // A saved message keeps its pictures, and leaves out what is none.
            let saved = serde_json::json!([&image, "data:image/png;base64,AAAA", "x"]).to_string();
            let mut json = serde_json::Deserializer::from_str(&saved);
            assert_eq!(read_saved(&mut json).unwrap(), [image]);
        }
    }

    #[test]
    fn image_that_is_cut_anywhere_is_refused() {
        for (_, sent) in pictures() {
            for length in 12..sent.len() {
                let cut = Image::read(sent.get(..length).unwrap());
                assert_eq!(cut, Some(Err(ImageError::Damaged)), "{length}");
            }
        }
    }

    #[test]
    fn image_formats_are_told_apart() {
        for (start, expected) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0"[..], Some("HEIC")),
            (b"\0\0\0\x18ftypavif\0\0\0\0", Some("AVIF")),
            (b"II*\0\x08\0\0\0", Some("TIFF")),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0", Some("BMP")),
            (b"BMW drivers", None),
            (b"plain text", None),
            (b"", None),
        ] {
            let found = Image::read(start);
            let expected = expected.map(|name| Err(ImageError::Unsupported(name)));
            assert_eq!(found, expected, "{}", start.escape_ascii());
        }
    }
}
