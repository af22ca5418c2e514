//! `flowtop replay`: what to show of a recording, or to say again.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::words::{ColumnList, check, columns, filter, listen_address, order};
use super::{ColorChoice, Moment};
use crate::model::check::Check;
use crate::model::column::Sort;

/// What to show of a recording, or to say again.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct Replay {
    /// Folder that the run was recorded into.
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Open the dashboard at this moment: a time such as '2026-11-25 03:10', or how long ago, such as -2h.
    /// [default: the end, and on with what comes, where the run goes on; else the beginning]
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true,
          conflicts_with_all = ["json", "text", "checks", "report"])]
    pub at: Option<Moment>,

    /// No screen: one JSON object per interval on standard output.
    #[arg(long, conflicts_with = "text")]
    pub json: bool,

    /// No screen: a plain table per interval.
    #[arg(long)]
    pub text: bool,

    /// Without a screen: from when on; as --at.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true,
          conflicts_with = "at")]
    pub from: Option<Moment>,

    /// Without a screen: until when; as --at.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, allow_hyphen_values = true,
          conflicts_with = "at")]
    pub to: Option<Moment>,

    /// Flows to list, such as 'udp and loss>1': on the dashboard the filter of the views of flows at first; without a
    /// screen, the others are summed up.
    #[arg(long, value_name = "EXPR", value_parser = filter, allow_hyphen_values = true)]
    pub filter: Option<String>,

    /// Without a screen: list the first N flows by the order of SORT, and sum the others up.
    #[arg(long, value_name = "N", conflicts_with = "at")]
    pub top: Option<usize>,

    /// Id or short name of the column to sort flows by; `-` in front: largest first. [default: as it was recorded]
    #[arg(long, value_name = "COLUMN", value_parser = order, allow_hyphen_values = true)]
    pub sort: Option<Sort>,

    /// Columns of flows on the dashboard and of --text, by ids or short names, such as source,destination,rate,loss,ttl.
    /// [default: as it was recorded; of --text a set of its own]
    #[arg(long, value_name = "COLUMNS", value_parser = columns, conflicts_with = "json")]
    pub columns: Option<ColumnList>,

    /// Check, such as 'port:5201 => loss<0.1 and flows>=1': each flow that the filter before the arrow takes has to satisfy the
    /// condition behind it, over the span of --from and --to; repeatable; exit code 3 if one does not hold. Without --json
    /// and --text there are no records, and no screen. [default: ASSERT of the recording, with --json, --text or --report]
    #[arg(long = "assert", value_name = "CHECK", value_parser = check, allow_hyphen_values = true)]
    pub checks: Vec<Check>,

    /// Write what the checks came to into this file, as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// Serve metrics for Prometheus, and what scrapes like it, at this address, without one to this host only: of the moment
    /// that is shown, or of the records.
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = listen_address)]
    pub listen: Option<SocketAddr>,

    /// Folder that the key `e` writes to; if missing, it is made, and given to the user that the replay goes on as.
    /// [default: the working folder]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["json", "text", "checks", "report"])]
    pub export_dir: Option<PathBuf>,

    /// When to use colours. `NO_COLOR` is honoured.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t)]
    pub color: ColorChoice,

    /// Draw with ASCII characters only, also where the locale and TERM allow others.
    #[arg(long)]
    pub ascii: bool,
}
