//! Any bytes as a raw file of any codec: lines come whole, in order, the same whatever the size of blocks, and memory
//! stays bounded.
#![no_main]

use std::sync::atomic::AtomicU64;

use libfuzzer_sys::fuzz_target;
use rs_core::reader::{Block, BlockReader, Codec};

/// Most decoded bytes that are looked at: a few bytes can promise gigabytes.
const MOST_BYTES: usize = 1 << 20;

/// All lines, and whether the file could be read to its end or to the limit.
fn lines(bytes: &[u8], codec: Codec, block_bytes: usize) -> (Vec<u8>, bool) {
    let progress = AtomicU64::new(0);
    let mut all = Vec::new();
    let Ok(mut reader) = BlockReader::over(bytes, codec, block_bytes, &progress) else { return (all, false) };
    loop {
        match reader.next_block() {
            Ok(Some(Block::Lines(lines))) => {
                assert_eq!(lines.last(), Some(&b'\n'));
                all.extend_from_slice(lines);
            }
            Ok(Some(Block::LastLine(line))) => {
                assert!(!line.is_empty() && !line.contains(&b'\n'));
                all.extend_from_slice(line);
            }
            Ok(Some(Block::OversizedLine)) => {}
            Ok(None) => return (all, true),
            Err(_) => return (all, false),
        }
        if all.len() > MOST_BYTES {
            return (all, true);
        }
    }
}

fuzz_target!(|input: (u8, u16, Vec<u8>)| {
    let (codec, block_bytes, bytes) = input;
    let codec = [Codec::Plain, Codec::Zstd, Codec::Gzip][usize::from(codec) % 3];
    let (small, small_ended) = lines(&bytes, codec, usize::from(block_bytes));
    let (large, large_ended) = lines(&bytes, codec, 1 << 20);
    let n_bytes = small.len().min(large.len());
    assert_eq!(small[..n_bytes], large[..n_bytes]);
    if small.len() <= MOST_BYTES && large.len() <= MOST_BYTES {
        assert_eq!((small_ended, small.len()), (large_ended, large.len()));
    }
    if codec == Codec::Plain && bytes.len() <= MOST_BYTES {
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        assert_eq!(large, text);
    }
});
