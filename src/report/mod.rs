//! Result files and tables.

mod any;
mod check;
mod cluster;
pub mod compare;
mod conclusion;
mod costs;
mod escape;
mod folding;
mod format;
mod hardware;
mod link;
mod note;
mod page;
mod plot;
mod profile;
mod proof_size;
mod provenance;
mod result;
mod table;
mod validate;
mod verdict;
mod write;

pub use any::{AnyFile, is_any_file};
pub use check::MAX_BYTES;
pub use cluster::{CLUSTER_FORMAT, CLUSTER_VERSION, ClusterReport, SweepReport};
pub use costs::{costs, costs_in_chunks, folded_sizes};
pub use escape::plain as escape_text;
pub use folding::{
    Answer, FOLDING_FORMAT, FOLDING_VERSION, FoldModel, FoldingFile, StarkSize, TreeRow,
    fold_model, folding_schema, is_folding_file, read_folding,
};
use format::format_link;
pub use format::{
    format_bandwidth, format_bytes, format_count, format_counted, format_ratio, format_seconds,
    format_threads,
};
pub use link::{LINK_FORMAT, LINK_VERSION, LinkFile, is_link_file, link_schema, read_link};
pub use note::{MeasuredBy, NoteReport, format_figure};
pub use page::{Page, PageOptions, Source, is_page, page};
pub use plot::{Figure, MapData, Size, TimelineSpan};
pub use profile::{PROFILE_FORMAT, PROFILE_VERSION, ProfileFile, profile_schema, read_profile};
pub use proof_size::{
    PROOF_SIZE_FORMAT, PROOF_SIZE_VERSION, ProofSizes, proof_size_schema, read_proof_sizes,
};
pub use result::{ResultFile, SCHEMA_VERSION, Tool, schema};
pub use table::render;
pub use validate::{is_result_file, read};
pub use verdict::{BreakEven, Total, Verdict, Witnesses, verdicts};
pub use write::{to_json, write, write_text};
