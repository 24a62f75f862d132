//! Weights between those that a training started from and those that it fitted.

use maskwatch::nn::NetworkError;
use maskwatch::nn::weights::Weights;

/// Weights on the straight line from `start` (share 0) to `fitted` (share 1). In between they keep what the
/// start knew of pictures that the training hardly shows, at little cost to what was learned (Wortsman et al.
/// 2022, <https://arxiv.org/abs/2109.01903>).
///
/// # Errors
/// `start` lacks a tensor of `fitted`, or has it in another shape.
pub(super) fn blended(start: &Weights, fitted: &Weights, share: f64) -> Result<Weights, NetworkError> {
    let mut blended = fitted.clone();
    for (name, tensor) in fitted.tensors() {
        let origin = start.get(name, tensor.dims())?;
        blended.insert(name.clone(), ((tensor * share)? + (origin * (1.0 - share))?)?);
    }
    Ok(blended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};
    use std::collections::BTreeMap;

    #[test]
    fn blended_weights_lie_between_the_two() {
        let weights = |value: f32| {
            let tensor = Tensor::new(&[value, -value], &Device::Cpu).unwrap();
            Weights::new(BTreeMap::from([("bias".to_owned(), tensor)]), BTreeMap::new())
        };
        for (share, expected) in [(0.0, 2.0), (0.25, 3.0), (1.0, 6.0)] {
            let blended = blended(&weights(2.0), &weights(6.0), share).unwrap();
            let values = blended.get("bias", &[2]).unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(values, [expected, -expected]);
        }
    }
}
