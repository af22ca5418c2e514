"""Mutants of the kernel program: each comparison, mask, shift, sum and constant of its headers, one at a time.

Tests on the host come first, of the headers that they see: cases (tests/host, in seconds), then what chance shows to headers and
reference (tests/host_c/series.rs, tests/fuzz.rs). What survives goes into the kernel: a build of tests/bpf_run that takes the
program from a file. With FLOWTOP_SKIP_ROOT_TESTS=1 the host alone is asked.
"""

import collections
import contextlib
import functools
import itertools
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

from outcome import CAUGHT, ROOT, SAME, SURVIVED, UNVIABLE, Ledger, name_all

FOLDER = ROOT / "src/bpf"
HEADERS = sorted(path.name for path in FOLDER.glob("*.h") if path.name != "types.h")
PROGRAM = "flowtop.bpf.c"
# Quick ones first; each is asked only about what the one before did not notice. Those of chance compile the headers themselves.
BY_CHANCE = {
    **dict.fromkeys(["sequence.h", "series.h"], ("series", ["host_c", "series::"])),
    **dict.fromkeys(["packet.h", "parse.h", "segments.h", "transport.h"], ("judge", ["fuzz", "the_headers_alone"])),
}
IN_KERNEL = [
    ["bpf_run", "listed", "in_force"],
    ["bpf_run", "arrivals", "conservation", "contended", "tunnels", "without_ethernet"],
    ["bpf_run", "settled", "truncated", "wire"],
    ["bpf_run", "groups", "owners", "readmitted", "room"],
    ["bpf_run", "a_hundred_thousand"],
]
BINARY = {
    "==": ["!="], "!=": ["=="], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "&&": ["||"], "||": ["&&"], "&": ["|"], "|": ["&"], "^": ["|"], "<<": [">>"], ">>": ["<<"],
    "+": ["-"], "-": ["+"], "%": ["/"], "/": ["%"],
    "+=": ["-="], "-=": ["+="], "&=": ["|="], "|=": ["&="], "<<=": [">>="], ">>=": ["<<="],
}  # fmt: skip
TOKEN = re.compile(
    r"(?P<skip>/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
    r"|^[ \t]*\#[ \t]*(?!define\s+\w+\s+\S)[^\n]*|^_Static_assert.*?;$|__(?:uint|type|array)\(.*?\);)"
    r"|(?P<binary>(?<=\s)(?:" + "|".join(re.escape(op) for op in sorted(BINARY, key=len, reverse=True)) + r")(?=\s))"
    r"|(?P<unary>[!~](?=[\w(]))"
    r"|(?P<constant>(?<![\w.])(?:0[xX][0-9a-fA-F]+|\d+)(?=[uUlL]*\b))",
    re.MULTILINE | re.DOTALL,
)
FUNCTION = re.compile(r"^(?:static |__noinline |__always_inline |int |SEC\()[^;=]*?\b(\w+)\([^;{]*\)\n\{.*?^\}", re.M | re.S)


def replacements(match):
    text = match.group()
    if match.lastgroup == "binary":
        return BINARY[text]
    if match.lastgroup == "unary":
        return [""]
    if match.lastgroup == "constant":
        value = int(text, 0)
        return [format(other, "#x" if text[:2].lower() == "0x" else "d") for other in (value + 1, value - 1) if other >= 0]
    return []


def mutants_of(header):
    """Yields ((file, change, line, column), the text with the change)."""
    text = (FOLDER / header).read_text()
    functions = [(found.span(), found.group(1)) for found in FUNCTION.finditer(text)]
    for match in TOKEN.finditer(text):
        for new in replacements(match):
            at = match.start()
            inside = next((name for (start, end), name in functions if start <= at < end), None)
            line_start = text.rfind("\n", 0, at) + 1
            change = f"replace {match.group()} with {new or 'nothing'}" + (f" in {inside}" if inside else "")
            where = (f"src/bpf/{header}", change, text.count("\n", 0, at) + 1, at - line_start)
            yield where, text[:at] + new + text[match.end() :]


def includes(path):
    return re.findall(r'^#include "(.*)"', path.read_text(), re.M)


