#!/usr/bin/env python3
"""Plants small faults in kernels and ops and reports those that no test notices.

    ./run mutate [FILE...] [--count N] [--seed K]

A fault (mutant) is one changed place: a comparison, a sign, an operand, a small constant, a minimum for a maximum, a
condition turned round, a statement or a barrier left out. All that were chosen are built at once into a copy of the
tree, build-mutate/, each behind a switch: `a < b` becomes `(forger_fault() == 7 ? a <= b : a < b)`, and the environment
variable FORGER_FAULT says which one is on. The tests that cover it run until one fails, those first that noticed most
in little time. What was found out is kept there, so that a run that was interrupted goes on where it was; the tree
itself is never touched.

Places that the compiler must know (template arguments, bounds of arrays) cannot be switched: they are passed over.
"""
import argparse
import collections
import functools
import hashlib
import itertools
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
TIMES = COPY / "times.json"
DEFAULT = ["kernels/cuda", "kernels/cpu", "core/ops"]
PROGRAMS = ["test_kernels", "test_core", "test_nn"]
UNIT_SECONDS = 1.0  # tests that run together in one process

# ---- faults ----

# (name, what is found, what takes its place); code keeps spaces around binary operators and none inside <...>.
PATTERNS = [
    ("comparison", r" < ", [" <= "]), ("comparison", r" <= ", [" < "]),
    ("comparison", r" > ", [" >= "]), ("comparison", r" >= ", [" > "]),
    ("comparison", r" == ", [" != "]), ("comparison", r" != ", [" == "]),
    ("sign", r" \+ ", [" - "]), ("sign", r" - ", [" + "]), ("assignment", r" \+= ", [" -= ", " = "]), ("assignment", r" -= ", [" += "]),
    ("sign", r"(?<=[(,=] )-(?=\w)|(?<=return )-(?=\w)", [""]),
    ("operator", r" \* ", [" + "]), ("operator", r" / ", [" * "]), ("operator", r" % ", [" / "]),
    ("operator", r" && ", [" || "]), ("operator", r" \|\| ", [" && "]),
    ("constant", r"(?<![\w.])[0-4](?![\w.])", ["+1", "-1"]),
    ("extremum", r"\bmin(?=[(<])", ["max"]), ("extremum", r"\bmax(?=[(<])", ["min"]),
    ("condition", r"(?<=\bif \()(?=\w)", ["!"]),
    ("operands", r"(?<=\()(?<!max\()(?<!min\()(?<!>\()(\w+), (\w+)(?=\))", ["swap"]),  # (a maximum has no order)
    ("index", r"(?<=\w\[)(\w+)(?=\])", ["+ 1"]),
    ("barrier", r"__syncthreads\(\);|__syncwarp\([^)]*\);|wait_async<?[^;]*;", [";"]),
    ("statement", r"^ +[\w.\->\[\]*()]+ (?:=|\+=|\*=) [^{}]*;$", ["left out"]),
]
# What decides how fast something is and not what comes out, or is no code that runs.
# What the compiler must know: bounds of an array that is declared, arguments of a template.
BOUNDS = re.compile(r"^\s*(?!return|else|throw|case)(?:[\w:]+ )*[\w:]+(?:<[^;=]*>)?[ *&]+\w+((?:\[[^\]]*\])+)")
ARGUMENTS = re.compile(r"(?<=\w)(<[\w:,.* +-]*>)")
UNTOUCHED = re.compile(r"^\s*(//|#|using |template|static_assert|namespace|struct|class|enum|case )|prefetch|check<|constexpr"
                       r"|operator|FORGER_|parallel_for\(")


def code_of(line):
    """The line with comments and strings blanked out, places kept."""
    line = re.sub(r'"(\\.|[^"\\])*"', lambda m: " " * len(m.group(0)), line)
    return re.sub(r"//.*$", lambda m: " " * len(m.group(0)), line)


