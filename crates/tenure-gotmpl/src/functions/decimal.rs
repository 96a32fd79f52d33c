//! Decimal numbers, in which sprig does its float arithmetic.

use num_bigint::{BigInt, Sign};

/// Decimals after the point that a division gives.
const DIVISION_PRECISION: i64 = 16;

/// `value * 10^exponent`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decimal {
    value: BigInt,
    exponent: i64,
}

fn power(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent.max(0)).unwrap_or(0))
}

impl Decimal {
    /// The shortest decimal that reads as this float; none for infinities and NaN.
    pub(super) fn from_float(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let exponent: i64 = exponent.parse().ok()?;
        let decimals = mantissa.split_once('.').map_or(0, |(_, part)| part.len());
        Some(Self {
            value: mantissa.replace('.', "").parse().ok()?,
            exponent: exponent - i64::try_from(decimals).ok()?,
        })
    }

    /// The float nearest to it.
    pub(super) fn to_float(&self) -> f64 {
        format!("{}e{}", self.value, self.exponent).parse().unwrap_or(0.0)
    }

    fn aligned(&self, other: &Self) -> (BigInt, BigInt, i64) {
        let exponent = self.exponent.min(other.exponent);
        (
            &self.value * power(self.exponent - exponent),
            &other.value * power(other.exponent - exponent),
            exponent,
        )
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            value: a + b,
            exponent,
        }
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        let (a, b, exponent) = self.aligned(other);
        Self {
            value: a - b,
            exponent,
        }
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        Self {
            value: &self.value * &other.value,
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient, rounded half away from zero; none for division by zero.
    pub(super) fn div(&self, other: &Self) -> Option<Self> {
        if other.value.sign() == Sign::NoSign {
            return None;
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let a = &self.value * power(shift);
        let b = &other.value * power(-shift);
        let (mut quotient, rest) = (&a / &b, &a % &b);
        let twice = BigInt::from(2) * BigInt::from(rest.magnitude().clone());
        if twice >= BigInt::from(b.magnitude().clone()) {
            let negative = self.value.sign() != Sign::NoSign && self.value.sign() != other.value.sign();
            quotient += if negative { -1 } else { 1 };
        }
        Some(Self {
            value: quotient,
            exponent: -DIVISION_PRECISION,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(float: f64) -> Decimal {
        Decimal::from_float(float).expect("finite")
    }

    #[test]
    fn arithmetic_is_decimal() {
        let sum = decimal(0.1).add(&decimal(0.2)).to_float();
        assert_eq!(sum.to_string(), "0.3");
        assert_eq!(decimal(3.0).mul(&decimal(1.1)).to_float().to_string(), "3.3");
        let third = decimal(1.0).div(&decimal(3.0)).expect("a quotient");
        assert_eq!(third.to_float().to_string(), "0.3333333333333333");
        let two_thirds = decimal(-2.0).div(&decimal(3.0)).expect("a quotient");
        assert_eq!(two_thirds.to_float().to_string(), "-0.6666666666666667");
        assert_eq!(decimal(1.0).div(&decimal(0.0)), None);
        assert_eq!(Decimal::from_float(f64::NAN), None);
    }
}