@functools.cache
def programs_that_see(header):
    """The tests on the host that include it, themselves or by other headers."""
    seen = []
    for path in sorted((ROOT / "tests/host").glob("*.c")):
        waiting, reached = includes(path), set()
        while waiting:
            name = waiting.pop()
            found = [folder / name for folder in (FOLDER, path.parent) if (folder / name).exists()]
            if name not in reached and found:
                reached.add(name)
                waiting += includes(found[0])
        # Others are asked by programs, and have no tests of their own.
        if "run_tests(TESTS" in path.read_text() and header in reached:
            seen.append(path.stem)
    return seen


class Bench:
    """A copy of the tree that mutants are made in, and what was built of it."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.tree = folder / "tree"
        copy_tree(self.tree)
        self.built = Built(folder, self.tree)
        self.originals, self.catches = {}, collections.Counter()
        for program, _ in BY_CHANCE.values():
            self.compile(program, SERVING)
            self.is_original(program, SERVING)
        self.seconds = {name: self.measure(name) for name in programs}

    def measure(self, name):
        started = time.monotonic()
        for flags in HOST_FLAGS:
            if self.try_cases(name, flags) != SURVIVED:
                raise SystemExit(f"mutants: tests/host/{name}.c: fails without any change")
            self.is_original(name, flags)
        return time.monotonic() - started

    def compile(self, name, flags):
        program = self.folder / f"host-{name}"
        command = [os.environ.get("CC", "cc"), *flags, f"tests/host/{name}.c", "-o", str(program)]
        done = subprocess.run(command, cwd=self.tree, capture_output=True)
        return program if done.returncode == 0 else None

    def is_original(self, name, flags):
        """Whether a program that was just compiled is what it is without any change, as the first one asked about is."""
        code = (self.folder / f"host-{name}").read_bytes()
        return self.originals.setdefault((name, *flags), code) == code

    def try_cases(self, name, flags):
        program = self.compile(name, flags)
        if not program:
            return UNVIABLE
        if (name, *flags) in self.originals and self.is_original(name, flags):
            return SAME
        tests = subprocess.run([program], capture_output=True, text=True).stdout.split()
        return SURVIVED if tests and all(succeeds([program, test], 20) for test in tests) else CAUGHT

    def passes_chance(self, header):
        program, step = BY_CHANCE[header]
        return (self.compile(program, SERVING) and self.is_original(program, SERVING)) or self.built.passes(step)

    @functools.cached_property
    def kernel(self):
        return Kernel(self.folder, self.tree, self.built)

    @contextlib.contextmanager
    def changed(self, header, text):
        path = self.tree / "src/bpf" / header
        former = path.read_text()
        path.write_text(text)
        try:
            yield changed_define(former, text)
        finally:
            path.write_text(former)

    def judge(self, header, text):
        with self.changed(header, text):
            outcome = self.judge_by_cases(header)
            if outcome == SURVIVED and header in BY_CHANCE and not self.passes_chance(header):
                outcome = CAUGHT
        if outcome != SURVIVED or HOST_ALONE:
            return outcome
        kernel = self.kernel
        with self.changed(header, text) as is_define:
            return kernel.judge(is_define)

    def judge_by_cases(self, header):
        """Sanitizers take time, so they see only what passes without. Programs that caught most come first, then quick ones."""
        order = lambda name: (-self.catches[header, name], self.seconds[name])
        for flags in HOST_FLAGS:
            for name in sorted(programs_that_see(header), key=order):
                outcome = self.try_cases(name, flags)
                if outcome in (UNVIABLE, CAUGHT):
                    self.catches[header, name] += 1
                    return outcome
        return SURVIVED


class Built:
    """Tests of the tree that a mutant is shown to without being built anew."""

    def __init__(self, folder, tree):
        self.tree = tree
        self.target = folder / "target"
        build = tree / "build.rs"
        build.write_text(build.read_text().replace("fn main() ", "fn build() ", 1) + FROM_A_FILE)
        by_chance = [step for _, step in BY_CHANCE.values()]
        names = sorted({step[0] for step in [*by_chance, *([] if HOST_ALONE else IN_KERNEL)]})
        command = ["cargo", "test", "--locked", "--no-run", *itertools.chain(*(["--test", name] for name in names))]
        environment = {**os.environ, "CARGO_TARGET_DIR": str(self.target), "CARGO_PROFILE_DEV_DEBUG": "0"}
        done = subprocess.run(command, cwd=tree, env=environment, stderr=subprocess.PIPE, text=True)
        self.binaries = dict(re.findall(r"Executable tests/(\w+)\.rs \((.*)\)", done.stderr))
        if done.returncode or self.binaries.keys() != set(names):
            raise SystemExit(f"mutants: {' '.join(command)}:\n{done.stderr}")
        for step in {step[0]: step for step in by_chance}.values():
            self.expect_success(step)

    def passes(self, step, before=()):
        name, *arguments = step
        return succeeds([*before, self.binaries[name], *arguments], 90, cwd=self.tree)

    def expect_success(self, step, before=()):
        if not self.passes(step, before):
            raise SystemExit(f"mutants: {' '.join(step)}: fails without any change")


class Kernel:
    """The program as an object, and tests whose library takes it from there when it runs, not from itself."""

    def __init__(self, folder, tree, built):
        self.folder = folder
        self.sources = tree / "src/bpf"
        self.built = built
        self.object = folder / "mutant.bpf.o"
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        self.before = [*as_root, "env", f"FLOWTOP_MUTANT={self.object}"]
        self.includes = next(built.target.glob("debug/build/libbpf-sys-*/out/include"))
        self.original = self.compile_bare()
        self.compile_object()
        for step in IN_KERNEL:
            built.expect_success(step, self.before)

    def clang(self, *arguments):
        machine = os.uname().machine
        command = ["clang", "-O2", "-target", "bpf", "-mcpu=v3", "-w", f"-I/usr/include/{machine}-linux-gnu"]
        command += [f"-D__TARGET_ARCH_{'x86' if machine == 'x86_64' else 'arm64'}", f"-I{self.includes}", "-c"]
        return subprocess.run([*command, *arguments, str(self.sources / PROGRAM)], capture_output=True).returncode == 0

    def compile_object(self):
        return self.clang("-g", "-o", str(self.object))

    def compile_bare(self):
        """The program without a word of its source: the same bytes are the same program."""
        bare = self.folder / "bare.o"
        return bare.read_bytes() if self.clang("-o", str(bare)) else None

    def judge(self, is_define):
        bare = self.compile_bare()
        if bare is None or not self.compile_object():
            return UNVIABLE
        # Shapes of maps are not in the bare object.
        if bare == self.original and not is_define:
            return SAME
        return SURVIVED if all(self.built.passes(step, self.before) for step in IN_KERNEL) else CAUGHT


HOST_ALONE = os.environ.get("FLOWTOP_SKIP_ROOT_TESTS") == "1"
LEAN = ["-std=gnu11", "-w", "-I", "src/bpf", "-I", "tests/host", "-pipe"]
HOST_FLAGS = [LEAN, [*LEAN, "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]]
SERVING = [*LEAN, "-DSERVE"]
FROM_A_FILE = """
fn main() -> Result<()> {
    build()?;
    let path = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?).join("flowtop.skel.rs");
    let read = "::new(match std::env::var_os(\\"FLOWTOP_MUTANT\\") { Some(path) => std::fs::read(path).unwrap().leak(), None => &DATA })";
    let text = std::fs::read_to_string(&path)?;
    anyhow::ensure!(text.contains("::new(&DATA)"), "the skeleton does not look as it did");
    Ok(std::fs::write(&path, text.replace("::new(&DATA)", read))?)
}
"""


def changed_define(former, text):
    changed = [line for before, line in zip(former.splitlines(), text.splitlines()) if before != line]
    return any(line.startswith("#define") for line in changed)


def succeeds(command, seconds, **options):
    """Within so many seconds of a CPU: a busy machine is no reason to fail."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(command, timeout=20 * seconds, preexec_fn=limit, **quiet, **options).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def copy_tree(tree):
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)


def run(folder, only):
    folder.mkdir(parents=True, exist_ok=True)
    made = {where: text for header in HEADERS for where, text in mutants_of(header)}
    names = name_all(made)
    chosen = [where for where in sorted(made, key=lambda where: (where[0], where[2:])) if not only or where[0] in only]
    if not chosen:
        return True
    bench = Bench(folder, {name for where in chosen for name in programs_that_see(pathlib.Path(where[0]).name)})
    ledger = Ledger(folder, names, {names[where] for where in chosen})
    for where in chosen:
        if not ledger.knows(names[where]):
            ledger.note(names[where], bench.judge(pathlib.Path(where[0]).name, made[where]))
    return ledger.close(lambda _: 0, lambda file: file.startswith("src/bpf/"))
