//! Values that arguments of several networks take.

/// Reads a number that `fits`; `wanted` says in the error what it must be.
pub(super) fn number(text: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    text.parse().ok().filter(|&value| fits(value)).ok_or_else(|| format!("it must be {wanted}"))
}

/// Reads `NAME=FACTOR`.
pub(super) fn factor(text: &str) -> Result<(String, f64), String> {
    let (name, factor) = text.rsplit_once('=').ok_or("it must be NAME=FACTOR")?;
    let wanted = "NAME=FACTOR with a factor of 0 or above";
    Ok((name.to_owned(), number(factor, |factor| factor >= 0.0 && factor.is_finite(), wanted)?))
}

/// Reads a share between 0 and 1, neither of them.
pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |share| share > 0.0 && share < 1.0, "a number between 0 and 1")
}

/// Reads a share from 0 to 1, both included.
pub(super) fn whole_share(text: &str) -> Result<f64, String> {
    number(text, |share| (0.0..=1.0).contains(&share), "a number from 0 to 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_and_shares_are_checked() {
        assert_eq!(factor("scenes=3"), Ok(("scenes".to_owned(), 3.0)));
        assert_eq!(factor("a=b=0.5"), Ok(("a=b".to_owned(), 0.5)));
        for text in ["scenes", "scenes=", "scenes=-1", "scenes=nan", "scenes=inf"] {
            assert!(factor(text).is_err(), "{text}");
        }
        assert_eq!(share("0.2"), Ok(0.2));
        for text in ["0", "1", "-0.1", "nan", "20%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
