"""What became of mutants, and which of those that no test notices may stay: `reasons` says why each changes nothing.

A mutant is named by its file, what was changed, and the line as it was: it keeps its name when lines move.
"""

import collections
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
REASONS = HERE / "reasons"

# Goes on where the run before ended: only what has no outcome or was missed is tried, whatever has changed since.
RESUMES = os.environ.get("FLOWTOP_MUTANTS_RESUME") == "1"
CAUGHT, SURVIVED, SAME, UNVIABLE = "caught", "survived", "same code", "unviable"

Name = collections.namedtuple("Name", "file change line")


def name_all(mutants):
    """Gives each (file, change, line number, column) its name; those of one line that read the same are numbered."""
    texts, seen, names = {}, collections.Counter(), {}
    for mutant in sorted(mutants):
        file, change, line, _ = mutant
        if file not in texts:
            texts[file] = (ROOT / file).read_text().splitlines()
        name = Name(file, change, texts[file][line - 1].strip())
        seen[name] += 1
        if seen[name] > 1:
            name = name._replace(change=f"{change} #{seen[name]}")
        names[mutant] = name
    return names


def read_reasons():
    """Blocks between empty lines: `file: change`, one or more; indented the line as it is, and why nothing changes."""
    reasons = {}
    for block in REASONS.read_text().split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        changes = [line for line in lines if line and not line[0].isspace()]
        said = [line.strip() for line in lines if line and line[0].isspace()]
        if not lines:
            continue
        if not changes or len(said) < 2:
            sys.exit(f"mutants: read {REASONS}: a block without change, line or reason:\n{block}")
        for change in changes:
            file, _, what = change.partition(": ")
            reasons[Name(file, what, said[0])] = " ".join(said[1:])
    return reasons


def read_outcomes(log):
    """What Ledger.note() wrote."""
    lines = re.findall(r"^(.*?): (.*?): (.*)\n\t(.*)$", log.read_text(), re.M)
    return {Name(file, change, line): outcome for outcome, file, change, line in lines}


class Ledger:
    """Counts what became of the mutants, and writes down each that is missed."""

    def __init__(self, folder, names, chosen):
        self.names = names
        self.reasons = read_reasons()
        log = folder / "outcomes"
        former = read_outcomes(log) if RESUMES and log.exists() else {}
        is_over = lambda name: name in chosen and (former[name] != SURVIVED or name in self.reasons)
        self.outcomes = {name: former[name] for name in filter(is_over, former)}
        self.log = log.open("a" if RESUMES else "w", buffering=1)

    def knows(self, name):
        return name in self.outcomes

    def note(self, name, outcome):
        self.outcomes[name] = outcome
        self.log.write(f"{outcome}: {name.file}: {name.change}\n\t{name.line}\n")
        if outcome == SURVIVED and name not in self.reasons:
            print(f"missed: {name.file}: {name.change}\n\t{name.line}", flush=True)

    def close(self, is_allowed, is_ours):
        """Prints the sums. Fails for mutants missed beyond the share that `is_allowed` of a file, and for a reason that is out of date."""
        made, missed = collections.defaultdict(collections.Counter), collections.Counter()
        for name, outcome in self.outcomes.items():
            made[name.file][outcome] += 1
            missed[name.file] += outcome == SURVIVED and name not in self.reasons
        for file in sorted(made):
            print(f"{file}: {say(made[file], missed[file])}")
        print(f"all: {say(sum(made.values(), collections.Counter()), sum(missed.values()))}")
        shares = collections.defaultdict(lambda: [0, 0])
        for file, counts in made.items():
            share = shares[is_allowed(file)]
            share[0] += missed[file]
            share[1] += sum(counts[outcome] for outcome in (CAUGHT, SURVIVED))
        fine = all(count <= allowed * total for allowed, (count, total) in shares.items())
        existing = set(self.names.values())
        for name in self.reasons:
            outcome = self.outcomes.get(name)
            if is_ours(name.file) and (name not in existing or outcome not in (None, SURVIVED, SAME)):
                state = "there is no such mutant" if name not in existing else f"that mutant is {outcome}"
                print(f"out of date: {name.file}: {name.change}\n\t{name.line}\n\t{state}")
                fine = False
        return fine


def say(counts, missed):
    with_reason = counts[SURVIVED] - missed
    parts = [f"{counts[outcome]} {outcome}" for outcome in (CAUGHT, UNVIABLE, SAME) if counts[outcome]]
    return f"{sum(counts.values())} made, {', '.join(parts) or '0 caught'}, {with_reason} survive with a reason, {missed} missed"
