//! `flowtop replay`: what to say again of a recording.

use std::path::PathBuf;

use clap::Args;

use super::Moment;
use super::words::{filter, order};
use crate::model::column::Sort;

/// What to say again of a recording.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Replay {
    /// Folder that the run was recorded into.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// One JSON object per interval on standard output.
    #[arg(long, required_unless_present = "text", conflicts_with = "text")]
    pub json: bool,

    /// A plain table per interval.
    #[arg(long)]
    pub text: bool,

    /// From when on: a time such as '2026-11-25 03:10', or how long ago, such as -2h.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub from: Option<Moment>,

    /// Until when; as --from.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true)]
    pub to: Option<Moment>,

    /// Flows to list, such as 'udp and loss>1'; the others are summed up.
    #[arg(long, value_name = "EXPR", value_parser = filter, allow_hyphen_values = true)]
    pub filter: Option<String>,

    /// List the first N flows by the order of SORT, and sum the others up.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,

    /// Id or short name of the column to sort flows by; `-` in front: largest first. [default: as it was recorded]
    #[arg(long, value_name = "COLUMN", value_parser = order, allow_hyphen_values = true)]
    pub sort: Option<Sort>,
}
