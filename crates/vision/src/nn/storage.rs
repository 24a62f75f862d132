//! Weight files: read within limits, verified, and written as a whole or not at all. [`super::weights`] and
//! [`super::int8`] know their contents.

use super::NetworkError;
use atomic_write_file::AtomicWriteFile;
use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Metadata entry with the CRC-32 of the bytes of all tensors, in the order of their names.
pub(super) const CHECKSUM: &str = "crc32";
/// Maximum length of a weight file; a larger file is refused before it fills the memory.
const MAXIMUM_BYTES: u64 = 256 << 20;

/// A tensor to be written.
#[derive(Debug, Clone)]
pub(super) struct TensorBytes {
    /// Its element type, by the name of the format.
    pub dtype: &'static str,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Reads a regular file of at most `MAXIMUM_BYTES`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, NetworkError> {
    let of_file = |error| NetworkError::File { path: path.to_owned(), error };
    let file = std::fs::metadata(path).map_err(of_file)?;
    if !file.is_file() || file.len() > MAXIMUM_BYTES {
        let reason = format!("it is not a regular file of at most {} MiB", MAXIMUM_BYTES >> 20);
        return Err(NetworkError::Damaged { path: path.to_owned(), reason });
    }
    std::fs::read(path).map_err(of_file)
}

/// Reads the metadata of a file and verifies the checksum, if there is one.
pub(super) fn verified_metadata(
    bytes: &[u8],
    file: &SafeTensors<'_>,
) -> Result<BTreeMap<String, String>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let metadata: BTreeMap<_, _> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    if let Some(expected) = metadata.get(CHECKSUM) {
        let mut views = file.tensors();
        views.sort_by(|left, right| left.0.cmp(&right.0));
        let found = checksum(views.iter().map(|(_, view)| view.data()));
        if *expected != found {
            return Err(format!("its checksum is {found} instead of {expected}"));
        }
    }
    Ok(metadata)
}

/// CRC-32 of `parts` in eight hexadecimal digits.
pub(super) fn checksum<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    parts.for_each(|part| hasher.update(part));
    format!("{:08x}", hasher.finalize())
}

/// Makes a safetensors file with metadata and checksum. The same tensors and metadata always give the same
/// bytes: the header is composed here, because the safetensors crate keeps metadata in a hash map, whose
/// order changes from run to run.
pub(super) fn to_bytes(
    mut metadata: BTreeMap<String, String>,
    tensors: &BTreeMap<String, TensorBytes>,
) -> Vec<u8> {
    metadata.insert(CHECKSUM.to_owned(), checksum(tensors.values().map(|entry| entry.bytes.as_slice())));
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    // The format allows no gaps, and values should lie at multiples of their size: the widest come first.
    let mut order: Vec<_> = tensors.iter().collect();
    order.sort_by_key(|(_, entry)| match entry.dtype {
        "F32" | "I32" => 0,
        _ => 1,
    });
    let mut data = Vec::new();
    for (name, TensorBytes { dtype, shape, bytes }) in order {
        let start = data.len();
        data.extend_from_slice(bytes);
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' '); // the format aligns the values
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    bytes.append(&mut data);
    bytes
}

/// Replaces the file `path` by `bytes`, as a whole or not at all, even if the power fails.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), NetworkError> {
    let write = || {
        let mut file = AtomicWriteFile::open(path)?;
        file.write_all(bytes)?;
        file.commit()
    };
    write().map_err(|error| NetworkError::File { path: path.to_owned(), error })
}

/// Reads the metadata entry `key` as a number.
pub(super) fn number<T: std::str::FromStr>(
    metadata: &BTreeMap<String, String>,
    origin: &str,
    key: &str,
) -> Result<T, NetworkError> {
    let text = metadata.get(key);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| NetworkError::Mismatch {
        origin: origin.to_owned(),
        reason: format!("metadata entry {key} is {}", text.map_or("missing", String::as_str)),
    })
}
