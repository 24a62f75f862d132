//! Named tensors and what is said about them, read from and written to safetensors files.
//!
//! Files written here carry a checksum of all values in their metadata; it is verified whenever it is there.

use super::NetworkError;
use super::storage::{self, TensorBytes};
use candle_core::{DType, Device, Tensor, Var};
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The f32 tensors of a weight file by name, with its metadata.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    /// What the file says about itself: classes, preprocessing, data, figures.
    pub metadata: BTreeMap<String, String>,
    origin: String,
}

impl Weights {
    /// Weights that come from nowhere but memory.
    #[must_use]
    pub fn new(tensors: BTreeMap<String, Tensor>, metadata: BTreeMap<String, String>) -> Self {
        Self { tensors, metadata, origin: "the weights in memory".to_owned() }
    }

    /// Reads a safetensors file of f32 (or f16) tensors.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged or cut, fails its checksum, or holds values that are not
    /// finite.
    pub fn load(path: &Path) -> Result<Self, NetworkError> {
        Self::from_bytes(&storage::read(path)?, path)
    }

    /// The same from the bytes of a file; `path` stands for it in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, NetworkError> {
        let damaged = |reason: String| NetworkError::Damaged { path: path.to_owned(), reason };
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
        let metadata = storage::verified_metadata(bytes, &file).map_err(damaged)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            use candle_core::safetensors::Load;
            let tensor = view.load(&Device::Cpu).and_then(|tensor| tensor.to_dtype(DType::F32));
            let tensor = tensor.map_err(|error| damaged(format!("tensor {name}: {error}")))?;
            let finite = tensor.flatten_all()?.to_vec1::<f32>()?.iter().all(|value| value.is_finite());
            if !finite {
                return Err(damaged(format!("tensor {name} has values that are not finite")));
            }
            tensors.insert(name, tensor);
        }
        Ok(Self { tensors, metadata, origin: path.display().to_string() })
    }

    /// Writes a safetensors file with metadata and checksum; an existing file is replaced as a whole or not
    /// at all.
    ///
    /// # Errors
    /// When a file cannot be written in that folder, or a tensor is not f32.
    pub fn save(&self, path: &Path) -> Result<(), NetworkError> {
        let entry = |(name, tensor): (&String, &Tensor)| {
            let entry = TensorBytes { dtype: "F32", shape: tensor.dims().to_vec(), bytes: bytes_of(tensor)? };
            Ok((name.clone(), entry))
        };
        let tensors = self.tensors.iter().map(entry).collect::<Result<_, NetworkError>>()?;
        storage::replace(path, &storage::to_bytes(self.metadata.clone(), &tensors))
    }

    /// CRC-32 of all tensors' bytes in the order of their names, as eight hexadecimal digits.
    ///
    /// # Errors
    /// When a tensor is not f32.
    pub fn checksum(&self) -> Result<String, NetworkError> {
        let bytes = self.tensors.values().map(bytes_of).collect::<Result<Vec<_>, _>>()?;
        Ok(storage::checksum(bytes.iter().map(Vec::as_slice)))
    }

    /// Where the weights came from, for error messages.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All tensors by name.
    #[must_use]
    pub fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// Whether there is a tensor of this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name`, which must have the given extents.
    ///
    /// # Errors
    /// When it is missing or has other extents.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor, NetworkError> {
        let mismatch = |reason| NetworkError::Mismatch { origin: self.origin.clone(), reason };
        let tensor = self.tensors.get(name).ok_or_else(|| mismatch(format!("tensor {name} is missing")))?;
        if tensor.dims() == shape {
            Ok(tensor.clone())
        } else {
            Err(mismatch(format!("tensor {name} is {:?} where it should be {shape:?}", tensor.dims())))
        }
    }

    /// The metadata entry `key` as a number of the wanted kind.
    ///
    /// # Errors
    /// When it is missing or no such number.
    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T, NetworkError> {
        storage::number(&self.metadata, &self.origin, key)
    }

    /// Puts `tensor` in the place of the one of that name, or adds it.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    /// Makes the tensors that `trainable` picks by name into variables; networks made from these weights
    /// afterwards follow every change of a variable. Returns the variables by name.
    ///
    /// # Errors
    /// When candle cannot copy a tensor.
    pub fn unfreeze(
        &mut self,
        trainable: impl Fn(&str) -> bool,
    ) -> Result<BTreeMap<String, Var>, NetworkError> {
        let mut variables = BTreeMap::new();
        for (name, tensor) in self.tensors.iter_mut().filter(|(name, _)| trainable(name)) {
            let variable = Var::from_tensor(tensor)?;
            *tensor = variable.as_tensor().clone();
            variables.insert(name.clone(), variable);
        }
        Ok(variables)
    }
}

fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>, NetworkError> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?.iter().flat_map(|value| value.to_le_bytes()).collect())
}

/// The folders that are searched for shipped weights, in order: `$MASKWATCH_MODELS`, `models` in the working
/// directory, `models` beside the executable's folder, `/usr/share/maskwatch/models`.
#[must_use]
pub fn folders() -> Vec<PathBuf> {
    let named = std::env::var_os("MASKWATCH_MODELS").map(PathBuf::from);
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.parent()?.join("models")));
    let fixed = ["models", "/usr/share/maskwatch/models"].map(PathBuf::from);
    let [local, installed] = fixed;
    named.into_iter().chain([local]).chain(beside).chain([installed]).collect()
}

/// The first shipped weight file called `name` in [`folders`].
///
/// # Errors
/// When there is none; the error names the last place that was looked at.
pub fn find(name: &str) -> Result<PathBuf, NetworkError> {
    let candidates: Vec<PathBuf> = folders().into_iter().map(|folder| folder.join(name)).collect();
    candidates.iter().find(|path| path.is_file()).cloned().ok_or_else(|| NetworkError::File {
        path: candidates.last().cloned().unwrap_or_default(),
        error: std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "no such weights in any of the usual folders ($MASKWATCH_MODELS, ./models and this one)",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Weights {
        let tensor = Tensor::new(&[[1.0f32, -2.5], [0.25, 8.0]], &Device::Cpu).unwrap();
        let metadata = BTreeMap::from([("classes".to_owned(), "mask,no_mask".to_owned())]);
        Weights::new(BTreeMap::from([("layer.weight".to_owned(), tensor)]), metadata)
    }

    #[test]
    fn files_hold_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.safetensors");
        sample().save(&path).unwrap();
        let loaded = Weights::load(&path).unwrap();
        assert_eq!(loaded.metadata["classes"], "mask,no_mask");
        let tensor = loaded.get("layer.weight", &[2, 2]).unwrap();
        assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0, -2.5], [0.25, 8.0]]);
        assert!(matches!(loaded.get("layer.weight", &[4]), Err(NetworkError::Mismatch { .. })));
        assert!(matches!(loaded.get("layer.bias", &[2]), Err(NetworkError::Mismatch { .. })));
    }

    #[test]
    fn the_same_weights_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| folder.path().join(name));
        let mut weights = sample();
        weights.metadata.extend((0..20).map(|i| (format!("entry {i}"), "value".to_owned())));
        files.iter().for_each(|path| weights.save(path).unwrap());
        assert_eq!(std::fs::read(&files[0]).unwrap(), std::fs::read(&files[1]).unwrap());
        assert_eq!(
            Weights::load(&files[0]).unwrap().metadata[storage::CHECKSUM],
            weights.checksum().unwrap()
        );
    }

    #[test]
    fn every_flipped_bit_of_the_values_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.safetensors");
        sample().save(&path).unwrap();
        let sound = std::fs::read(&path).unwrap();
        for bit in 0..16 * 8 {
            let mut bytes = sound.clone();
            let at = bytes.len() - 1 - bit / 8;
            bytes[at] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(Weights::load(&path), Err(NetworkError::Damaged { .. })), "bit {bit}");
        }
    }

    #[test]
    fn every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.safetensors");
        sample().save(&path).unwrap();
        let sound = std::fs::read(&path).unwrap();
        for length in 0..sound.len() {
            std::fs::write(&path, &sound[..length]).unwrap();
            assert!(matches!(Weights::load(&path), Err(NetworkError::Damaged { .. })), "{length} bytes");
        }
    }

    #[test]
    fn networks_follow_their_variables() {
        let mut weights = sample();
        let variables = weights.unfreeze(|name| name.ends_with(".weight")).unwrap();
        let seen = weights.get("layer.weight", &[2, 2]).unwrap();
        variables["layer.weight"].set(&seen.affine(2.0, 0.0).unwrap()).unwrap();
        assert_eq!(seen.to_vec2::<f32>().unwrap(), [[2.0, -5.0], [0.5, 16.0]]);
    }
}
