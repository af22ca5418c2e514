//! flowtop: a full-screen terminal dashboard for the quality of network flows.

use std::io::Write;
use std::process::ExitCode;

use flowtop::cli::Exit;
use flowtop::model::harmless::harmless;
use flowtop::probe::large_pages::LargePages;

#[global_allocator]
static ALLOCATOR: LargePages = LargePages;

fn main() -> ExitCode {
    match flowtop::runtime::run(std::env::args_os()) {
        Ok(()) => Exit::Fine.into(),
        Err(failure) => {
            // Standard error may be a terminal that is gone: nobody is left to be told.
            let mut errors = std::io::stderr().lock();
            for line in failure.to_string().lines() {
                let _ = writeln!(errors, "{}", harmless(line));
            }
            failure.code.into()
        }
    }
}
