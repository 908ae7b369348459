//! What is for sale in the demo.

use super::pictures::{Rgb, Scene, Shape};

/// Something for sale.
pub(super) struct Good {
    /// Who sells it: an index of [`MEMBERS`](super::MEMBERS).
    pub(super) seller: usize,
    pub(super) title: &'static str,
    pub(super) description: &'static str,
    pub(super) price: u64,
    pub(super) scene: Scene,
}

const INK: Rgb = [38, 42, 51];
const STEEL: Rgb = [122, 132, 148];
const CREAM: Rgb = [247, 240, 226];
const RED: Rgb = [206, 72, 60];
const BLUE: Rgb = [62, 110, 178];
const GREEN: Rgb = [84, 138, 98];
const GOLD: Rgb = [226, 176, 76];
const WOOD: Rgb = [158, 108, 68];

const fn disc(x: f32, y: f32, r: f32, color: Rgb) -> Shape {
    Shape::Disc { x, y, r, color }
}

const fn ring(x: f32, y: f32, r: f32, width: f32, color: Rgb) -> Shape {
    Shape::Ring { x, y, r, width, color }
}

const fn bar(from: (f32, f32), to: (f32, f32), width: f32, color: Rgb) -> Shape {
    Shape::Bar { from, to, width, color }
}

const fn plate(x: f32, y: f32, half: (f32, f32), color: Rgb) -> Shape {
    Shape::Plate { x, y, half, r: 9.0, color }
}

