//! What a verifier knows of a program: the commitment to its fixed columns.

use serde::{Deserialize, Serialize};

use super::params::Params;

/// The verification key of a program: the commitment to the fixed columns of its program table and
/// of the range table.
///
/// It depends on the program, on the blowup and on the cap height, and on nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProgramKey {
    /// Base-2 logarithm of the program table's height.
    pub log_rows: u8,
    /// Merkle cap over the low-degree extensions of the fixed columns.
    pub commitment: Vec<[u8; 32]>,
}

impl ProgramKey {
    /// BLAKE3 of the key and of the parameters it depends on: all that a verifier has to be told of
    /// a program.
    pub fn digest(&self, params: &Params) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"rewit program key 1\n");
        hasher.update(&[params.log_blowup, params.cap_height, self.log_rows]);
        hasher.update(self.commitment.as_flattened());
        hasher.finalize()
    }
}
