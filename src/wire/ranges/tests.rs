//! Ranges of an acknowledgement, against bytes written by hand.

use proptest::prelude::*;

use super::*;

type Range = RangeInclusive<u64>;

fn written(ranges: &[Range], room: usize) -> Option<(Vec<u8>, usize)> {
    let fits = measure(ranges.iter().cloned(), room)?;
    let mut out = vec![0; fits.len];
    let mut writer = Writer::new(&mut out);
    write(&mut writer, ranges.iter().cloned(), fits).expect("it was measured");
    assert_eq!(writer.remaining(), 0);
    Some((out, fits.ranges))
}

fn read(largest: u64, bytes: &[u8]) -> Result<Vec<Range>, RangesError> {
    let mut reader = Reader::new(bytes);
    let ranges = AckRanges::read(largest, &mut reader)?;
    let mut again = vec![0; ranges.encoded_len()];
    ranges.write(&mut Writer::new(&mut again)).expect("the buffer was made to fit");
    assert_eq!(again, bytes);
    Ok(ranges.iter().collect())
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn a_gap_of_0_leaves_out_one_number() {
    for (ranges, bytes) in [
        (vec![7..=7], &[0][..]),
        (vec![0..=9], &[9]),
        (vec![9..=9, 7..=7], &[0, 0, 0]),
        (vec![90..=99, 50..=59, 0..=0], &[9, 29, 9, 48, 0]),
        (vec![u64::MAX..=u64::MAX], &[0]),
        (vec![1000..=1000, 0..=799], &[0, 0x80, 0x47, 0x85, 0x1f]),
    ] {
        let largest = *ranges[0].end();
        assert_eq!(written(&ranges, 100), Some((bytes.to_vec(), ranges.len())));
        assert_eq!(read(largest, bytes), Ok(ranges));
    }
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn what_goes_below_0_or_ends_after_a_gap_is_refused() {
    for (largest, bytes, error) in [
        (5, &[][..], RangesError::Cut),
        (5, &[6], RangesError::BelowZero),
        (5, &[0, 1], RangesError::Cut),
        (5, &[0, 0x80], RangesError::Cut),
        (5, &[0, 4, 0], RangesError::BelowZero),
        (5, &[0, 3, 1], RangesError::BelowZero),
        (5, &[5, 0, 0], RangesError::BelowZero),
        (
            5,
            &[0, 0x80, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0x7f, 0],
            RangesError::BelowZero,
        ),
        (5, &[0, 1, 0, 0x80, 0x80], RangesError::Cut),
    ] {
        assert_eq!(read(largest, bytes), Err(error), "{bytes:x?}");
    }
    assert_eq!(read(5, &[0, 3, 0]), Ok(vec![5..=5, 0..=0]));
}

// spec: 8.5 ACK, ACK_ECN
#[test]
fn at_most_64_ranges_are_written_and_the_oldest_are_left_out() {
    let ranges: Vec<Range> = (0..100).rev().map(|n| 2 * n..=2 * n).collect();
    let (bytes, count) = written(&ranges, 1000).expect("room for all");
    assert_eq!((bytes.len(), count), (127, RANGES_MAX));
    assert_eq!(read(198, &bytes), Ok(ranges[..64].to_vec()));
    let (bytes, count) = written(&ranges, 6).expect("room for some");
    assert_eq!((bytes.len(), count), (5, 3));
    assert_eq!(read(198, &bytes), Ok(ranges[..3].to_vec()));
    assert_eq!((written(&ranges, 0), written(&[], 10)), (None, None));
}

/// Ranges from 0 upwards, each as a distance from the one before and a length.
fn any_ranges() -> impl Strategy<Value = Vec<Range>> {
    let small = || prop_oneof![0..4_u64, 0..300_u64, 0..1_u64 << 50];
    prop::collection::vec((small(), small()), 1..80).prop_map(|steps| {
        let mut next = 0;
        let mut ranges: Vec<Range> = Vec::new();
        for (gap, len) in steps {
            let start = next + gap;
            ranges.push(start..=start + len);
            next = start + len + 2;
        }
        ranges.reverse();
        ranges
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(ranges in any_ranges(), room in 1..1300_usize) {
        if let Some((bytes, count)) = written(&ranges, room) {
            prop_assert!(bytes.len() <= room && count <= RANGES_MAX);
            prop_assert_eq!(read(*ranges[0].end(), &bytes), Ok(ranges[..count].to_vec()));
        }
    }

    #[test]
    fn what_is_read_is_in_order_and_apart(
        largest in prop_oneof![0..2000_u64, any::<u64>()],
        bytes in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..60),
    ) {
        if let Ok(ranges) = read(largest, &bytes) {
            prop_assert_eq!(*ranges[0].end(), largest);
            prop_assert!(ranges.iter().all(|range| range.start() <= range.end()));
            let is_apart = |pair: &[Range]| pair[1].end() + 1 < *pair[0].start();
            prop_assert!(ranges.windows(2).all(is_apart));
            if ranges.len() <= RANGES_MAX {
                prop_assert_eq!(written(&ranges, bytes.len()), Some((bytes, ranges.len())));
            }
        }
    }
}
