//! Result files and tables.

mod any;
mod conclusion;
mod costs;
mod folding;
mod format;
mod note;
mod proof_size;
mod result;
mod table;
mod validate;
mod verdict;
mod write;

pub use any::AnyFile;
pub use costs::{costs, costs_in_chunks, folded_sizes};
pub use folding::{
    Answer, FOLDING_FORMAT, FOLDING_VERSION, FoldModel, FoldingFile, StarkSize, TreeRow,
    fold_model, folding_schema, is_folding_file, read_folding,
};
pub use format::{format_bandwidth, format_bytes, format_count, format_ratio, format_seconds};
pub use note::{MeasuredBy, NoteReport, format_figure};
pub use proof_size::{PROOF_SIZE_VERSION, ProofSizes};
pub use result::{ResultFile, SCHEMA_VERSION, Tool, schema};
pub use table::render;
pub use validate::{MAX_BYTES, is_result_file, read};
pub use verdict::{BreakEven, Total, Verdict, Witnesses, verdicts};
pub use write::{to_json, write, write_text};
