//! Seeded mutations: of octets, and of DER with the lengths put right again.

use est_core::pkix::der::{check, contents};
use est_testkit::der::value;

/// A small generator of numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number under `end`; 0 when there is none.
    pub fn below(&mut self, end: usize) -> usize {
        (self.roll() % end.max(1) as u64) as usize
    }
}

/// Changes `input` in one to four places; `other` is there to borrow from.
#[must_use]
pub fn mutate(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut output = input.to_vec();
    for _ in 0..=dice.below(4) {
        output = if dice.below(3) > 0 && check(&output).is_ok() {
            mutate_der(&output, other, dice)
        } else {
            mutate_octets(output, other, dice)
        };
    }
    output.truncate(1 << 16);
    output
}

fn mutate_octets(mut octets: Vec<u8>, other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let at = dice.below(octets.len());
    match dice.below(6) {
        0 if !octets.is_empty() => octets[at] ^= 1 << dice.below(8),
        1 if !octets.is_empty() => octets[at] = INTERESTING[dice.below(INTERESTING.len())],
        2 => octets.insert(at, dice.roll() as u8),
        3 if !octets.is_empty() => drop(octets.drain(at..(at + 1 + dice.below(8)).min(octets.len()))),
        4 => octets.truncate(at),
        _ => {
            let from = dice.below(other.len());
            let piece = &other[from..(from + dice.below(64)).min(other.len())];
            octets.splice(at..at, piece.iter().copied());
        }
    }
    octets
}

const INTERESTING: [u8; 16] = [0, 1, 2, 3, 5, 6, 0x0c, 0x20, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0xa0, 0xff];

/// One value, taken apart.
#[derive(Clone, Debug)]
enum Node {
    Primitive(u8, Vec<u8>),
    Constructed(u8, Vec<Self>),
}

impl Node {
    fn read(der: &[u8]) -> Self {
        let (tag, contents) = (der[0], contents(der));
        if tag & 0x20 == 0 {
            // What an OCTET STRING wraps, an extension's value say, is worth mutating too.
            let wraps = tag == 0x04 && contents.first().is_some_and(|tag| tag & 0x20 != 0) && check(contents).is_ok();
            return if wraps {
                Self::Constructed(tag, vec![Self::read(contents)])
            } else {
                Self::Primitive(tag, contents.to_vec())
            };
        }
        let (mut parts, mut rest) = (Vec::new(), contents);
        while !rest.is_empty() {
            let end = length_of_first(rest);
            parts.push(Self::read(&rest[..end]));
            rest = &rest[end..];
        }
        Self::Constructed(tag, parts)
    }

    fn write(&self) -> Vec<u8> {
        match self {
            Self::Primitive(tag, contents) => value(*tag, &[contents]),
            Self::Constructed(tag, parts) => {
                let parts: Vec<_> = parts.iter().map(Self::write).collect();
                value(*tag, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
            }
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Primitive(..) => 1,
            Self::Constructed(_, parts) => 1 + parts.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// The node with this number, counted from the outside in.
    fn at(&mut self, number: usize) -> &mut Self {
        if number == 0 {
            return self;
        }
        let Self::Constructed(_, parts) = self else { unreachable!("numbers are below the count") };
        let mut number = number - 1;
        for part in parts {
            let count = part.count();
            if number < count {
                return part.at(number);
            }
            number -= count;
        }
        unreachable!("numbers are below the count")
    }
}

/// Shows every value of `der`, which the walker accepts: its tag and contents, those in OCTET STRINGs too.
pub fn visit(der: &[u8], show: &mut impl FnMut(u8, &[u8])) {
    fn descend(node: &Node, show: &mut impl FnMut(u8, &[u8])) {
        match node {
            Node::Primitive(tag, contents) => show(*tag, contents),
            Node::Constructed(tag, parts) => {
                show(*tag, contents(&node.write()));
                parts.iter().for_each(|part| descend(part, show));
            }
        }
    }
    descend(&Node::read(der), show);
}

/// Writes `der`, which the walker accepts, with every SET sorted as DER wants it.
///
/// `x509-cert` sorts what it reads; we keep the octets that came.
#[must_use]
pub fn with_sorted_sets(der: &[u8]) -> Vec<u8> {
    fn sort(node: &mut Node) {
        if let Node::Constructed(tag, parts) = node {
            parts.iter_mut().for_each(sort);
            if *tag == 0x31 {
                parts.sort_by_cached_key(Node::write);
            }
        }
    }
    let mut root = Node::read(der);
    sort(&mut root);
    root.write()
}

/// The length of the first of several values that the walker accepted, header included.
#[must_use]
pub fn length_of_first(octets: &[u8]) -> usize {
    match octets[1] {
        short @ 0..0x80 => 2 + usize::from(short),
        long => {
            let count = usize::from(long & 0x7f);
            2 + count + octets[2..2 + count].iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
        }
    }
}

fn mutate_der(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut root = Node::read(input);
    let number = dice.below(root.count());
    let borrowed = check(other).is_ok().then(|| {
        let mut other = Node::read(other);
        let number = dice.below(other.count());
        other.at(number).clone()
    });
    let node = root.at(number);
    match (dice.below(7), &mut *node) {
        (0, Node::Constructed(tag, _) | Node::Primitive(tag, _)) => {
            *tag = if dice.below(2) == 0 { *tag ^ 1 << dice.below(8) } else { INTERESTING[dice.below(16)] };
        }
        (1, Node::Constructed(_, parts)) if !parts.is_empty() => drop(parts.remove(dice.below(parts.len()))),
        (2, Node::Constructed(_, parts)) if !parts.is_empty() => {
            let twin = parts[dice.below(parts.len())].clone();
            parts.insert(dice.below(parts.len() + 1), twin);
        }
        (3, Node::Constructed(_, parts)) if parts.len() > 1 => {
            let (one, two) = (dice.below(parts.len()), dice.below(parts.len()));
            parts.swap(one, two);
        }
        (4, Node::Constructed(_, parts)) => parts.extend(borrowed),
        (5, node) => *node = borrowed.unwrap_or(Node::Primitive(0x05, Vec::new())),
        (_, Node::Primitive(_, contents)) => *contents = mutate_octets(std::mem::take(contents), other, dice),
        (_, node) => *node = Node::Constructed(0x30, vec![node.clone()]),
    }
    root.write()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_mutations() {
        let key = est_testkit::pki::Key::p256();
        let (input, other) = (key.csr("CN=a", &["DNS:a.example"]), key.csr("CN=b", &[]));
        let run = |seed| {
            let mut dice = Dice(seed);
            (0..100).map(|_| mutate(&input, &other, &mut dice)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        assert!(run(1).iter().any(|output| check(output).is_ok() && *output != input), "lengths are put right");
    }

    #[test]
    fn what_is_taken_apart_is_put_together_again() {
        let der = est_testkit::pki::TestCa::new().certificate().as_der().to_vec();
        assert_eq!(Node::read(&der).write(), der);
    }
}
