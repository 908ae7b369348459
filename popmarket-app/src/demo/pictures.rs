//! Pictures, drawn by code: no photo of anybody is in the repository.

/// A color.
pub(super) type Rgb = [u8; 3];

const WIDTH: u16 = 480;
const HEIGHT: u16 = 360;

/// A picture: shapes, one on top of the other, before a sky.
pub(super) struct Scene {
    /// The color at the top and that at the bottom.
    pub(super) sky: [Rgb; 2],
    pub(super) shapes: &'static [Shape],
}

/// A shape. Lengths are in pixels.
pub(super) enum Shape {
    Disc {
        x: f32,
        y: f32,
        r: f32,
        color: Rgb,
    },
    Ring {
        x: f32,
        y: f32,
        r: f32,
        width: f32,
        color: Rgb,
    },
    /// With round ends.
    Bar {
        from: (f32, f32),
        to: (f32, f32),
        width: f32,
        color: Rgb,
    },
    /// A rectangle with round corners, by its middle and half of its sides.
    Plate {
        x: f32,
        y: f32,
        half: (f32, f32),
        r: f32,
        color: Rgb,
    },
}

impl Shape {
    const fn color(&self) -> Rgb {
        match self {
            Self::Disc { color, .. }
            | Self::Ring { color, .. }
            | Self::Bar { color, .. }
            | Self::Plate { color, .. } => *color,
        }
    }

    /// How far a point is outside of the shape; negative inside.
    fn distance(&self, px: f32, py: f32) -> f32 {
        match *self {
            Self::Disc { x, y, r, .. } => (px - x).hypot(py - y) - r,
            Self::Ring { x, y, r, width, .. } => ((px - x).hypot(py - y) - r).abs() - width / 2.0,
            Self::Plate { x, y, half: (w, h), r, .. } => {
                let (dx, dy) = ((px - x).abs() - w + r, (py - y).abs() - h + r);
                dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - r
            }
            Self::Bar { from: (ax, ay), to: (bx, by), width, .. } => {
                let (dx, dy) = (bx - ax, by - ay);
                let along = ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy);
                let along = along.clamp(0.0, 1.0);
                (px - ax - along * dx).hypot(py - ay - along * dy) - width / 2.0
            }
        }
    }
}

/// Draws a scene.
pub(super) fn png(scene: &Scene) -> Result<Vec<u8>, png::EncodingError> {
    let pixels: Vec<u8> = (0..HEIGHT)
        .flat_map(|y| (0..WIDTH).flat_map(move |x| pixel(scene, f32::from(x), f32::from(y))))
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, u32::from(WIDTH), u32::from(HEIGHT));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}

fn pixel(scene: &Scene, x: f32, y: f32) -> Rgb {
    let [top, bottom] = scene.sky;
    let sky = blend(top, bottom, y / f32::from(HEIGHT));
    // The edge of a shape is a pixel wide, so that it is smooth.
    let paint =
        |below, shape: &Shape| blend(below, shape.color(), (0.5 - shape.distance(x, y)).clamp(0.0, 1.0));
    scene.shapes.iter().fold(sky, paint)
}

fn blend(below: Rgb, above: Rgb, share: f32) -> Rgb {
    let channel = |index: usize| {
        let (below, above) = (f32::from(below[index]), f32::from(above[index]));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes, so it is one"
        )]
        let value = (below + (above - below) * share).round() as u8;
        value
    };
    [channel(0), channel(1), channel(2)]
}