/// The first three are bought.
pub(super) static GOODS: [Good; 8] = [
    Good {
        seller: 0,
        title: "필름 카메라 Olympus OM-1",
        description: "1975년식, 50mm 1.8 렌즈 포함. 노출계 정상 작동합니다.\n\
                      Film camera from 1975 with its 50 mm lens. The light meter works.",
        price: 185_000,
        scene: Scene {
            sky: [[232, 214, 196], [198, 168, 142]],
            shapes: &[
                plate(200.0, 134.0, (40.0, 26.0), INK),
                plate(240.0, 204.0, (142.0, 66.0), INK),
                plate(240.0, 164.0, (142.0, 15.0), STEEL),
                disc(240.0, 208.0, 66.0, STEEL),
                disc(240.0, 208.0, 54.0, INK),
                disc(240.0, 208.0, 34.0, BLUE),
                disc(226.0, 194.0, 9.0, CREAM),
                disc(340.0, 128.0, 13.0, RED),
            ],
        },
    },
    Good {
        seller: 1,
        title: "Commuter bicycle, 28 inches",
        description: "출퇴근용 자전거, 바퀴 28인치. 작년에 체인과 브레이크를 교체했습니다.\n\
                      New chain and brakes last year. Mudguards and a bell are on it.",
        price: 240_000,
        scene: Scene {
            sky: [[206, 226, 234], [160, 192, 204]],
            shapes: &[
                ring(140.0, 236.0, 72.0, 9.0, INK),
                ring(342.0, 236.0, 72.0, 9.0, INK),
                bar((140.0, 236.0), (214.0, 132.0), 9.0, RED),
                bar((214.0, 132.0), (310.0, 136.0), 9.0, RED),
                bar((310.0, 136.0), (342.0, 236.0), 9.0, RED),
                bar((140.0, 236.0), (236.0, 236.0), 9.0, RED),
                bar((236.0, 236.0), (310.0, 136.0), 9.0, RED),
                bar((236.0, 236.0), (206.0, 112.0), 9.0, RED),
                bar((184.0, 110.0), (230.0, 110.0), 14.0, INK),
                bar((310.0, 136.0), (306.0, 104.0), 9.0, STEEL),
                bar((302.0, 104.0), (348.0, 96.0), 9.0, INK),
                disc(236.0, 236.0, 17.0, STEEL),
            ],
        },
    },
    Good {
        seller: 2,
        title: "Desk lamp, brass",
        description: "황동 스탠드. 밝기 조절이 됩니다.\nWarm light, with a dimmer. A small dent in the foot.",
        price: 38_000,
        scene: Scene {
            sky: [[58, 66, 92], [36, 40, 60]],
            shapes: &[
                disc(300.0, 176.0, 84.0, [104, 100, 92]),
                disc(300.0, 176.0, 48.0, [190, 166, 112]),
                bar((170.0, 300.0), (262.0, 300.0), 20.0, GOLD),
                bar((214.0, 296.0), (180.0, 190.0), 10.0, GOLD),
                bar((180.0, 190.0), (276.0, 114.0), 10.0, GOLD),
                bar((272.0, 132.0), (330.0, 150.0), 34.0, GOLD),
                disc(302.0, 164.0, 18.0, CREAM),
            ],
        },
    },
    Good {
        seller: 0,
        title: "원목 책상 120cm",
        description: "참나무 원목 책상, 120 x 60cm. 직접 가져가실 분.\nOak desk. To be fetched in Seoul, Mapo-gu.",
        price: 90_000,
        scene: Scene {
            sky: [[238, 228, 212], [214, 200, 178]],
            shapes: &[
                bar((110.0, 180.0), (370.0, 180.0), 24.0, WOOD),
                bar((130.0, 190.0), (118.0, 306.0), 14.0, WOOD),
                bar((350.0, 190.0), (362.0, 306.0), 14.0, WOOD),
                plate(305.0, 212.0, (44.0, 20.0), [182, 132, 88]),
                disc(305.0, 214.0, 5.0, INK),
                bar((160.0, 152.0), (216.0, 152.0), 8.0, BLUE),
                bar((164.0, 140.0), (212.0, 140.0), 8.0, RED),
            ],
        },
    },
    Good {
        seller: 2,
        title: "Wireless headphones",
        description: "무선 헤드폰, 노이즈 캔슬링. 배터리 25시간.\nNoise cancelling, with case and cable.",
        price: 120_000,
        scene: Scene {
            sky: [[224, 214, 232], [186, 170, 204]],
            shapes: &[
                ring(240.0, 196.0, 98.0, 16.0, INK),
                plate(240.0, 290.0, (260.0, 86.0), [168, 148, 186]),
                bar((146.0, 186.0), (146.0, 236.0), 50.0, INK),
                bar((334.0, 186.0), (334.0, 236.0), 50.0, INK),
                bar((162.0, 190.0), (162.0, 232.0), 20.0, STEEL),
                bar((318.0, 190.0), (318.0, 232.0), 20.0, STEEL),
            ],
        },
    },
    Good {
        seller: 1,
        title: "통기타 입문용",
        description: "입문용 통기타와 케이스. 줄은 새것입니다.\nAcoustic guitar for beginners, with new strings and a bag.",
        price: 70_000,
        scene: Scene {
            sky: [[214, 226, 206], [172, 192, 162]],
            shapes: &[
                bar((240.0, 40.0), (240.0, 190.0), 18.0, WOOD),
                bar((240.0, 30.0), (240.0, 58.0), 32.0, INK),
                disc(240.0, 198.0, 52.0, GOLD),
                disc(240.0, 266.0, 70.0, GOLD),
                disc(240.0, 216.0, 23.0, INK),
                bar((212.0, 290.0), (268.0, 290.0), 10.0, WOOD),
                bar((240.0, 60.0), (240.0, 288.0), 3.0, CREAM),
            ],
        },
    },
    Good {
        seller: 3,
        title: "Monstera in a terracotta pot",
        description: "몬스테라 화분, 높이 60cm. 물은 일주일에 한 번.\n60 cm high. Water it once a week.",
        price: 22_000,
        scene: Scene {
            sky: [[240, 236, 224], [220, 212, 192]],
            shapes: &[
                bar((240.0, 250.0), (176.0, 140.0), 8.0, GREEN),
                bar((240.0, 250.0), (246.0, 110.0), 8.0, GREEN),
                bar((240.0, 250.0), (312.0, 156.0), 8.0, GREEN),
                disc(172.0, 134.0, 42.0, GREEN),
                disc(248.0, 96.0, 48.0, [70, 120, 84]),
                disc(318.0, 148.0, 40.0, [98, 152, 110]),
                plate(240.0, 268.0, (50.0, 13.0), RED),
                plate(240.0, 304.0, (38.0, 30.0), [184, 92, 68]),
            ],
        },
    },
    Good {
        seller: 3,
        title: "Mechanical keyboard, brown switches",
        description: "기계식 키보드, 갈축, 87키.\nTenkeyless, Korean and English legends.",
        price: 55_000,
        scene: Scene {
            sky: [[202, 210, 222], [164, 174, 192]],
            shapes: &[
                plate(240.0, 198.0, (154.0, 68.0), INK),
                bar((118.0, 158.0), (322.0, 158.0), 26.0, CREAM),
                bar((350.0, 158.0), (362.0, 158.0), 26.0, RED),
                bar((118.0, 198.0), (362.0, 198.0), 26.0, CREAM),
                bar((118.0, 238.0), (150.0, 238.0), 26.0, STEEL),
                bar((184.0, 238.0), (300.0, 238.0), 26.0, CREAM),
                bar((334.0, 238.0), (362.0, 238.0), 26.0, STEEL),
            ],
        },
    },
];
