//! Images as sites ask for them: the parameters of imgix that sites really use, over originals.
//!
//! `rect` cuts out of the original, `w`, `h`, `dpr` and `fit` size what is left, `q` and `fm` say how
//! it is written, `auto=format` takes another format where that comes out smaller and the browser
//! takes it (<https://docs.imgix.com/apis/rendering>, fact sheet 3.5). Anything else is ignored, as a
//! picture without a filter is better than none.
//!
//! **Bounds.** A picture of more pixels than [`PIXELS_MAX`], or that takes more memory than
//! [`MEMORY_MAX`] to read, is not touched: who asked gets the original. Results are at most
//! [`SIDE_MAX`] wide and high.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, GenericImageView as _, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use url::form_urlencoded;

/// Pixels of an original that is read: more than cameras make.
const PIXELS_MAX: u64 = 64_000_000;
/// Memory that reading an original may take.
const MEMORY_MAX: u64 = 256 << 20;
/// Longest side of a result, as imgix has it.
const SIDE_MAX: u32 = 8_192;
/// Quality of JPEG where nothing is said, as imgix has it.
const QUALITY: u8 = 75;

/// How a picture is brought to a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Fit {
    /// Within the size, whole.
    #[default]
    Clip,
    /// As `Clip`, and never larger than it is.
    Max,
    /// Fills the size; what stands over is cut off evenly.
    Crop,
    /// As `Crop`, and never larger than it is.
    Min,
    /// Exactly the size, distorted where it must be.
    Scale,
}

/// What is asked of a picture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Transform {
    /// Left, top, width and height, in pixels of the original.
    rect: Option<[u32; 4]>,
    width: Option<u32>,
    height: Option<u32>,
    fit: Fit,
    quality: Option<u8>,
    format: Option<&'static str>,
    is_format_free: bool,
}

