//! The weight file of the quantized networks: a safetensors file, the same for all instruction sets.
//!
//! A layer called NAME has these tensors:
//!
//! - `NAME.weight`, I8, `[outputs, length]`
//! - `NAME.bias`, I32, `[outputs]`
//! - `NAME.multiplier`, F32, `[outputs]`: input scale · weight scale / output scale
//! - `NAME.zero_points`, U8, `[2]`: input, output
//!
//! candle has no signed 8-bit integers, so tensors stay bytes here and go straight into the kernels' panels.

use crate::nn::NetworkError;
use crate::nn::storage;
use maskwatch_kernels::int8::pack::{PackError, Requantization};
use safetensors::{Dtype, SafeTensors};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// The file that [`QuantizedWeights::embedded`] reads.
static EMBEDDED: &[u8] = include_bytes!("../../../../../models/int8.safetensors");
/// The bytes of the built-in weights, as the program's file has them.
#[must_use]
pub fn embedded_bytes() -> &'static [u8] {
    EMBEDDED
}

/// Key and value of the metadata entry for the file's format.
pub const FORMAT: (&str, &str) = ("format", "maskwatch int8 3");

/// A tensor's element type and extents, and where its bytes are in the file.
#[derive(Debug, Clone)]
struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    range: std::ops::Range<usize>,
}

/// The tensors of the quantized networks by name, with the file's metadata.
#[derive(Debug, Clone)]
pub struct QuantizedWeights {
    bytes: Cow<'static, [u8]>,
    tensors: BTreeMap<String, StoredTensor>,
    /// What the file says about itself: classes, preprocessing, data, figures.
    pub metadata: BTreeMap<String, String>,
    origin: String,
}

impl QuantizedWeights {
    /// The weights that this program was built with.
    ///
    /// # Errors
    /// When the program was built with a damaged file.
    pub fn embedded() -> Result<Self, NetworkError> {
        Self::parse(Cow::Borrowed(EMBEDDED), "the built-in int8 weights", Path::new("built-in int8 weights"))
    }

    /// Reads a weight file that `maskwatch-lab quantize` wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged or cut, fails its checksum, or has another format.
    pub fn load(path: &Path) -> Result<Self, NetworkError> {
        Self::from_bytes(storage::read(path)?, path)
    }

    /// Reads the bytes of a weight file; errors name `path`.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: Vec<u8>, path: &Path) -> Result<Self, NetworkError> {
        Self::parse(Cow::Owned(bytes), &path.display().to_string(), path)
    }

    fn parse(bytes: Cow<'static, [u8]>, origin: &str, path: &Path) -> Result<Self, NetworkError> {
        let damaged = |reason: String| NetworkError::Damaged { path: path.to_owned(), reason };
        let (tensors, metadata) = {
            let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
            let metadata = storage::verified_metadata(&bytes, &file).map_err(damaged)?;
            let start = bytes.as_ptr() as usize;
            let view = |view: &safetensors::tensor::TensorView<'_>| {
                let from = view.data().as_ptr() as usize - start;
                StoredTensor {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    range: from..from + view.data().len(),
                }
            };
            let tensors = file.iter().map(|(name, tensor)| (name.to_owned(), view(&tensor))).collect();
            (tensors, metadata)
        };
        let this = Self { bytes, tensors, metadata, origin: origin.to_owned() };
        match this.metadata.get(FORMAT.0) {
            Some(format) if format == FORMAT.1 => Ok(this),
            other => Err(this.mismatch(format!(
                "its format is {}, not {}",
                other.map_or("not given", String::as_str),
                FORMAT.1
            ))),
        }
    }

    /// Where the weights came from, for error messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn mismatch(&self, reason: String) -> NetworkError {
        NetworkError::Mismatch { origin: self.origin.clone(), reason }
    }

    fn get(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&[u8], NetworkError> {
        let view =
            self.tensors.get(name).ok_or_else(|| self.mismatch(format!("tensor {name} is missing")))?;
        if view.dtype != dtype || view.shape != shape {
            return Err(self.mismatch(format!(
                "tensor {name} is {:?} {:?} where it should be {dtype:?} {shape:?}",
                view.dtype, view.shape
            )));
        }
        Ok(&self.bytes[view.range.clone()])
    }

    /// The values of the F32 tensor `name` with extents `shape`.
    ///
    /// # Errors
    /// When it is missing or has other extents, or a value is not finite.
    pub fn reals(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
        let bytes = self.get(name, Dtype::F32, shape)?;
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(self.mismatch(format!("tensor {name} has values that are not finite")))
        }
    }

    /// The single value of the U8 tensor `name`.
    ///
    /// # Errors
    /// When it is missing or not a single value.
    pub fn byte(&self, name: &str) -> Result<u8, NetworkError> {
        Ok(self.get(name, Dtype::U8, &[1])?[0])
    }

    /// Weights (`[outputs, length]`) and requantization of the layer `name`.
    ///
    /// # Errors
    /// When one of its tensors is missing or has other extents.
    pub fn layer(
        &self,
        name: &str,
        outputs: usize,
        length: usize,
    ) -> Result<(Vec<i8>, Requantization), NetworkError> {
        let weights = self.get(&format!("{name}.weight"), Dtype::I8, &[outputs, length])?;
        let bias = self.get(&format!("{name}.bias"), Dtype::I32, &[outputs])?;
        let zero_points = self.get(&format!("{name}.zero_points"), Dtype::U8, &[2])?;
        let requantization = Requantization {
            bias: bias.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect(),
            multiplier: self.reals(&format!("{name}.multiplier"), &[outputs])?,
            input_zero_point: zero_points[0],
            output_zero_point: zero_points[1],
        };
        Ok((weights.iter().map(|byte| *byte as i8).collect(), requantization))
    }

    pub(super) fn packed<T>(&self, name: &str, layer: Result<T, PackError>) -> Result<T, NetworkError> {
        layer.map_err(|error| self.mismatch(format!("layer {name} cannot be used: {error}")))
    }

    /// The metadata entry `key` as a number of type `T`.
    ///
    /// # Errors
    /// When it is missing or not such a number.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, NetworkError> {
        storage::number(&self.metadata, &self.origin, key)
    }
}

