//! Files and tables of folding.

mod answers;
mod file;
mod model;
mod table;
mod validate;

pub use file::{FOLDING_FORMAT, FOLDING_VERSION, FoldingFile, folding_schema};
pub use model::{Answer, FoldModel, StarkSize, TreeRow, fold_model};
pub(super) use table::{markdown, wrap};
pub(super) use validate::{check_folding, check_table};
pub use validate::{is_folding_file, read_folding};
