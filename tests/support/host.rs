//! C programs on the pure headers of the kernel program: compiled for the host, with its sanitizers where it has them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const FLAGS: [&str; 12] = [
    "-std=gnu11",
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-missing-field-initializers",
    "-I",
    "src/bpf",
    "-I",
    "tests/host",
    "-pipe",
];
const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// Compiles a source with these further arguments to a program of this name.
pub fn compile(source: &str, name: &str, arguments: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // One that root made would be in the way of who is not root.
    let _ = std::fs::remove_file(&program);
    let mut arguments = [&FLAGS[..], arguments].concat();
    if has_sanitizers() {
        arguments.extend(SANITIZERS);
    }
    let output = compiler(&arguments, Path::new(source), &program);
    assert!(
        output.status.success(),
        "compile {source}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    program
}

fn compiler(arguments: &[&str], source: &Path, program: &Path) -> Output {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    Command::new(&compiler)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .arg(source)
        .arg("-o")
        .arg(program)
        .output()
        .unwrap_or_else(|error| panic!("run {}: {error}", compiler.display()))
}

/// Whether this machine's compiler comes with the sanitizers' run-time libraries.
fn has_sanitizers() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let source = folder.path().join("empty.c");
        std::fs::write(&source, "int main(void) { return 0; }\n").expect("write a file");
        let program = folder.path().join("empty");
        let works = compiler(&SANITIZERS, &source, &program).status.success()
            && Command::new(&program)
                .status()
                .is_ok_and(|status| status.success());
        if !works {
            eprintln!("no sanitizers here: reads beyond a packet are not noticed");
        }
        works
    })
}
