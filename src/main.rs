//! flowtop: a full-screen terminal dashboard for the quality of network flows.

use std::process::ExitCode;

use flowtop::cli::Exit;

fn main() -> ExitCode {
    match flowtop::runtime::run(std::env::args_os()) {
        Ok(()) => Exit::Fine.into(),
        Err(failure) => {
            eprintln!("{failure}");
            failure.code.into()
        }
    }
}
