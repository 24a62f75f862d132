//! Mask or no mask, for the faces of one picture. How many such answers make a verdict is [`crate::decide`]'s business.
