//! flowtop: a full-screen terminal dashboard for the quality of network flows.

use std::io::Write;
use std::process::ExitCode;

use flowtop::cli::Exit;

fn main() -> ExitCode {
    match flowtop::runtime::run(std::env::args_os()) {
        Ok(()) => Exit::Fine.into(),
        Err(failure) => {
            // Standard error may be a terminal that is gone: nobody is left to be told.
            let _ = writeln!(std::io::stderr(), "{failure}");
            failure.code.into()
        }
    }
}
