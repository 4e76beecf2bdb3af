#!/usr/bin/env python3
"""Plants small faults in kernels and ops, one at a time, and reports those that no test notices.

    ./run mutate [FILE...] [--count N] [--seed K]

A fault (mutant) is one changed place: a comparison, a sign, an operand, a small constant, a minimum for a maximum, a
condition turned round, a statement or a barrier left out. Its object is built again in a copy of the tree,
build-mutate/, and the tests that cover it run until one fails, those first that noticed most so far; meanwhile the next
mutant is built. What was found out is kept there, so that a run that was interrupted goes on where it was; the tree
itself is never touched.
"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
COPY = HERE / "build-mutate"
BUILD = COPY / "build"
RESULTS = COPY / "results.jsonl"
DEFAULT = ["kernels/cuda", "kernels/cpu", "core/ops"]
PROGRAMS = ["test_kernels", "test_core", "test_nn"]
CPU_SECONDS, WALL_SECONDS = 240, 1800  # of one test; one that takes longer hangs, whatever else the cores do meanwhile

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
    ("operands", r"(?<=\()(?<!max\()(?<!min\()(?<!>\()(\w+), (\w+)(?=\))", ["swap"]),  # (a maximum has no order)
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
    """Builds the copy, little optimised: with assertions, and in half the time. Returns whether it did, and what it said."""
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DFORGER_CUDA=OFF"],
                       check=True, capture_output=True)
    done = subprocess.run(["ninja", "-C", BUILD, *PROGRAMS], capture_output=True, text=True)
    return done.returncode == 0, done.stdout


def build_mutant(mutant, slot):
    """Builds the test programs with a mutant and moves them into the folder `slot`; False when it does not build."""
    target = COPY / mutant["file"]
    sound = target.read_text()
    lines = sound.split("\n")
    lines[mutant["line"]] = mutant["new"]
    target.write_text("\n".join(lines))
    try:
        if not build()[0]:
            return False
        slot.mkdir(exist_ok=True)
        for program in PROGRAMS:
            (BUILD / program).replace(slot / program)
        return True
    finally:
        target.write_text(sound)


# ---- tests ----


@functools.cache
def tests_of(program, spec):
    listed = subprocess.run([BUILD / program, spec, "--list-test-names-only"], capture_output=True, text=True)
    return listed.stdout.splitlines()  # (the exit code is their number)


def covering(file):
    """The tests that cover a file, nearest first: (program, test, multiprocessors of the simulated card)."""
    stem = Path(file).stem.split("_")[0]
    of_table = "simt: values and derivatives equal the CPU's*"
    if file.startswith("kernels/cuda"):
        runs = [("test_kernels", f"[gpu]*{stem}*", 4), ("test_kernels", "[gpu]", 4), ("test_kernels", "[gpu]", 132),
                ("test_core", of_table, 4), ("test_core", "simt:*", 4), ("test_nn", "~[long]", 4)]
    elif file.startswith("kernels/cpu"):
        runs = [("test_kernels", f"~[gpu]~[long]*{stem}*", 4), ("test_kernels", "~[gpu]~[long]", 4),
                ("test_core", "~[cuda]~[long]~simt:*", 4), ("test_core", of_table, 4), ("test_nn", "~[long]", 4)]
    else:
        runs = [("test_core", "~[cuda]~[long]~simt:*", 4), ("test_nn", "~[long]", 4), ("test_core", "simt:*", 4)]
    return list(dict.fromkeys((program, test, cores) for program, spec, cores in runs for test in tests_of(program, spec)))


def in_order(file, noticed):
    """covering(file), those first that noticed most faults of this folder so far."""
    return sorted(covering(file), key=lambda test: -noticed[Path(file).parent, test[1]])


def fails(slot, test, stopped):
    """Why a test fails; None when it passes or `stopped` is set."""
    program, name, cores = test
    environment = {**os.environ, "FORGER_POISON": "1", "FORGER_SIMT_MULTIPROCESSORS": str(cores)}
    spec = re.sub(r"([\\,\[\]])", r"\\\1", name)
    process = subprocess.Popen([slot / program, spec], cwd=COPY, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    ends = time.time() + WALL_SECONDS
    while True:
        try:
            said, _ = process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            if not stopped.is_set() and time.time() < ends:
                continue
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None if stopped.is_set() else name + " (takes too long)"
        if "No test cases matched" in said:
            sys.exit(f"mutate: {program} has no test {name}")
        return None if process.returncode == 0 else name + " (takes too long)" * (process.returncode == -signal.SIGKILL)


def try_tests(mutant, slot, noticed):
    """Runs the tests that cover a built mutant, as many at a time as there are cores, until one fails."""
    stopped, verdict = threading.Event(), "survived"
    waiting = iter(in_order(mutant["file"], noticed))
    turn = threading.Lock()

    def work():
        nonlocal verdict
        while not stopped.is_set():
            with turn:
                test = next(waiting, None)
            if test is None:
                return
            failed = fails(slot, test, stopped)
            if failed and not stopped.is_set():
                stopped.set()
                verdict = "killed by: " + failed
                noticed[Path(mutant["file"]).parent, test[1]] += 1

    workers = [threading.Thread(target=work) for _ in range(os.cpu_count())]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return verdict


def key_of(mutant):
    text = json.dumps([(HERE / mutant["file"]).read_text(), mutant["line"], mutant["new"]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(mutant):
    return f"{mutant['file']}:{mutant['line'] + 1} ({mutant['kind']})\n  - {mutant['old'].strip()}\n  + {mutant['new'].strip()}"


def split(mutants, count):
    """The first `count`, by file, so that one object after the other is built; and the rest."""
    return sorted(mutants[:count], key=lambda mutant: mutant["file"]), mutants[count:]


def verdicts_of(mutants, verdicts, noticed):
    """Yields each mutant with its verdict; while the tests of one run, the next is built."""
    unknown = [mutant for mutant in mutants if key_of(mutant) not in verdicts]
    slots = [COPY / "slot0", COPY / "slot1"]
    with concurrent.futures.ThreadPoolExecutor(1) as builder:
        built = builder.submit(build_mutant, unknown[0], slots[0]) if unknown else None
        for mutant in mutants:
            key = key_of(mutant)
            if key not in verdicts:
                runs, slot = built.result(), slots[0]
                slots.reverse()
                unknown.pop(0)
                built = builder.submit(build_mutant, unknown[0], slots[0]) if unknown else None
                verdicts[key] = try_tests(mutant, slot, noticed) if runs else "does not build"
                with RESULTS.open("a") as results:
                    results.write(json.dumps({"key": key, "verdict": verdicts[key], **mutant}) + "\n")
            yield mutant, verdicts[key]


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
    for file in {mutant["file"] for mutant in everything}:
        covering(file)  # lists the tests while the programs are there
    known = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    verdicts = {entry["key"]: entry["verdict"] for entry in known}
    noticed = collections.Counter((Path(entry["file"]).parent, entry["verdict"].removeprefix("killed by: ")) for entry in known)

    survivors, counts, began = [], collections.Counter(), time.time()
    while sum(counts.values()) < arguments.count and everything:
        chosen, everything = split(everything, arguments.count - sum(counts.values()))
        for mutant, verdict in verdicts_of(chosen, verdicts, noticed):
            if verdict == "does not build":
                continue
            counts[verdict == "survived"] += 1
            if verdict == "survived":
                survivors.append(mutant)
            print(f"{sum(counts.values())}/{arguments.count}  {time.time() - began:.0f} s  {mutant['file']}:{mutant['line'] + 1} "
                  f"{mutant['kind']}: {verdict}", flush=True)
    for mutant in survivors:
        print(f"\nsurvived: {shown(mutant)}")
    killed, total = counts[False], sum(counts.values())
    print(f"\nmutate: {killed} of {total} killed ({100 * killed / max(total, 1):.1f} %), {len(survivors)} survived")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nmutate: interrupted; the same command goes on from here")
