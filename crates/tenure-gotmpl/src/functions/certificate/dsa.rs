//! Keys of DSA, which nothing signs with any more.

use num_bigint::BigUint;

use super::der;
use crate::environment::Environment;

const P_BITS: u64 = 2048;
const Q_BITS: u64 = 256;
/// Candidates looked at before giving up; about 700 are needed.
const MOST: u32 = 100_000;
/// Rounds of the prime test.
const ROUNDS: u32 = 24;

fn random(world: &dyn Environment, bits: u64) -> BigUint {
    let mut buffer = vec![0; usize::try_from(bits / 8).unwrap_or(0)];
    world.random(&mut buffer);
    BigUint::from_bytes_be(&buffer)
}

/// The odd primes below 2,000.
fn small_primes() -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for candidate in (3..2_000).step_by(2) {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
    }
    primes
}

/// Miller and Rabin's test.
fn is_prime(world: &dyn Environment, number: &BigUint, small: &[u32], rounds: u32) -> bool {
    let zero = BigUint::ZERO;
    if small.iter().any(|prime| number % *prime == zero) {
        return false;
    }
    let one = BigUint::from(1_u32);
    let less = number - &one;
    let twos = less.trailing_zeros().unwrap_or(0);
    let odd = &less >> twos;
    (0..rounds).all(|_| {
        let base = random(world, Q_BITS) % &less + &one;
        let mut power = base.modpow(&odd, number);
        if power == one || power == less {
            return true;
        }
        for _ in 1..twos {
            power = power.modpow(&BigUint::from(2_u32), number);
            if power == less {
                return true;
            }
        }
        false
    })
}

/// A new key, as Go writes it.
pub(super) fn generate(world: &dyn Environment) -> Result<Vec<u8>, String> {
    let small = small_primes();
    let one = BigUint::from(1_u32);
    for _ in 0..MOST {
        let mut q = random(world, Q_BITS);
        q.set_bit(0, true);
        q.set_bit(Q_BITS - 1, true);
        if !is_prime(world, &q, &small, ROUNDS) {
            continue;
        }
        for _ in 0..4 * P_BITS {
            let mut p = random(world, P_BITS);
            p.set_bit(0, true);
            p.set_bit(P_BITS - 1, true);
            let rest = &p % &q;
            p = p - rest + &one;
            let good = p.bits() == P_BITS
                && p.bit(0)
                && is_prime(world, &p, &small, 1)
                && is_prime(world, &p, &small, ROUNDS);
            if good {
                return Ok(key(world, &p, &q));
            }
        }
    }
    Err("no prime was found".into())
}

fn key(world: &dyn Environment, p: &BigUint, q: &BigUint) -> Vec<u8> {
    let one = BigUint::from(1_u32);
    let exponent = (p - &one) / q;
    let mut base = BigUint::from(2_u32);
    let generator = loop {
        let generator = base.modpow(&exponent, p);
        if generator != one {
            break generator;
        }
        base += 1_u32;
    };
    let secret = random(world, Q_BITS + 64) % (q - &one) + &one;
    let public = generator.modpow(&secret, p);
    let numbers = [&BigUint::ZERO, p, q, &generator, &public, &secret];
    der::sequence(&numbers.map(|number| der::unsigned(&number.to_bytes_be())))
}
