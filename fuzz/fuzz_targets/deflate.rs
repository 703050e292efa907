//! Any texts, one after another: each has the size that libdeflate makes of it.
//!
//! Inputs say how a text is put together, so that few bytes are a text of several windows and blocks.
#![no_main]

use std::cell::RefCell;

use libdeflater::{CompressionLvl, Compressor};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use rs_deflate::{Deflate, LEVEL};

/// Longer texts take long and show nothing new: a window holds 32 KiB, a block 300 kB.
const MOST_BYTES: usize = 1 << 20;

#[derive(Debug, Arbitrary)]
enum Piece {
    Bytes(Vec<u8>),
    /// What stands so far back, from the text's end, once more.
    Copy {
        distance: u16,
        count: u16,
    },
    /// Bytes without order, out of so many.
    Noise {
        seed: u32,
        count: u16,
        n_values: u8,
    },
    /// The last so many bytes, over and over.
    Run {
        period: u8,
        count: u16,
    },
}

impl Piece {
    fn add_to(&self, text: &mut Vec<u8>) {
        match self {
            Self::Bytes(bytes) => text.extend_from_slice(bytes),
            Self::Copy { distance, count } => repeat(text, usize::from(*distance) + 1, usize::from(*count)),
            Self::Noise { seed, count, n_values } => {
                let mut state = *seed | 1;
                text.extend((0..*count).map(|_| {
                    // Xorshift: Marsaglia 2003, "Xorshift RNGs", Journal of Statistical Software 8(14).
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                    (state >> 16) as u8 % (*n_values).max(1)
                }));
            }
            Self::Run { period, count } => repeat(text, usize::from(*period) + 1, usize::from(*count)),
        }
    }
}

fn repeat(text: &mut Vec<u8>, distance: usize, count: usize) {
    let Some(begin) = text.len().checked_sub(distance) else { return };
    for at in begin..begin + count {
        text.push(text[at]);
    }
}

thread_local! {
    static LIBRARY: RefCell<Compressor> =
        RefCell::new(Compressor::new(CompressionLvl::new(LEVEL).expect("is a level")));
}

fuzz_target!(|texts: Vec<Vec<Piece>>| {
    // Of this input alone, so that what it finds is found again.
    let mut deflate = Deflate::default();
    for pieces in texts {
        let mut text = Vec::new();
        for piece in pieces {
            piece.add_to(&mut text);
            if text.len() >= MOST_BYTES {
                break;
            }
        }
        let expected = LIBRARY.with_borrow_mut(|library| {
            let mut out = vec![0; library.deflate_compress_bound(text.len())];
            library.deflate_compress(&text, &mut out).expect("there is room")
        });
        assert_eq!(deflate.bytes(&text), expected, "{} bytes", text.len());
    }
});
