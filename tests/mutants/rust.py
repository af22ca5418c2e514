"""Mutants of what needs no root, by cargo-mutants: all of src/model/tracker, and a sample of the modules beside it.

They are made in lean copies of the library, each one crate with its tests: for the tracker the model and who records it; for the
others the pure modules, with the tests of tests/ that need no more. A mutant then takes seconds.
"""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess

from outcome import CAUGHT, ROOT, SURVIVED, UNVIABLE, Ledger, name_all

MODEL = (["ahead", "model", "recording"], ["checks"])
# Each takes a fifth of a second and more, all others together take one: they are asked about what no other notices.
SLOW = [
    "advance::churn::an_interval_that_ends_with_a_snapshot_is_the_same_in_one_go",
    "column::select::tests::a_part_is_as_if_all_were_sorted",
    "former_runs::tests::as_many_histograms_are_kept_as_the_documents_say_and_beyond_that_none_is_half_known",
    "harmless::tests::the_ranges_are_those_of_unicode",
    "metrics::tests::of_too_many_series_that_are_gone_the_older_half_begins_anew",
    "metrics::world::whoever_reads_now_and_then_has_all_that_came_exactly_once",
    "of_thousands_of_interfaces_that_are_gone_the_oldest_share_a_row_and_no_packet_is_lost",
    "trouble::bounds::what_is_told_by_chance_is_what_the_definition_says",
    "trouble::tests::a_thousand_steady_flows_are_in_no_trouble",
    "trouble::tests::changes_that_are_planted_are_found_within_three_intervals_and_in_words",
    "tests_app::a_filter_that_is_far_too_long_takes_no_time_and_is_told",
    "tests_app::every_binding_does_something_that_can_be_seen",
    "tests_app::of_thousands_of_flows_those_on_the_screen_are_in_order_and_all_that_are_exported",
    "tests_frames::a_flag_is_explained_in_words_or_not_named_at_all",
    "tests_frames::every_view_is_drawn_at_every_size",
]
PURE = (
    ["ahead", "app", "config", "export", "keymap", "model", "ui"],
    ["app", "checks", "config", "export", "frames", "groups", "ipfix", "judgements", "openmetrics", "query", "top"],
)
ALL_OF = "src/model/tracker"
SAMPLED = ("src/model", "src/config", "src/app", "src/export")
SAMPLE, SEED = 340, "flowtop"
ALLOWED = 0.03
# So many are tried before what became of them is written down: a run that is cut off goes on there.
SLICE = 40
# What waits for the file system is asked about these alone.
WATCHES = "src/config/watch"
# Of generated tests fewer cases than the suite has: what these notice, it notices.
CASES = "32"
# Another version may give mutants other names.
VERSION = "27.1.0"
OUTCOMES = {"CaughtMutant": CAUGHT, "Timeout": CAUGHT, "MissedMutant": SURVIVED, "Unviable": UNVIABLE}


def write_lean_tree(tree, modules, tests):
    """Sources, tests and what they read; without the kernel program, its library and all that goes with it."""
    tree.mkdir(parents=True, exist_ok=True)
    for name in ("src", "tests"):
        shutil.rmtree(tree / name, ignore_errors=True)
        shutil.copytree(ROOT / name, tree / name)
    for name in ("Cargo.lock", "config.json", "config.schema.json", "README.md"):
        shutil.copy2(ROOT / name, tree / name)
    manifest = (ROOT / "Cargo.toml").read_text()
    for section in (r"build-dependencies", r"features", r"lib", r"\[example\]", r"\[bin\]", r"\[bench\]", r"lints\.\w+"):
        manifest = re.sub(rf"^\[{section}\]\n(?:(?!\[).*\n)*", "", manifest, flags=re.M)
    manifest = re.sub(r"^libbpf-rs = .*\n", "", manifest, flags=re.M)
    manifest = manifest.replace("[package]", "[package]\nbuild = false\nautotests = false\nautobins = false", 1)
    (tree / "Cargo.toml").write_text(manifest)
    lines = ["extern crate self as flowtop;"] + [f"pub mod {name};" for name in modules]
    lines += [f'#[cfg(test)]\n#[path = "../tests/{name}.rs"]\nmod tests_{name};' for name in tests]
    (tree / "src/lib.rs").write_text("\n".join(lines) + "\n")
    (tree / ".cargo").mkdir(exist_ok=True)
    (tree / ".cargo/config.toml").write_text("[target.'cfg(all())']\nrunner = './runner'\n")
    # They are called after the crate and the module.
    for snapshot in (tree / "tests/snapshots").glob("frames__*.snap"):
        snapshot.rename(snapshot.with_name(f"flowtop__tests_{snapshot.name}"))


def install_tool(folder):
    if not (folder / "bin/cargo-mutants").exists():
        command = ["cargo", "install", "--quiet", "--locked", "--root", str(folder), f"cargo-mutants@{VERSION}"]
        subprocess.run(command, check=True)