impl Transform {
    /// Reads the query of an address; `None` when it asks for nothing that is known here. `accept` is
    /// what the browser takes.
    pub(super) fn parse(query: &str, accept: &str) -> Option<Self> {
        let mut transform = Self::default();
        let mut density = 1.0_f64;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "rect" => transform.rect = rect(&value),
                // By their long names in what the official client makes for `srcset`.
                "w" | "width" => transform.width = side(&value),
                "h" | "height" => transform.height = side(&value),
                "dpr" => density = value.parse().ok().filter(|dpr| (0.1..=8.0).contains(dpr)).unwrap_or(1.0),
                "q" => transform.quality = value.parse::<u8>().ok().map(|quality| quality.clamp(1, 100)),
                "fit" => {
                    transform.fit = match &*value {
                        "max" => Fit::Max,
                        "crop" | "facearea" | "clamp" => Fit::Crop,
                        "min" => Fit::Min,
                        "scale" => Fit::Scale,
                        _ => Fit::Clip,
                    };
                }
                "fm" => {
                    transform.format = match &*value {
                        "jpg" | "jpeg" | "pjpg" => Some("jpeg"),
                        "png" | "png8" | "png32" => Some("png"),
                        "webp" => Some("webp"),
                        _ => None,
                    };
                }
                "auto" => {
                    transform.is_format_free =
                        value.split(',').any(|auto| auto.trim() == "format") && accept.contains("image/webp");
                }
                _ => {}
            }
        }
        let scaled = |side: u32| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most eight times the longest side, and positive"
            )]
            let scaled = (f64::from(side) * density).round() as u32;
            scaled.clamp(1, SIDE_MAX)
        };
        transform.width = transform.width.map(scaled);
        transform.height = transform.height.map(scaled);
        (transform != Self::default()).then_some(transform)
    }

    /// Carries it out; `None` when the original is no picture that can be read within the bounds, or
    /// nothing better than it would come out. Work for a processor.
    pub(super) fn apply(&self, original: &[u8]) -> Option<(Vec<u8>, &'static str)> {
        let reader = ImageReader::new(Cursor::new(original)).with_guessed_format().ok()?;
        let source = reader
            .format()
            .filter(|format| matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP))?;
        let mut decoder = reader.into_decoder().ok()?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > PIXELS_MAX {
            return None;
        }
        let mut limits = Limits::default();
        limits.max_alloc = Some(MEMORY_MAX);
        decoder.set_limits(limits).ok()?;
        let orientation = decoder.orientation().ok();
        let mut picture = DynamicImage::from_decoder(decoder).ok()?;
        if let Some(orientation) = orientation {
            picture.apply_orientation(orientation);
        }
        let is_same_size = self.rect.is_none() && self.width.is_none() && self.height.is_none();
        let picture = self.sized(self.cut(picture));
        let target = match self.format {
            Some("jpeg") => ImageFormat::Jpeg,
            Some("png") => ImageFormat::Png,
            Some("webp") => ImageFormat::WebP,
            _ => source,
        };
        let mut best = (self.written(&picture, target)?, target);
        // What was made without loss can only be written again without; of photos nothing is won.
        if self.is_format_free
            && self.format.is_none()
            && target == ImageFormat::Png
            && let Some(other) = self.written(&picture, ImageFormat::WebP)
            && other.len() < best.0.len()
        {
            best = (other, ImageFormat::WebP);
        }
        let is_better = !is_same_size || best.1 != source || best.0.len() < original.len();
        is_better.then(|| (best.0, best.1.to_mime_type()))
    }

    fn cut(&self, picture: DynamicImage) -> DynamicImage {
        let Some([left, top, width, height]) = self.rect else { return picture };
        let (left, top) = (left.min(picture.width() - 1), top.min(picture.height() - 1));
        let (width, height) = (width.min(picture.width() - left), height.min(picture.height() - top));
        picture.crop_imm(left, top, width.max(1), height.max(1))
    }

    fn sized(&self, picture: DynamicImage) -> DynamicImage {
        let (width, height) = picture.dimensions();
        let (wanted_width, wanted_height) = match (self.width, self.height) {
            (None, None) => return picture,
            (Some(wide), None) => (wide, proportional(height, wide, width)),
            (None, Some(high)) => (proportional(width, high, height), high),
            (Some(wide), Some(high)) => (wide, high),
        };
        let is_larger = wanted_width > width && wanted_height > height;
        match self.fit {
            Fit::Max if is_larger => picture,
            Fit::Clip | Fit::Max => picture.resize(wanted_width, wanted_height, FilterType::CatmullRom),
            Fit::Min if is_larger => picture,
            Fit::Crop | Fit::Min => {
                picture.resize_to_fill(wanted_width, wanted_height, FilterType::CatmullRom)
            }
            Fit::Scale => picture.resize_exact(wanted_width, wanted_height, FilterType::CatmullRom),
        }
    }

    fn written(&self, picture: &DynamicImage, format: ImageFormat) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        match format {
            ImageFormat::Jpeg => {
                let quality = self.quality.unwrap_or(QUALITY);
                picture
                    .to_rgb8()
                    .write_with_encoder(JpegEncoder::new_with_quality(&mut out, quality))
                    .ok()?;
            }
            // The encoder of WebP takes eight bits a channel.
            ImageFormat::WebP if picture.color().has_alpha() => {
                picture.to_rgba8().write_to(&mut Cursor::new(&mut out), format).ok()?;
            }
            ImageFormat::WebP => picture.to_rgb8().write_to(&mut Cursor::new(&mut out), format).ok()?,
            _ => picture.write_to(&mut Cursor::new(&mut out), format).ok()?,
        }
        Some(out)
    }
}

/// A side in the same proportion as `wanted` to `own`.
fn proportional(side: u32, wanted: u32, own: u32) -> u32 {
    let scaled = u64::from(side) * u64::from(wanted) / u64::from(own.max(1));
    u32::try_from(scaled).unwrap_or(SIDE_MAX).clamp(1, SIDE_MAX)
}

fn side(text: &str) -> Option<u32> {
    // imgix takes fractions below one as a share of the original; sites hardly use them.
    text.parse::<f64>().ok().filter(|side| *side >= 1.0).map(|side| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and clamped before"
        )]
        let side = side.min(f64::from(SIDE_MAX)) as u32;
        side
    })
}

