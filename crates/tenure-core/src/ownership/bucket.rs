use crate::Name;

/// How many buckets there are.
const COUNT: usize = 1024;
const WORDS: usize = COUNT / 64;

/// One of 1,024 parts that all homes are divided into: the top ten bits of the 64-bit FNV-1a of a namespace's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// Where this namespace belongs.
    #[must_use]
    pub fn of(namespace: &Name) -> Self {
        Self((fnv1a(namespace.as_str().as_bytes()) >> 54) as u16)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT as u16).map(Self)
    }

    /// How much `identity` is wanted as the owner of this bucket: of several, the one with the most has it.
    ///
    /// Rendezvous hashing: whoever comes or goes moves only what he gets or had.
    #[must_use]
    pub fn weight(self, identity: &str) -> u64 {
        self.weight_of(fnv1a(identity.as_bytes()))
    }

    fn weight_of(self, identity_hash: u64) -> u64 {
        mix(identity_hash ^ mix(u64::from(self.0) + 1))
    }
}

/// A set of buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buckets([u64; WORDS]);

impl Buckets {
    /// Every bucket.
    pub const ALL: Self = Self([u64::MAX; WORDS]);
    /// No bucket.
    pub const NONE: Self = Self([0; WORDS]);

    /// Those that `identity` has before `other`.
    #[must_use]
    pub fn preferring(identity: &str, other: &str) -> Self {
        let [one, two] = [identity, other].map(|identity| fnv1a(identity.as_bytes()));
        Bucket::all()
            .filter(|bucket| (bucket.weight_of(one), identity) > (bucket.weight_of(two), other))
            .collect()
    }

    /// Whether `bucket` is in it.
    #[must_use]
    pub fn contains(&self, bucket: Bucket) -> bool {
        self.0[usize::from(bucket.0) / 64] >> (bucket.0 % 64) & 1 == 1
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// How many are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The hashes of the namespaces that belong to it, as ranges from the first to the one after the last, as few as
    /// there can be: the 64-bit FNV-1a that Kubernetes divides by, too.
    #[must_use]
    pub fn ranges(&self) -> Vec<(u64, u128)> {
        let mut ranges: Vec<(u64, u128)> = Vec::new();
        for bucket in Bucket::all().filter(|bucket| self.contains(*bucket)) {
            let (start, end) = (u64::from(bucket.0) << 54, (u128::from(bucket.0) + 1) << 54);
            match ranges.last_mut() {
                Some((_, last)) if *last == u128::from(start) => *last = end,
                _ => ranges.push((start, end)),
            }
        }
        ranges
    }

    /// What is in this or in `other`.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Whether something is in both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        !self.zip(other, |a, b| a & b).is_empty()
    }

    fn zip(&self, other: &Self, each: impl Fn(u64, u64) -> u64) -> Self {
        let mut all = *self;
        for (word, more) in all.0.iter_mut().zip(other.0) {
            *word = each(*word, more);
        }
        all
    }
}

impl FromIterator<Bucket> for Buckets {
    fn from_iter<I: IntoIterator<Item = Bucket>>(buckets: I) -> Self {
        let mut all = Self::NONE;
        for Bucket(bucket) in buckets {
            all.0[usize::from(bucket) / 64] |= 1 << (bucket % 64);
        }
        all
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The end of splitmix64: every bit of the input moves half of the output's.
pub(super) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner<'a>(bucket: Bucket, all: &[&'a str]) -> &'a str {
        let first = |a: &&'a str, b: &&'a str| (bucket.weight(a), *a).cmp(&(bucket.weight(b), *b));
        all.iter().copied().max_by(first).expect("somebody")
    }

    #[test]
    fn a_bucket_is_the_top_of_the_hash_that_kubernetes_divides_by() {
        // <http://www.isthe.com/chongo/tech/comp/fnv/>: the 64-bit FNV-1a of "", "a" and "foobar"
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        let name = Name::new("foobar").expect("a name");
        assert_eq!(Bucket::of(&name), Bucket(0x8594 >> 6));
    }

    #[test]
    fn a_set_holds_what_was_put_into_it() {
        let some: Buckets = Bucket::all().step_by(3).collect();
        assert_eq!(some.len(), 342);
        assert_eq!(Bucket::all().filter(|one| some.contains(*one)).count(), 342);
        let others = Buckets::ALL.without(&some);
        assert!(!others.meets(&some) && some.meets(&Buckets::ALL));
        assert_eq!(others.and(&some), Buckets::ALL);
        assert!(others.without(&others).is_empty());
    }

    #[test]
    fn ranges_are_the_hashes_of_a_set_and_neighbours_are_one() {
        assert_eq!(Buckets::ALL.ranges(), [(0, 1 << 64)]);
        assert!(Buckets::NONE.ranges().is_empty());
        let some: Buckets = [0, 1, 7, 1023].map(Bucket).into_iter().collect();
        let expected = [(0, 2 << 54), (7 << 54, 8 << 54), (1023 << 54, 1 << 64)];
        assert_eq!(some.ranges(), expected);
        let half: Buckets = Bucket::all().step_by(3).collect();
        for name in ["a", "foobar", "team-7", "kube-system"] {
            let hash = fnv1a(name.as_bytes());
            let within = |(start, end): &(u64, u128)| *start <= hash && u128::from(hash) < *end;
            let bucket = Bucket::of(&Name::new(name).expect("a name"));
            assert_eq!(half.ranges().iter().any(within), half.contains(bucket), "{name}");
        }
    }

    #[test]
    fn everybody_has_about_as_much_and_a_change_moves_only_what_must_move() {
        let all: Vec<String> = (0..8)
            .map(|n| format!("tenure-supervisor-6c9f7b5d4-{n}x2vq"))
            .collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for parts in 2..=all.len() {
            let (now, before) = (&all[..parts], &all[..parts - 1]);
            let mut moved = 0;
            for bucket in Bucket::all() {
                if owner(bucket, now) != owner(bucket, before) {
                    assert_eq!(owner(bucket, now), all[parts - 1], "only the new one gets any");
                    moved += 1;
                }
            }
            let fair = COUNT / parts;
            assert!(moved > fair * 3 / 4 && moved < fair * 5 / 4, "{parts}: {moved}");
        }
    }
}
