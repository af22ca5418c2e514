//! Brings everything together: the only module that knows all others, and the only one that does I/O on its own.
//!
//! What can fail at start fails before the screen is touched. The sampler's thread owns the kernel side; this thread
//! owns the tracker and the application; snapshots come over a channel.

mod ancestors;
mod checks;
mod confined;
mod dashboard;
mod doctor;
mod error;
mod export_folder;
mod files;
mod fresh;
mod happening;
mod headless;
mod ipfix;
mod kept;
mod launch;
mod listing;
mod metrics;
mod names;
mod panics;
mod past;
mod record_file;
mod recorder;
mod recording_folder;
mod reload;
mod replay;
mod rights;
mod sampler;
mod save_view;
mod screen;
mod session;
mod setup;
mod signals;
mod sink;
mod updates;
mod waiting;
mod wake;
mod writer;

use std::ffi::OsString;
use std::io::Write;
use std::sync::Arc;

use nix::libc::SIGXFSZ;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use signal_hook::flag;

use crate::cli::{Arguments, Command, Exit, Failure, Invocation};
use crate::config::source::Surroundings;
use crate::probe::sources;

/// Runs flowtop with this command line, the program's name first, to its end.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    // What is written is its owner's alone, unless the folder says otherwise: a default ACL takes the umask's place.
    umask(umask(Mode::all()) | Mode::S_IRWXG | Mode::S_IRWXO);
    sources::keep_to_built_in();
    // A file as large as it may get is an error of whoever writes, and not the end of the run: the signal is caught.
    let _ = flag::register(SIGXFSZ, Arc::default());
    let arguments = match Arguments::read(words)? {
        Invocation::Run(arguments) => *arguments,
        Invocation::Print(text) => return print(&text),
    };
    let surroundings = Surroundings::of_process(arguments.config.clone());
    if arguments.check_config || arguments.print_config {
        return print(&setup::explain_config(&arguments, &surroundings)?);
    }
    if let Some(Command::Doctor(doctor)) = &arguments.command {
        return print(&match doctor.clean {
            true => doctor::clean()?,
            false => doctor::report(&arguments, &surroundings)?,
        });
    }
    if let Some(Command::Replay(wanted)) = &arguments.command {
        if arguments.has_options_of_a_run() {
            let text = "command line: options of a run stand in front of replay, which has its own behind it \
                        (flowtop replay --help)";
            return Err(Failure::new(Exit::Usage, text));
        }
        return replay::run(wanted, &surroundings);
    }
    crate::terminal::restore_before_panic();
    panics::end_with_any_thread();
    allow_many_files();
    let session = session::Session::start(arguments, surroundings)?;
    if session.is_headless() {
        headless::run(session)
    } else {
        dashboard::run(session)
    }
}

/// Each interface takes a file descriptor: as many as may be had, where nobody has set the limit for good.
fn allow_many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// Writes to standard output; a reader that went away is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match crate::terminal::output().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Failed,
            format!("write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}
