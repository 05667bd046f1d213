//! One visitor's connection: what it does must not depend on the pieces in which bytes come.
//!
//! The first bytes say where the others are cut: so many cuts, each two bytes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use waxseal::server::driver::drive;

fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else { return };
    let count = usize::from(count % 16) * 2;
    if rest.len() < count {
        return;
    }
    let (cuts, input) = rest.split_at(count);
    let mut cuts: Vec<usize> = cuts
        .chunks(2)
        .map(|cut| usize::from(u16::from_be_bytes([cut[0], cut[1]])) % (input.len() + 1))
        .collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut from = 0;
    for cut in cuts.into_iter().chain([input.len()]) {
        pieces.push(&input[from..cut]);
        from = cut;
    }
    let whole = drive([input]);
    assert_eq!(whole, drive(pieces));
    if input.len() < 1000 {
        assert_eq!(whole, drive(input.chunks(1)));
    }
});