def write_runner(tree, first, then):
    """By one build, the tests of some arguments and, if these notice nothing, those of others."""
    runner = tree / "runner"
    runner.write_text(f'#!/bin/sh\n"$1" {first} && exec "$1" {then}\n')
    runner.chmod(0o755)


def mutants_cargo(tree, *arguments, **options):
    environment = {
        **os.environ,
        "PATH": f"{tree.parent / 'tool/bin'}:{os.environ['PATH']}",
        # Crates of one name in one folder are taken for each other.
        "CARGO_TARGET_DIR": str(tree.parent / f"target-{tree.name}"),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_INCREMENTAL": "1",
        "INSTA_UPDATE": "no",
        "PROPTEST_CASES": CASES,
    }
    return subprocess.run(["cargo", "mutants", *arguments], cwd=tree, env=environment, **options)


def list_mutants(tree):
    """Where each one is, by the name that cargo-mutants gives it."""
    done = mutants_cargo(tree, "--list", "--json", stdout=subprocess.PIPE, check=True)
    return {mutant["name"]: place_of(mutant) for mutant in json.loads(done.stdout)}


def place_of(mutant):
    change = mutant["name"].split(": ", 1)[1]
    start = mutant["span"]["start"]
    return mutant["file"], change, start["line"], start["column"]


def choose(names, only):
    """All of the tracker, and of the others those whose names have the smallest digests: a change elsewhere moves none."""
    if only:
        return [mutant for mutant, name in names.items() if name.file in only]
    in_all = [mutant for mutant, name in names.items() if name.file.startswith(ALL_OF)]
    others = [mutant for mutant, name in names.items() if name.file.startswith(SAMPLED) and mutant not in set(in_all)]
    digest = lambda mutant: hashlib.sha256("\n".join([SEED, *names[mutant]]).encode()).digest()
    return in_all + sorted(others, key=digest)[:SAMPLE]


def try_mutants(tree, mutants):
    """Yields each mutant by its name there, and what became of it."""
    if not mutants:
        return
    # Mutants of fields are tried whatever the expressions say: their files are named, too.
    chosen = {
        "examine_globs": sorted({mutant.split(":", 1)[0] for mutant in mutants}),
        "examine_re": [f"^{re.escape(mutant)}$".replace("\\ ", " ") for mutant in mutants],
    }
    settings = "".join(f"{key} = {json.dumps(value)}\n" for key, value in chosen.items())
    (tree / ".cargo/mutants.toml").write_text(settings)
    folder = tree.parent / "cargo-mutants"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # What goes on for ever is ended by its time on a CPU: a busy machine is no reason to fail.
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    command = ["--in-place", "--timeout", "1200", "-o", str(folder), "--", "--lib"]
    mutants_cargo(tree, *command, preexec_fn=limit)
    (tree / ".cargo/mutants.toml").unlink()
    outcomes = json.loads((folder / "mutants.out/outcomes.json").read_text())["outcomes"]
    for outcome in outcomes:
        if outcome["scenario"] == "Baseline":
            if outcome["summary"] != "Success":
                raise SystemExit(f"mutants: the tests fail without any change (see {folder})")
            continue
        yield outcome["scenario"]["Mutant"]["name"], OUTCOMES[outcome["summary"]]


def run(folder, only):
    install_tool(folder / "tool")
    trees = {}
    for name, (modules, tests) in (("model", MODEL), ("pure", PURE)):
        trees[name] = folder / name
        write_lean_tree(trees[name], modules, tests)
    listed = list_mutants(trees["pure"])
    names = name_all(listed.values())
    chosen = choose({mutant: names[place] for mutant, place in listed.items()}, only)
    ledger = Ledger(folder, names, {names[listed[mutant]] for mutant in chosen})
    chosen = [mutant for mutant in chosen if not ledger.knows(names[listed[mutant]])]
    of_tracker = [mutant for mutant in chosen if mutant.startswith(ALL_OF)]
    of_watch = [mutant for mutant in chosen if mutant.startswith(WATCHES)]
    others = [mutant for mutant in chosen if not mutant.startswith((ALL_OF, WATCHES))]

    def try_all(tree, mutants, first, then):
        """Notes what became of them, a slice at a time."""
        write_runner(trees[tree], first, then)
        for at in range(0, len(mutants), SLICE):
            for mutant, outcome in try_mutants(trees[tree], mutants[at : at + SLICE]):
                ledger.note(names[listed[mutant]], outcome)

    quick = " ".join(f"--skip {name}" for name in SLOW)
    slow = " ".join(SLOW)
    watch = "tests_config::watch"
    try_all("model", of_tracker, f"model::tracker tests_checks {quick}", "")
    try_all("pure", others, f"{quick} --skip {watch}", slow)
    try_all("pure", of_watch, "config::watch --test-threads 64", f"config --skip {watch} --test-threads 64")
    is_rust = lambda file: file.endswith(".rs")
    return ledger.close(lambda file: 0 if file.startswith(ALL_OF) else ALLOWED, is_rust)