@functools.cache
def macros():
    """What the compiler defines here, by name."""
    said = subprocess.run(["c++", "-march=native", "-dM", "-E", "-x", "c++", "/dev/null"], check=True, capture_output=True, text=True)
    return dict(re.findall(r"^#define (\w+) (\d+)$", said.stdout, re.M))


def holds(condition):
    """Whether what follows an #if is true here."""
    condition = re.sub(r"defined\((\w+)\)", lambda m: str(int(m.group(1) in macros())), condition)
    condition = re.sub(r"\b[A-Za-z_]\w*", lambda m: macros().get(m.group(0), "0"), condition)
    return bool(eval(condition.replace("&&", " and ").replace("||", " or ").replace("!", " not ")))


def compiled_lines(lines):
    """(number, line) of those that are compiled here: not of what only nvcc, or another processor, sees."""
    taken = []  # of each #if that is open: whether its present part is taken, and whether one was
    for number, line in enumerate(lines):
        directive = re.match(r"#\s*(ifdef|ifndef|if|elif|else|endif)\b(?:\s+(.*?))?\s*(?://.*)?$", line)
        if not directive:
            if all(now for now, _ in taken):
                yield number, line
            continue
        word, rest = directive.groups()
        if word == "endif":
            taken.pop()
        elif word in ("elif", "else"):
            before = taken[-1][1]
            now = not before and (word == "else" or holds(rest))
            taken[-1] = now, before or now
        else:
            now = holds(rest if word == "if" else f"defined({rest})") != (word == "ifndef")
            taken.append((now, now))


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


@functools.cache
def text_of(file):
    """A file of the tree as it was when it was first looked at: who works on meanwhile does not disturb a run."""
    return (HERE / file).read_text()


def mutants_of(file):
    for number, line in compiled_lines(text_of(file).splitlines()):
        code = code_of(line)
        if UNTOUCHED.search(code):
            continue
        fixed = [found.span(1) for found in itertools.chain(BOUNDS.finditer(code), ARGUMENTS.finditer(code))]
        for name, pattern, replacements in PATTERNS:
            for found in re.finditer(pattern, code):
                for replacement in replacements:
                    new = changed(name, found, replacement)
                    if new is not None and not any(begin <= found.start() < end for begin, end in fixed):
                        yield {"file": file, "line": number, "kind": name, "span": found.span(),
                               "old": line, "new": line[:found.start()] + new + line[found.end():]}


def files_of(names):
    for name in names:
        path = (HERE / name).resolve()
        if not path.exists() or HERE not in path.parents:
            sys.exit(f"mutate: {name} is no file or folder of the tree")
        found = sorted(p for p in path.rglob("*") if p.suffix in (".cu", ".cpp", ".h")) if path.is_dir() else [path]
        yield from (str(p.relative_to(HERE)) for p in found)


