//! Uploaded pictures: their type is found out from the bytes, and they are encoded anew, so that what is served is a
//! picture and nothing else. Places, dates and the like that cameras write into files are lost on the way.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::error::ImageFormatHint;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use tokio::sync::Semaphore;

use super::code::Code;
use super::problem::{Failure, Problem};

/// The longest side of a stored picture.
const MAX_SIDE: u32 = 1_600;
/// The longest side of an uploaded picture.
const MAX_UPLOADED_SIDE: u32 = 12_000;
/// How much memory decoding one may take.
const MAX_DECODED_BYTES: u64 = 128 * 1024 * 1024;
const QUALITY: u8 = 85;

/// Encodes pictures, one at a time, since each can take much memory.
pub(crate) struct Darkroom {
    turn: Semaphore,
    waiting: Semaphore,
}

impl Default for Darkroom {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), waiting: Semaphore::new(8) }
    }
}

impl Darkroom {
    /// The picture as a JPEG.
    ///
    /// # Errors
    /// NOT_A_PICTURE, or BUSY if too many wait.
    pub(crate) async fn develop(&self, bytes: bytes::Bytes) -> Result<Vec<u8>, Failure> {
        let busy = || Problem::later(Code::BUSY, 5);
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let _turn = self.turn.acquire().await.map_err(|_| busy())?;
        let developed = tokio::task::spawn_blocking(move || develop(&bytes)).await;
        developed
            .map_err(|error| Problem::internal(&error))?
            .map_err(|error| Problem::because(Code::NOT_A_PICTURE, error))
    }
}

fn develop(bytes: &[u8]) -> image::ImageResult<Vec<u8>> {
    let format = image::guess_format(bytes)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(image::ImageError::Unsupported(ImageFormatHint::Exact(format).into()));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_UPLOADED_SIDE);
    limits.max_image_height = Some(MAX_UPLOADED_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if picture.width().max(picture.height()) > MAX_SIDE {
        picture = picture.thumbnail(MAX_SIDE, MAX_SIDE);
    }
    picture.apply_orientation(orientation);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&on_white(picture))?;
    Ok(jpeg)
}

/// A JPEG has no transparency.
fn on_white(picture: DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, alpha] = picture.get_pixel(x, y).0;
        let blend = |channel: u8| {
            let alpha = u16::from(alpha);
            let sum = u16::from(channel) * alpha + 255 * (255 - alpha);
            u8::try_from(sum / 255).unwrap_or(u8::MAX)
        };
        image::Rgb([blend(r), blend(g), blend(b)])
    })
}

#[cfg(test)]
mod tests {
    use image::RgbaImage;

    use super::*;

    fn png(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbaImage::from_pixel(width, height, image::Rgba(pixel))
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_become_jpegs_of_bounded_size_on_white() {
        let jpeg = develop(&png(3_200, 1_600, [0, 0, 0, 0])).unwrap();
        assert_eq!(image::guess_format(&jpeg).unwrap(), ImageFormat::Jpeg);
        let picture = image::load_from_memory(&jpeg).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (1_600, 800));
        assert_eq!(picture.get_pixel(7, 7).0, [255; 3]);
        assert_eq!(develop(&jpeg[..]).unwrap().first(), Some(&0xff));
    }

    #[test]
    fn what_is_appended_to_a_picture_is_lost() {
        let mut bytes = png(4, 4, [10, 200, 30, 255]);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let jpeg = develop(&bytes).unwrap();
        assert!(!jpeg.windows(7).any(|window| window == b"<script"));
    }

    #[test]
    fn other_bytes_are_refused() {
        let mut bomb = png(1, 1, [0; 4]);
        // The width in the header of the PNG, and the check sum over it left wrong.
        bomb[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
        for bytes in
            [&b""[..], b"GIF89a\x01\x00\x01\x00", b"<svg xmlns='x'/>", &bomb, &png(4, 4, [0; 4])[..40]]
        {
            assert!(develop(bytes).is_err());
        }
    }
}