/// A quantized weight file that is being made.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    tensors: BTreeMap<String, storage::TensorBytes>,
    /// What the file is to say about itself.
    pub metadata: BTreeMap<String, String>,
}

impl Draft {
    /// Adds a layer; `weights` are `[outputs, length]`.
    pub fn layer(&mut self, name: &str, weights: &[i8], requantization: &Requantization) {
        let outputs = requantization.bias.len();
        let bytes = weights.iter().map(|weight| *weight as u8).collect();
        self.add(&format!("{name}.weight"), "I8", &[outputs, weights.len() / outputs.max(1)], bytes);
        let bias = requantization.bias.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(&format!("{name}.bias"), "I32", &[outputs], bias);
        self.reals(&format!("{name}.multiplier"), &[outputs], &requantization.multiplier);
        let zero_points = vec![requantization.input_zero_point, requantization.output_zero_point];
        self.add(&format!("{name}.zero_points"), "U8", &[2], zero_points);
    }

    /// Adds an f32 tensor.
    pub fn reals(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.add(name, "F32", shape, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }

    /// Adds a single byte.
    pub fn byte(&mut self, name: &str, value: u8) {
        self.add(name, "U8", &[1], vec![value]);
    }

    /// Adds the tensors of another file whose names begin with `prefix`, as they are.
    pub fn copy(&mut self, from: &QuantizedWeights, prefix: &str) {
        let wanted = from.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        for (name, StoredTensor { dtype, shape, range }) in wanted {
            let dtype = match dtype {
                Dtype::I8 => "I8",
                Dtype::I32 => "I32",
                Dtype::U8 => "U8",
                // What readers ask for has no other type.
                _ => "F32",
            };
            self.add(name, dtype, shape, from.bytes[range.clone()].to_vec());
        }
    }

    fn add(&mut self, name: &str, dtype: &'static str, shape: &[usize], bytes: Vec<u8>) {
        self.tensors.insert(name.to_owned(), storage::TensorBytes { dtype, shape: shape.to_vec(), bytes });
    }

    /// The bytes of the file. The same tensors and metadata always give the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut metadata = self.metadata.clone();
        metadata.insert(FORMAT.0.to_owned(), FORMAT.1.to_owned());
        storage::to_bytes(metadata, &self.tensors)
    }

    /// Writes the file. An existing file is replaced as a whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), NetworkError> {
        storage::replace(path, &self.to_bytes())
    }

    /// The weights as a reader of the file will get them.
    ///
    /// # Errors
    /// When the file would not pass the checks of a reader; never in practice.
    pub fn weights(&self) -> Result<QuantizedWeights, NetworkError> {
        QuantizedWeights::parse(Cow::Owned(self.to_bytes()), "the quantized weights", Path::new("memory"))
    }
}
