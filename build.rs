//! Compiles the kernel program and generates its skeleton; the same source once more for the host, for captures.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=src/bpf");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    SkeletonBuilder::new()
        .source("src/bpf/flowtop.bpf.c")
        .clang_args(clang_args()?)
        .build_and_generate(out.join("flowtop.skel.rs"))
        .context("compile src/bpf/flowtop.bpf.c (it needs clang and the kernel's user-space headers: see README.md)")?;
    cc::Build::new()
        .file("src/bpf/host/native.c")
        .include("src/bpf/host")
        .std("gnu11")
        .opt_level(2)
        // Keys are compared by words, whatever they consist of.
        .flag("-fno-strict-aliasing")
        .flag("-fvisibility=hidden")
        .flag("-Wno-unknown-pragmas")
        .extra_warnings(true)
        .warnings_into_errors(true)
        .try_compile("flowtop_native")
        .context("compile src/bpf/host/native.c (it needs a C compiler and the kernel's user-space headers: see README.md)")
}

/// Atomics that return a value need the third instruction set; Debian keeps `asm/` in a folder of the architecture, and that of
/// another one than the machine's beside its cross compiler.
fn clang_args() -> Result<Vec<OsString>> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").context("CARGO_CFG_TARGET_ARCH is not set")?;
    Ok([
        "-mcpu=v3".into(),
        "-Wall".into(),
        "-Werror".into(),
        format!("-I/usr/include/{arch}-linux-gnu").into(),
        format!("-idirafter/usr/{arch}-linux-gnu/include").into(),
    ]
    .into())
}
