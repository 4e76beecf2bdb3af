#!/usr/bin/env python3
"""Plants small faults in kernels and ops, one at a time, and reports those that no test notices.

    ./run mutate [FILE...] [--count N] [--seed K]

A fault (mutant) is one changed place: a comparison, a sign, an operand, a small constant, a minimum for a maximum, a
condition turned round, a statement or a barrier left out. Its object is built again in a copy of the tree,
build-mutate/, and the tests that cover it run until one fails, those of its own page first. What was found out is
kept there, so that a run that was interrupted goes on where it was; the tree itself is never touched.
"""
import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
COPY = HERE / "build-mutate"
BUILD = COPY / "build"
RESULTS = COPY / "results.jsonl"
DEFAULT = ["kernels/cuda", "kernels/cpu", "core/ops"]
TARGETS = ["test_kernels", "test_core", "test_nn"]
TEST_SECONDS = 400  # of one test program; one that takes longer hangs

# ---- faults ----

# (name, what is found, what takes its place); code keeps spaces around binary operators and none inside <...>.
PATTERNS = [
    ("comparison", r" < ", [" <= "]), ("comparison", r" <= ", [" < "]),
    ("comparison", r" > ", [" >= "]), ("comparison", r" >= ", [" > "]),
    ("comparison", r" == ", [" != "]), ("comparison", r" != ", [" == "]),
    ("sign", r" \+ ", [" - "]), ("sign", r" - ", [" + "]), ("sign", r" \+= ", [" -= ", " = "]), ("sign", r" -= ", [" += "]),
    ("sign", r"(?<=[(,=] )-(?=\w)|(?<=return )-(?=\w)", [""]),
    ("operator", r" \* ", [" + "]), ("operator", r" / ", [" * "]), ("operator", r" % ", [" / "]),
    ("operator", r" && ", [" || "]), ("operator", r" \|\| ", [" && "]),
    ("constant", r"(?<![\w.])[0-4](?![\w.])", ["+1", "-1"]),
    ("extremum", r"\bmin(?=[(<])", ["max"]), ("extremum", r"\bmax(?=[(<])", ["min"]),
    ("condition", r"\bif \((?=\w)", ["if (!"]),
    ("operands", r"(?<=\()(\w+), (\w+)(?=\))", ["swap"]),
    ("index", r"(?<=\w\[)(\w+)(?=\])", ["+ 1"]),
    ("barrier", r"__syncthreads\(\);|__syncwarp\([^)]*\);|wait_async<?[^;]*;", [";"]),
    ("statement", r"^ +[\w.\->\[\]*()]+ (?:=|\+=|\*=) [^{}]*;$", ["left out"]),
]
# What decides how fast something is and not what comes out, or is no code that runs.
UNTOUCHED = re.compile(r"^\s*(//|#|using |template|static_assert|namespace|struct|class|enum|case )|prefetch|check<|constexpr"
                       r"|operator|FORGER_|parallel_for\(")


def code_of(line):
    """The line with comments and strings blanked out, places kept."""
    line = re.sub(r'"(\\.|[^"\\])*"', lambda m: " " * len(m.group(0)), line)
    return re.sub(r"//.*$", lambda m: " " * len(m.group(0)), line)


def changed(name, found, replacement):
    text = found.group(0)
    if name == "constant":
        value = int(text) + int(replacement)
        return str(value) if value >= 0 else None
    if name == "operands":
        return f"{found.group(2)}, {found.group(1)}" if found.group(1) != found.group(2) else None
    if name == "index":
        return f"{text} + 1"
    if name == "statement":
        return re.match(" *", text).group(0) + ";"
    return replacement


def mutants_of(file):
    lines = (HERE / file).read_text().splitlines()
    for number, line in enumerate(lines):
        code = code_of(line)
        if UNTOUCHED.search(code):
            continue
        for name, pattern, replacements in PATTERNS:
            for found in re.finditer(pattern, code):
                for replacement in replacements:
                    new = changed(name, found, replacement)
                    if new is not None:
                        yield {"file": file, "line": number, "kind": name,
                               "old": line, "new": line[:found.start()] + new + line[found.end():]}


def files_of(names):
    for name in names:
        path = (HERE / name).resolve()
        if not path.exists() or HERE not in path.parents:
            sys.exit(f"mutate: {name} is no file or folder of the tree")
        found = sorted(p for p in path.rglob("*") if p.suffix in (".cu", ".cpp", ".h")) if path.is_dir() else [path]
        yield from (str(p.relative_to(HERE)) for p in found)


