#!/usr/bin/env python3
"""Forger against PyTorch on this machine: training steps of DCGAN and of the WGAN-GP critic, in interleaved runs.

    python3 bench/compare.py                                    the four steps of the README's table
    python3 bench/compare.py --case "dcgan 32 1 16 128"         one of your own: recipe size channels width batch
    python3 bench/compare.py --peer eager --peer compile        only these of PyTorch's ways
    python3 bench/compare.py --libtorch PATH                    beside a libtorch program that takes bench_train's words

    FORGER_SIMD=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python3 bench/compare.py      all held to AVX2

Every program takes a turn of a few steps in each round, so that what else the machine does meets all of them; a cell is
the median over all rounds. Peers run in processes of their own that wait between turns. Needs the package torch (and a
C++ compiler for its compile mode); Forger itself needs neither. Build first: ./run build
"""
import argparse
import csv
import os
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = ["dcgan 32 1 64 64", "wgan-gp 32 1 64 64", "dcgan 64 3 64 64", "wgan-gp 64 3 64 64"]
PEERS = ["eager", "channels_last", "compile"]
LATENT = 100


# ---- the peer: one process per case and mode ----


def networks(torch, size, channels, width, batch_norm):
    nn = torch.nn
    layers, mult = [], size // 8
    blocks = [(LATENT, width * mult, 1, 0)]
    while mult > 1:
        blocks.append((width * mult, width * mult // 2, 2, 1))
        mult //= 2
    for cin, cout, stride, pad in blocks:
        layers += [nn.ConvTranspose2d(cin, cout, 4, stride, pad, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True)]
    generator = nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh())

    leaky = lambda: nn.LeakyReLU(0.2, inplace=batch_norm)
    layers, mult, side = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), leaky()], 1, size // 2
    while side > 4:
        layers.append(nn.Conv2d(width * mult, width * mult * 2, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(width * mult * 2)] if batch_norm else []
        layers.append(leaky())
        mult, side = mult * 2, side // 2
    return generator, nn.Sequential(*layers, nn.Conv2d(width * mult, 1, 4, bias=False))


def make_step(torch, mode, recipe, size, channels, width, batch):
    penalty = recipe == "wgan-gp"
    g, d = networks(torch, size, channels, width, batch_norm=not penalty)
    real = torch.rand(batch, channels, size, size) * 2 - 1
    if mode != "eager":  # compile, too, is fastest on this layout
        g, d, real = (x.to(memory_format=torch.channels_last) for x in (g, d, real))
    betas = (0.0, 0.9) if penalty else (0.5, 0.999)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 2e-4, betas, fused=True) for net in (g, d))
    run_g, run_d = g, d
    if mode == "compile":
        run_g = torch.compile(g)
        run_d = d if penalty else torch.compile(d)  # compiled graphs have no second derivative
    noise = lambda: torch.randn(batch, LATENT, 1, 1)
    bce = lambda out, label: torch.nn.functional.binary_cross_entropy_with_logits(
        out.flatten(), torch.full((batch,), label))

    def dcgan():
        opt_d.zero_grad()
        bce(run_d(real), 1.0).backward()
        fake = run_g(noise())
        bce(run_d(fake.detach()), 0.0).backward()
        opt_d.step()
        opt_g.zero_grad()
        d.requires_grad_(False)
        bce(run_d(fake), 1.0).backward()
        d.requires_grad_(True)
        opt_g.step()

    def critic():
        opt_d.zero_grad()
        with torch.no_grad():
            fake = run_g(noise())
        a = torch.rand(batch, 1, 1, 1)
        between = (a * real + (1 - a) * fake).requires_grad_(True)
        loss = d(fake).mean() - d(real).mean()
        slope, = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        (loss + 10 * (slope.flatten(1).norm(2, 1) - 1).pow(2).mean()).backward()
        opt_d.step()

    return critic if penalty else dcgan


def peer_process(mode, recipe, *numbers):
    """Answers each line with a number N on its input by the seconds of N steps."""
    try:
        import torch
    except ImportError:
        sys.exit("the peer needs the Python package torch: pip install torch")

    *geometry, threads = map(int, numbers)
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = make_step(torch, mode, recipe, *geometry)
    for _ in range(3):
        step()
    print(f"ready torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        with open("/proc/self/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) // 1024
        print(peak, *seconds, flush=True)


# ---- the programs under comparison: turn(steps) -> seconds of each step; peak in MiB ----


class Peer:
    def __init__(self, mode, case, threads):
        words = [sys.executable, os.path.abspath(__file__), "--as-peer", mode, *case.split(), str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready "):
            sys.exit(f"compare.py: the peer '{mode}' did not start for '{case}', see above")
        self.name, self.peak = f"{ready.split(maxsplit=1)[1].strip()} {mode}", 0

    def turn(self, steps):
        print(steps, file=self.process.stdin, flush=True)
        self.peak, *seconds = map(float, self.process.stdout.readline().split())
        return seconds

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Program:
    """bench_train, or a libtorch program with the same words: a fresh process each turn, its median counts."""

    def __init__(self, name, path, case, threads):
        self.name, self.words, self.threads, self.peak = name, [path, *case.split()], threads, 0

    def turn(self, steps):
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        done = subprocess.run(["/usr/bin/env", *self.words, str(steps), str(self.threads)], capture_output=True, text=True,
                              env=environment)
        found = re.search(r"median ([\d.]+) ms/step", done.stdout)
        if not found:
            sys.exit(f"compare.py: {' '.join(self.words)} failed: {done.stderr.strip() or done.stdout.strip()}")
        memory = re.search(r"peak memory (\d+) MiB", done.stderr)
        self.peak = float(memory[1]) if memory else 0
        return [float(found[1]) / 1000]

    def close(self):
        pass


def compare(case, options):
    programs = [Program("forger", options.forger, case, options.threads)]
    if options.libtorch:
        programs.append(Program("libtorch", options.libtorch, case, options.threads))
    programs += [Peer(mode, case, options.threads) for mode in options.peer or PEERS]
    times = {p.name: [] for p in programs}
    for _ in range(options.rounds):
        for p in programs:
            times[p.name] += p.turn(options.steps)
    for p in programs:
        p.close()
    ours = statistics.median(times["forger"])
    rows = []
    for p in programs:
        median = statistics.median(times[p.name])
        rows.append({"case": case, "threads": options.threads, "program": p.name, "ms": round(1e3 * median, 1),
                     "ratio": round(median / ours, 2), "peak_mib": int(p.peak)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", help="recipe size channels width batch; may be repeated")
    parser.add_argument("--peer", action="append", choices=PEERS, help="may be repeated (all)")
    parser.add_argument("--forger", metavar="PATH", default=os.path.join(ROOT, "build", "bench_train"))
    parser.add_argument("--libtorch", metavar="PATH", help="a libtorch program to run as well")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="per turn")
    parser.add_argument("--csv", metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    table = []
    print(f"{'case':24} {'program':32} {'ms/step':>9} {'x forger':>9} {'peak MiB':>9}")
    for case in options.case or CASES:
        for row in compare(case, options):
            table.append(row)
            print(f"{row['case']:24} {row['program']:32} {row['ms']:9.1f} {row['ratio']:9.2f} {row['peak_mib'] or '-':>9}",
                  flush=True)
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, table[0].keys())
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-peer"]:
        peer_process(*sys.argv[2:])
    else:
        main()