fn rect(text: &str) -> Option<[u32; 4]> {
    let mut numbers = text.split(',').map(|number| {
        let number: f64 = number.trim().parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "casts of floating numbers saturate, and the cut is clamped to the picture"
        )]
        let number = number.max(0.0).round() as u32;
        Some(number)
    });
    let rect = [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??];
    (numbers.next().is_none() && rect[2] > 0 && rect[3] > 0).then_some(rect)
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| {
            Rgb([
                u8::try_from(x % 256).unwrap(),
                u8::try_from(y % 256).unwrap(),
                if x < width / 2 { 0 } else { 255 },
            ])
        });
        let mut out = Vec::new();
        image.write_to(&mut Cursor::new(&mut out), format).unwrap();
        out
    }

    fn size(bytes: &[u8]) -> (u32, u32) {
        image::load_from_memory(bytes).unwrap().dimensions()
    }

    fn made(query: &str, original: &[u8]) -> Option<(Vec<u8>, &'static str)> {
        Transform::parse(query, "image/webp,*/*")?.apply(original)
    }

    #[test]
    fn pictures_come_in_the_size_that_was_asked_for() {
        let original = picture(400, 200, ImageFormat::Jpeg);
        for (query, expected) in [
            ("w=100", (100, 50)),
            ("h=100", (200, 100)),
            ("width=100", (100, 50)),
            ("width=100&height=20", (40, 20)),
            ("w=100&dpr=2", (200, 100)),
            ("w=100&h=100", (100, 50)),
            ("w=100&h=100&fit=crop", (100, 100)),
            ("w=100&h=100&fit=scale", (100, 100)),
            ("w=800&fit=max", (400, 200)),
            ("w=800", (800, 400)),
            ("rect=0,0,50,40", (50, 40)),
            ("rect=0,0,50,40&w=25", (25, 20)),
            ("rect=390,190,500,500", (10, 10)),
        ] {
            let (bytes, media_type) = made(query, &original).expect(query);
            assert_eq!((size(&bytes), media_type), (expected, "image/jpeg"), "{query}");
        }
        let right = made("rect=300,0,50,50&fm=png", &original).unwrap();
        assert_eq!(right.1, "image/png");
        let pixel = image::load_from_memory(&right.0).unwrap().to_rgb8().get_pixel(25, 25).0;
        assert!(pixel[2] > 200, "cut from the right half: {pixel:?}");
    }

    #[test]
    fn another_format_is_taken_only_where_it_is_smaller_and_known_to_the_browser() {
        let original = picture(300, 300, ImageFormat::Png);
        let (bytes, media_type) = made("auto=format,compress", &original).unwrap();
        assert_eq!(media_type, "image/webp");
        assert!(bytes.len() < original.len());
        assert!(Transform::parse("auto=format,compress", "image/png").is_none());
        let photo = picture(300, 300, ImageFormat::Jpeg);
        assert!(made("auto=format&q=100", &photo).is_none_or(|(bytes, _)| bytes.len() < photo.len()));
    }

    #[test]
    fn what_asks_for_nothing_or_is_no_picture_is_left_alone() {
        for query in ["", "w=0", "w=x", "rect=1,2,3", "rect=0,0,0,9", "blur=20", "fit=crop&ixlib=js"] {
            assert!(Transform::parse(query, "").is_none_or(|transform| transform.width.is_none()), "{query}");
        }
        assert!(made("w=10", b"no picture").is_none());
        assert!(made("w=10", &picture(30, 30, ImageFormat::Png)[..60]).is_none(), "cut short");
    }

    #[test]
    fn a_bomb_is_not_read() {
        // A PNG that says it has 60,000 by 60,000 pixels.
        let mut bomb = picture(4, 4, ImageFormat::Png);
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        assert!(made("w=10", &bomb).is_none());
        let (bytes, _) = made("w=100000&h=4&fit=scale", &picture(30, 30, ImageFormat::Png)).unwrap();
        assert_eq!(size(&bytes), (SIDE_MAX, 4));
    }
}