def key_of(mutant):
    text = json.dumps([text_of(mutant["file"]), mutant["line"], mutant["new"]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(mutant):
    return f"{mutant['file']}:{mutant['line'] + 1} ({mutant['kind']})\n  - {mutant['old'].strip()}\n  + {mutant['new'].strip()}"


# ---- switches ----

# What an expression ends at, beside brackets: of arguments, statements, conditions, and what is assigned.
END = re.compile(r"[,;?{}]|(?<!:):(?!:)|(?<= )(?:=|\+=|-=|\*=|/=)(?= )|(?<=\breturn)(?= )")
END_OF_ASSIGNMENT = re.compile(r"[,;?{}]|(?<!:):(?!:)")


def expression_around(line, begin, end, ends):
    """The place of the largest expression around line[begin:end] that lies on the line."""
    code = ARGUMENTS.sub(lambda m: "x" * len(m.group(0)), code_of(line))
    stops = {at for m in re.finditer(ends, code) for at in range(m.start(), max(m.end(), m.start() + 1))}
    depth = 0
    while end < len(code) and not (depth == 0 and (end in stops or code[end] in ")]")):
        depth += (code[end] in "([") - (code[end] in ")]")
        end += 1
    depth = 0
    while begin > 0 and not (depth == 0 and (begin - 1 in stops or code[begin - 1] in "([")):
        depth += (code[begin - 1] in ")]") - (code[begin - 1] in "([")
        begin -= 1
    while code[begin:end].startswith(" "):
        begin += 1
    return begin, begin + len(code[begin:end].rstrip())


def switched(mutant, number):
    """The line with the fault, which is on where forger_fault() is that number."""
    line, (begin, end) = mutant["old"], mutant["span"]
    if mutant["kind"] in ("statement", "barrier"):
        indented = begin + len(line[begin:end]) - len(line[begin:end].lstrip())
        return f"{line[:indented]}{{ if (forger_fault() != {number}) {line[indented:end]} }}{line[end:]}"
    if mutant["kind"] == "operands":
        a, b = line[begin:end].split(", ")
        on = f"forger_fault() == {number}"
        return f"{line[:begin]}({on} ? {b} : {a}), ({on} ? {a} : {b}){line[end:]}"
    begin, end = expression_around(line, begin, end, END_OF_ASSIGNMENT if mutant["kind"] == "assignment" else END)
    faulty = mutant["new"][begin:end + len(mutant["new"]) - len(line)]
    return f"{line[:begin]}(forger_fault() == {number} ? ({faulty}) : ({line[begin:end]})){line[end:]}"


# ---- the copy ----

SWITCH = """#pragma once
extern "C" [[gnu::const]] int forger_fault();
"""
SWITCH_SOURCE = """#include <cstdlib>
extern "C" [[gnu::const]] int forger_fault();
int forger_fault() {
  static const int fault = [] {
    const char* const wish = std::getenv("FORGER_FAULT");
    return wish ? std::atoi(wish) : 0;
  }();
  return fault;
}
"""


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy_tree(but):
    """All files of the tree but these, and the switch."""
    tracked = subprocess.run(["git", "ls-files"], cwd=HERE, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, tracked):
        source, target = HERE / name, COPY / name
        if name not in but and source.is_file() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    write(COPY / "fault.h", SWITCH)
    write(COPY / "kernels" / "fault.cpp", SWITCH_SOURCE)


def plant(mutants, files):
    """These files with these faults, by number, each in a line of its own."""
    texts = {file: text_of(file).split("\n") for file in files}
    for number, mutant in mutants.items():
        texts[mutant["file"]][mutant["line"]] = switched(mutant, number)
    for file, lines in texts.items():
        write(COPY / file, "\n".join(lines))


def build(mutants):
    """Builds the copy, little optimised: with assertions, and in half the time. Takes out of `mutants` those that do
    not build, and returns them."""
    broken = []
    files = {mutant["file"] for mutant in mutants.values()}
    copy_tree(but=files)
    while True:
        plant(mutants, files)
        if not (BUILD / "build.ninja").exists():
            subprocess.run(["cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DFORGER_CUDA=OFF",
                            f"-DCMAKE_CXX_FLAGS=-w -include {COPY}/fault.h"], check=True, capture_output=True)
        done = subprocess.run(["ninja", "-C", BUILD, "-k", "0", *PROGRAMS], capture_output=True, text=True)
        if done.returncode == 0:
            return broken
        named = {(str(Path(file).relative_to(COPY)), int(line) - 1)
                 for file, line in re.findall(rf"^({re.escape(str(COPY))}[^:\n]*):(\d+):\d+: error: ", done.stdout, re.M)}
        these = [number for number, mutant in mutants.items() if (mutant["file"], mutant["line"]) in named]
        these = these or [number for number in mutants if str(number) in done.stdout]  # spelt out in what an error is about
        these = these or [number for number, mutant in mutants.items() if mutant["file"] in {file for file, _ in named}]
        if not these:
            sys.exit(done.stdout[-4000:] + "mutate: the sound tree does not build")
        broken += [mutants.pop(number) for number in these]


# ---- tests ----


@functools.cache
def tests_of(program, spec):
    listed = subprocess.run([BUILD / program, spec, "--list-test-names-only"], capture_output=True, text=True)
    return listed.stdout.splitlines()  # (the exit code is their number)


def covering(file):
    """The tests that cover a file: (program, test, multiprocessors of the simulated card)."""
    of_table = "simt: values and derivatives equal the CPU's*"
    if file.startswith("kernels/cuda"):
        runs = [("test_kernels", "[gpu]", 4), ("test_kernels", "[gpu]", 132), ("test_core", "simt:*", 4), ("test_nn", "~[long]", 4)]
    elif file.startswith("kernels/cpu"):
        runs = [("test_kernels", "~[gpu]~[long]", 4), ("test_core", "~[cuda]~[long]~simt:*", 4), ("test_core", of_table, 4),
                ("test_nn", "~[long]", 4)]
    else:
        runs = [("test_core", "~[cuda]~[long]~simt:*", 4), ("test_nn", "~[long]", 4), ("test_core", of_table, 4)]
    tests = dict.fromkeys((program, test, cores) for program, spec, cores in runs for test in tests_of(program, spec))
    # Differences of the whole table by the CUDA kernels take longer than all the rest, which sees what they see.
    return [test for test in tests if not (test[1].startswith("simt:") and "agree with differences" in test[1])]


def run_tests(program, tests, cores, fault, limit, stopped):
    """Runs tests in one process. Returns (what failed first, or None; seconds of each)."""
    environment = {**os.environ, "FORGER_POISON": "1", "FORGER_SIMT_MULTIPROCESSORS": str(cores), "FORGER_FAULT": str(fault)}
    spec = ",".join(re.sub(r"([\\,\[\]])", r"\\\1", name) for name in tests)
    process = subprocess.Popen([BUILD / program, spec, "--abort", "--durations", "yes"], cwd=COPY, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit))
    while True:
        try:
            said, _ = process.communicate(timeout=0.2)
            break
        except subprocess.TimeoutExpired:
            if stopped.is_set():
                os.killpg(process.pid, signal.SIGKILL)
    seconds = {name: float(taken) for taken, name in re.findall(r"^(\d+\.\d+) s: (.*)$", said, re.M)}
    if process.returncode == 0 or stopped.is_set():
        return None, seconds
    if process.returncode == -signal.SIGKILL:
        return f"{next((name for name in tests if name not in seconds), tests[0])} (takes too long)", seconds
    failed = re.search(r"^-{70,}\n(.*?)\n-{70,}$", said, re.M | re.S)
    return re.sub(r"\s+", " ", failed.group(1)) if failed else f"{tests[0]} ... (exit code {process.returncode})", seconds


def times_of_tests(files):
    """Seconds of each test with every fault off: none may fail."""
    built = max((BUILD / program).stat().st_mtime for program in PROGRAMS)
    if TIMES.exists() and TIMES.stat().st_mtime > built:
        return {tuple(test): seconds for test, seconds in json.loads(TIMES.read_text())}
    print("mutate: running the tests with every fault off ...", file=sys.stderr, flush=True)
    together = collections.defaultdict(list)
    for program, test, cores in dict.fromkeys(test for file in files for test in covering(file)):
        together[program, cores].append(test)
    waiting, times, lock, failures = list(together.items()), {}, threading.Lock(), []

    def work():
        while True:
            with lock:
                if not waiting:
                    return
                (program, cores), tests = waiting.pop()
            failed, seconds = run_tests(program, tests, cores, 0, resource.RLIM_INFINITY, threading.Event())
            with lock:
                times.update({(program, test, cores): seconds.get(test, 0.0) for test in tests})
                if failed:
                    failures.append(failed)

    in_parallel(work)
    if failures:
        sys.exit("mutate: with every fault off fails " + ", ".join(failures))
    write(TIMES, json.dumps(list(times.items())))
    return times


def in_parallel(work):
    workers = [threading.Thread(target=work) for _ in range(os.cpu_count())]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def units_of(file, times, noticed):
    """covering(file) in units that run together, (program, tests, cores, seconds): those first that noticed most faults
    of this folder so far in little time."""
    def promise(test):
        return (noticed[Path(file).parent, test[1]] + 0.02) / (times.get(test, 0) + 0.3)

    units, together = [], collections.defaultdict(list)
    for test in sorted(covering(file), key=promise, reverse=True):
        together[test[0], test[2]].append(test)
    for tests in together.values():
        unit, taken = [], 0.0
        for test in tests:
            unit.append(test)
            taken += times.get(test, 0)
            if taken > UNIT_SECONDS:
                units.append((unit, taken))
                unit, taken = [], 0.0
        if unit:
            units.append((unit, taken))
    units.sort(key=lambda unit: sum(map(promise, unit[0])) / len(unit[0]), reverse=True)
    return [(unit[0][0], [test for _, test, _ in unit], unit[0][2], taken) for unit, taken in units]


def try_tests(mutant, number, times, noticed):
    """Runs the tests that cover a fault, as many at a time as there are cores, until one fails."""
    stopped, verdict, lock = threading.Event(), "survived", threading.Lock()
    waiting = iter(units_of(mutant["file"], times, noticed))

    def work():
        nonlocal verdict
        while not stopped.is_set():
            with lock:
                unit = next(waiting, None)
            if unit is None:
                return
            program, tests, cores, seconds = unit
            failed, _ = run_tests(program, tests, cores, number, int(30 + 10 * seconds), stopped)
            with lock:
                if failed and not stopped.is_set():
                    stopped.set()
                    verdict = "killed by: " + failed
                    noticed[Path(mutant["file"]).parent, failed] += 1

    in_parallel(work)
    return verdict


# ---- a run ----


def choose(everything, seed):
    """Faults in an order that is the seed's, one a line, by number."""
    random.Random(seed).shuffle(everything)
    first = {(mutant["file"], mutant["line"]): mutant for mutant in reversed(everything)}
    return {int(key_of(mutant)[:7], 16): mutant for mutant in everything if first[mutant["file"], mutant["line"]] is mutant}


def main():
    parser = argparse.ArgumentParser(prog="run mutate", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", default=DEFAULT, metavar="FILE", help="files or folders; kernels and ops when left out")
    parser.add_argument("--count", type=int, default=20, metavar="N", help="faults to plant (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="K", help="of the choice (0)")
    arguments = parser.parse_args()
    if arguments.count < 1:
        parser.error("--count must be at least 1")
    COPY.mkdir(exist_ok=True)
    entries = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    verdicts = {entry["key"]: entry["verdict"] for entry in entries}
    noticed = collections.Counter((Path(entry["file"]).parent, entry["verdict"].removeprefix("killed by: ")) for entry in entries)

    def keep(mutant, verdict):
        verdicts[key_of(mutant)] = verdict
        with RESULTS.open("a") as results:
            results.write(json.dumps({"key": key_of(mutant), "verdict": verdict, **mutant}) + "\n")

    everything = choose([mutant for file in files_of(arguments.files) for mutant in mutants_of(file)], arguments.seed)
    spare = itertools.islice(everything.items(), arguments.count + arguments.count // 3 + 3)  # a quarter or so does not build
    chosen = {number: mutant for number, mutant in spare if verdicts.get(key_of(mutant)) != "does not build"}
    print(f"mutate: building {len(chosen)} faults into a copy, build-mutate ...", file=sys.stderr, flush=True)
    for mutant in build(chosen):
        keep(mutant, "does not build")
    times = times_of_tests(sorted({mutant["file"] for mutant in chosen.values()}))

    survivors, killed, began = [], 0, time.time()
    for number, mutant in itertools.islice(chosen.items(), arguments.count):
        if key_of(mutant) not in verdicts:
            keep(mutant, try_tests(mutant, number, times, noticed))
        verdict = verdicts[key_of(mutant)]
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
