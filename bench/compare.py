#!/usr/bin/env python3
"""Forger against PyTorch on this machine: training steps of DCGAN and of the WGAN-GP critic, in interleaved runs.

    python3 bench/compare.py                                    the four steps of the README's table
    python3 bench/compare.py --device cuda                      on a GPU: those, and with a batch of 256
    python3 bench/compare.py --case "dcgan 32 1 16 128"         one of your own: recipe size channels width batch
    python3 bench/compare.py --peer eager --peer compile        only these of PyTorch's ways
    python3 bench/compare.py --libtorch PATH                    beside a libtorch program that takes bench_train's words

    FORGER_SIMD=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python3 bench/compare.py      all held to AVX2

Every program takes a turn of a few steps in each round, so that what else the machine does meets all of them; a cell is
the median over all rounds. On the CPU peers run in processes of their own that wait between turns. On a GPU, which is
nobody else's, they share one, take one turn after the other, and are told as they are measured; steps are queued ten at
a time, as training queues them; MiB are the GPU's while steps run, tensors and workspaces, without CUDA's own.
The ratio is to Forger's fastest in the same arithmetic (amp is bf16). Needs the package torch (and
a C++ compiler for its compile mode); Forger itself needs neither. Build first: ./run build
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
GPU_CASES = CASES + [re.sub("64$", "256", case) for case in CASES]
# Ways to run the same step; on a GPU with the arithmetic. All but eager are on channels_last, which is the fastest.
PEERS = {"cpu": ["eager", "channels_last", "compile"],
         "cuda": ["eager fp32", "channels_last fp32", "graph fp32", "eager tf32", "channels_last tf32", "graph tf32",
                  "channels_last amp", "graph amp", "compile tf32", "compile amp"]}
FORGER = {"cpu": [""], "cuda": ["fp32", "fp32 graph", "tf32", "tf32 graph", "bf16", "bf16 graph"]}
LATENT = 100
QUEUED = 10  # steps between waits for a GPU


# ---- the peers: PyTorch, in a process of its own ----


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


def make_step(torch, device, way, math, recipe, size, channels, width, batch):
    torch.manual_seed(0)
    torch._dynamo.reset()  # what was compiled for one case is not for the next, and there is a limit to how often
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = math != "fp32"
    penalty = recipe == "wgan-gp"
    g, d = (net.to(device) for net in networks(torch, size, channels, width, batch_norm=not penalty))
    real = torch.rand(batch, channels, size, size, device=device) * 2 - 1
    if way != "eager":  # compile, too, is fastest on this layout
        g, d, real = (x.to(memory_format=torch.channels_last) for x in (g, d, real))
    betas = (0.0, 0.9) if penalty else (0.5, 0.999)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), 2e-4, betas, fused=True, capturable=way == "graph")
                    for net in (g, d))
    run_g, run_d = g, d
    if way == "compile":
        run_g = torch.compile(g, dynamic=False)
        run_d = d if penalty else torch.compile(d, dynamic=False)  # compiled graphs have no second derivative
    noise = lambda: torch.randn(batch, LATENT, 1, 1, device=device)
    bce = lambda out, label: torch.nn.functional.binary_cross_entropy_with_logits(
        out.flatten(), torch.full((batch,), label, device=device, dtype=out.dtype))
    half = lambda: torch.autocast(device, torch.bfloat16, enabled=math == "amp")

    def dcgan():
        opt_d.zero_grad()
        with half():
            loss = bce(run_d(real), 1.0)
        loss.backward()
        with half():
            fake = run_g(noise())
            loss = bce(run_d(fake.detach()), 0.0)
        loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        d.requires_grad_(False)
        with half():
            loss = bce(run_d(fake), 1.0)
        loss.backward()
        d.requires_grad_(True)
        opt_g.step()

    def critic():
        opt_d.zero_grad()
        with half():
            with torch.no_grad():
                fake = run_g(noise())
            a = torch.rand(batch, 1, 1, 1, device=device)
            between = (a * real + (1 - a) * fake).requires_grad_(True)
            loss = d(fake).mean() - d(real).mean()
            slope, = torch.autograd.grad(d(between).sum(), between, create_graph=True)
            loss = loss + 10 * (slope.flatten(1).norm(2, 1) - 1).pow(2).mean()
        loss.backward()
        opt_d.step()

    step = critic if penalty else dcgan
    if way != "graph":
        for _ in range(3):
            step()
        return step
    beside = torch.cuda.Stream()  # a first few steps, on a stream of their own, as capturing wants it
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def peer_process(device, threads):
    """Answers each line "STEPS/WAY MATH/CASE" by the peak of its memory in MiB and the seconds of a step, again and
    again, or by "failed" and why."""
    try:
        import torch
    except ImportError:
        sys.exit("the peer needs the Python package torch: pip install torch")
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit("the package torch finds no GPU")

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    torch.set_num_threads(int(threads))
    on_gpu = device == "cuda"
    wait, queued = (torch.cuda.synchronize, QUEUED) if on_gpu else (lambda: None, 1)

    def turn(steps, step):
        seconds = []
        for _ in range(max(1, steps // queued)):
            wait()
            start = time.perf_counter()
            for _ in range(queued):
                step()
            wait()
            seconds.append((time.perf_counter() - start) / queued)
        return seconds

    def peak():
        if on_gpu:
            return torch.cuda.max_memory_allocated() >> 20
        with open("/proc/self/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) // 1024

    made, step = None, None
    print(f"ready torch {torch.__version__}", file=answers, flush=True)
    for line in sys.stdin:
        steps, peer, case = line.strip().split("/")
        try:
            if made != (peer, case):
                step = made = None  # whose memory is not the next one's
                if on_gpu:
                    torch.cuda.empty_cache()
                way, math = (peer.split() + ["fp32"])[:2]
                recipe, *geometry = case.split()
                step, made = make_step(torch, device, way, math, recipe, *map(int, geometry)), (peer, case)
                step()
                wait()
                if on_gpu:  # cuDNN has chosen its algorithms, and tried the others'
                    torch.cuda.reset_peak_memory_stats()
            seconds = turn(int(steps), step)
            print(peak(), *seconds, file=answers, flush=True)
        except Exception as error:  # one way that fails must not take the others along
            print("failed", in_a_line(str(error)) or type(error).__name__, file=answers, flush=True)


# ---- the programs under comparison: turn(steps) -> seconds of each step; peak in MiB ----


class Failed(Exception):
    pass


def in_a_line(words):
    return " ".join(words.split())[:200]


class PeerProcess:
    def __init__(self, device, threads):
        self.device, self.threads = device, threads
        self.start()

    def start(self):
        device, threads = self.device, self.threads
        words = [sys.executable, os.path.abspath(__file__), "--as-peer", device, str(threads)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=environment)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready "):
            sys.exit("compare.py: the peer did not start, see above")
        self.version = ready.split(maxsplit=1)[1].strip()

    def ask(self, steps, peer, case):
        if self.process.poll() is not None:  # the last way took it along
            self.start()
        try:
            print(f"{steps}/{peer}/{case}", file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline().split(maxsplit=1)
        except OSError:
            answer = []
        if not answer:
            raise Failed(f"the peer ended with code {self.process.wait()}")
        if answer[0] == "failed":
            raise Failed(answer[1].strip())
        return [float(answer[0]), *map(float, answer[1].split())]

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:  # it has ended
            pass
        self.process.wait()


class Peer:
    def __init__(self, process, peer, case):
        self.process, self.peer, self.case = process, peer, case
        self.name, self.math, self.peak = f"{process.version} {peer}", (peer.split() + [""])[1], 0

    def turn(self, steps):
        self.peak, *seconds = self.process.ask(steps, self.peer, self.case)
        return seconds


class Program:
    """bench_train, or a libtorch program with the same words: a fresh process each turn, its median counts."""

    def __init__(self, name, path, case, options, way=""):
        self.name, self.math, self.peak = f"{name} {way}".strip(), way.split(" ")[0], 0
        self.words = [path, *case.split(), "STEPS", str(options.threads)]
        if way:
            self.words += ["--device", options.device, "--math", self.math] + (["--graph"] if "graph" in way else [])
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}

    def turn(self, steps):
        words = [str(steps) if word == "STEPS" else word for word in self.words]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=self.environment)
        found = re.search(r"median ([\d.]+) ms/step", done.stdout)
        if not found:
            raise Failed(in_a_line(done.stderr or done.stdout) or f"exit code {done.returncode}")
        memory = re.search(r"peak memory (\d+) MiB", done.stderr)
        self.peak = float(memory[1]) if memory else 0
        return [float(found[1]) / 1000]


def compare(case, options, shared_process):
    programs = [Program("forger", options.forger, case, options, way) for way in FORGER[options.device]]
    if options.libtorch:
        programs.append(Program("libtorch", options.libtorch, case, options))
    own_processes = []
    for peer in options.peer or PEERS[options.device]:
        if not shared_process:
            own_processes.append(PeerProcess(options.device, options.threads))
        programs.append(Peer(shared_process or own_processes[-1], peer, case))
    # Several rounds go over all of them; a single one need not wait for the last to tell of the first.
    ours = [p for p in programs if isinstance(p, Program)]
    groups = [ours] + [[p] for p in programs if p not in ours] if options.rounds == 1 else [programs]
    medians = {}
    for group in groups:
        times, failures = {p: [] for p in group}, {}
        for _ in range(options.rounds):
            for p in group:
                if p not in failures:
                    try:
                        times[p] += p.turn(options.steps)
                    except (Failed, OSError) as error:
                        failures[p] = in_a_line(str(error))
        medians |= {p: statistics.median(times[p]) for p in group if p not in failures}
        for p in group:
            row = {"case": case, "threads": options.threads, "program": p.name, "ms": "", "ratio": "", "peak_mib": "",
                   "failure": failures.get(p, "")}
            if p in medians:
                math = "bf16" if p.math == "amp" else p.math
                forger = [m for q, m in medians.items() if q.name.startswith("forger") and q.math == math]
                row.update(ms=round(1e3 * medians[p], 3 if options.device == "cuda" else 1), peak_mib=int(p.peak))
                if forger:
                    row["ratio"] = round(medians[p] / min(forger), 2)
            yield row
    for process in own_processes:
        process.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=PEERS, default="cpu")
    parser.add_argument("--case", action="append", help="recipe size channels width batch; may be repeated")
    parser.add_argument("--peer", action="append", help="may be repeated (all: " + ", ".join(PEERS["cpu"]) +
                        "; on a GPU " + ", ".join(PEERS["cuda"]) + ")")
    parser.add_argument("--forger", metavar="PATH", default=os.path.join(ROOT, "build", "bench_train"))
    parser.add_argument("--libtorch", metavar="PATH", help="a libtorch program to run as well")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, help="over all programs (3; on a GPU 1)")
    parser.add_argument("--steps", type=int, help="per turn (5; on a GPU 50)")
    parser.add_argument("--csv", metavar="FILE", help="write the table there, too")
    parser.add_argument("--tsv", action="store_true", help="print lines of tab-separated cells")
    options = parser.parse_args()
    for peer in options.peer or []:
        if peer not in PEERS[options.device]:
            known = ", ".join(PEERS[options.device])
            parser.error(f"--peer '{peer}' is not known; on {options.device} there are: {known}")
    on_gpu = options.device == "cuda"
    options.steps = options.steps or (5 * QUEUED if on_gpu else 5)
    options.rounds = options.rounds or (1 if on_gpu else 3)
    shared_process = PeerProcess("cuda", options.threads) if on_gpu else None
    table = []
    if not options.tsv:
        print(f"{'case':24} {'program':36} {'ms/step':>9} {'x forger':>9} {'peak MiB':>9}")
    for case in options.case or (GPU_CASES if on_gpu else CASES):
        for row in compare(case, options, shared_process):
            table.append(row)
            if options.tsv:
                print(*row.values(), sep="\t", flush=True)
                continue
            figures = row["failure"] or f"{row['ms']:>9} {row['ratio'] or '-':>9} {row['peak_mib'] or '-':>9}"
            print(f"{row['case']:24} {row['program']:36} {figures}", flush=True)
    if shared_process:
        shared_process.close()
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, table[0].keys())
            writer.writeheader()
            writer.writerows(table)
    return 3 if any(row["failure"] for row in table) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-peer"]:
        peer_process(*sys.argv[2:])
    else:
        sys.exit(main())