# ---- the copy ----


def copy_tree():
    tracked = subprocess.run(["git", "ls-files"], cwd=HERE, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, tracked):
        source, target = HERE / name, COPY / name
        if not source.is_file() or target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        os.utime(target)


def build():
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "--preset", "release", "-DFORGER_CUDA=OFF"], cwd=COPY, check=True, capture_output=True)
    done = subprocess.run(["ninja", "-C", BUILD, *TARGETS], capture_output=True, text=True)
    return done.returncode == 0, done.stdout


# ---- tests ----


def test_runs(file):
    """What covers a file, nearest first: (program, tests, environment)."""
    stem = Path(file).stem.split("_")[0]
    if file.startswith("kernels/cuda"):
        wide = {"FORGER_SIMT_MULTIPROCESSORS": "132"}
        return [("test_kernels", "[gpu]*" + stem + "*", {}), ("test_kernels", "[gpu]", {}), ("test_kernels", "[gpu]", wide),
                ("test_core", "~[cuda]~[long]", {}), ("test_nn", "~[long]", {})]
    if file.startswith("kernels/cpu"):
        return [("test_kernels", "~[gpu]~[long]*" + stem + "*", {}), ("test_kernels", "~[gpu]~[long]", {}),
                ("test_core", "~[cuda]~[long]", {}), ("test_nn", "~[long]", {})]
    return [("test_core", "~[cuda]~[long]", {}), ("test_nn", "~[long]", {})]


def fails(program, spec, extra):
    """The first failing test of a program, or why it ended; None when all pass."""
    environment = {**os.environ, "FORGER_POISON": "1", **extra}
    process = subprocess.Popen([BUILD / program, "--abort", spec], cwd=COPY, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "takes too long"
    if process.returncode == 0 or "No test cases matched" in said or "No tests ran" in said:
        return None
    title = re.search(r"^-{20,}\n(.+?)\n", said, re.M)
    return title.group(1) if title else f"ends with code {process.returncode}"


def try_mutant(mutant):
    target = COPY / mutant["file"]
    sound = target.read_text()
    lines = sound.split("\n")
    lines[mutant["line"]] = mutant["new"]
    target.write_text("\n".join(lines))
    try:
        built, _ = build()
        if not built:
            return "does not build"
        for run in test_runs(mutant["file"]):
            failed = fails(*run)
            if failed:
                return "killed by: " + failed
        return "survived"
    finally:
        target.write_text(sound)


def key_of(mutant):
    text = json.dumps([(HERE / mutant["file"]).read_text(), mutant["line"], mutant["new"]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(mutant):
    return f"{mutant['file']}:{mutant['line'] + 1} ({mutant['kind']})\n  - {mutant['old'].strip()}\n  + {mutant['new'].strip()}"


def main():
    parser = argparse.ArgumentParser(prog="run mutate", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", default=DEFAULT, metavar="FILE", help="files or folders; kernels and ops when left out")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="faults to plant (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="of the choice (0)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("--count must be at least 1")
    everything = [mutant for file in files_of(arguments.files) for mutant in mutants_of(file)]
    random.Random(arguments.seed).shuffle(everything)

    COPY.mkdir(exist_ok=True)
    copy_tree()
    print("mutate: building the copy in build-mutate ...", file=sys.stderr, flush=True)
    built, said = build()
    if not built:
        sys.exit(said + "mutate: the sound tree does not build")
    known = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    verdicts = {entry["key"]: entry["verdict"] for entry in known}
    killed, survivors = 0, []
    for mutant in everything:
        if killed + len(survivors) == arguments.count:
            break
        key, began = key_of(mutant), time.time()
        if key not in verdicts:
            verdicts[key] = try_mutant(mutant)
            with RESULTS.open("a") as results:
                results.write(json.dumps({"key": key, "verdict": verdicts[key], **mutant}) + "\n")
        verdict = verdicts[key]
        if verdict == "does not build":
            continue
        killed += verdict != "survived"
        if verdict == "survived":
            survivors.append(mutant)
        print(f"{killed + len(survivors)}/{arguments.count}  {time.time() - began:.0f} s  {mutant['file']}:{mutant['line'] + 1} "
              f"{mutant['kind']}: {verdict}", flush=True)
    for mutant in survivors:
        print(f"\nsurvived: {shown(mutant)}")
    total = killed + len(survivors)
    print(f"\nmutate: {killed} of {total} killed ({100 * killed / max(total, 1):.1f} %), {len(survivors)} survived")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nmutate: interrupted; the same command goes on from here")
