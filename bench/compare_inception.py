#!/usr/bin/env python3
"""Forger's Inception-v3 against pytorch-fid's on this machine: images per second, in interleaved runs.

    python3 bench/compare_inception.py                            batch 16, 2 threads
    python3 bench/compare_inception.py --batch 50 --threads 1
    python3 bench/compare_inception.py --peer channels_last       only this of PyTorch's ways
    python3 bench/compare_inception.py --fid 1000                 from two folders of 1,000 pictures each to their FID

All run the network alone, on random weights and images. Each waits in a process of its own and takes a turn of a few
passes in each round, so that what else the machine does meets all of them; a cell is the median over all rounds. --fid
times whole programs instead, one after the other: forger fid and pytorch-fid, on the same files and random weights.
Needs the packages torch, torchvision, pytorch-fid and, for --fid, safetensors. Build first: ./run build
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from unittest.mock import patch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEERS = ["eager", "channels_last"]


# ---- the peer ----


def make_network(torch):
    import pytorch_fid.inception

    # Random weights in place of the download: time does not depend on them.
    with patch.object(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: {}), \
            patch.object(torch.nn.Module, "load_state_dict", lambda *_: None):
        return pytorch_fid.inception.InceptionV3(resize_input=False, normalize_input=False).eval()


def peer_process(mode, batch, threads):
    """Answers each line with a number N on its input by the peak memory and the seconds of N passes."""
    try:
        import torch

        network = make_network(torch)
    except ImportError as error:
        sys.exit(f"the peer needs the Python package {error.name}: pip install torch torchvision pytorch-fid")

    torch.set_num_threads(int(threads))
    images = torch.rand(int(batch), 3, 299, 299) * 2 - 1
    if mode == "channels_last":
        network, images = (x.to(memory_format=torch.channels_last) for x in (network, images))
    with torch.no_grad():
        for _ in range(2):
            network(images)
        print(f"ready torch {torch.__version__} {mode}", flush=True)
        for line in sys.stdin:
            seconds = []
            for _ in range(int(line)):
                start = time.perf_counter()
                network(images)
                seconds.append(time.perf_counter() - start)
            with open("/proc/self/status") as status:
                peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) // 1024
            print(peak, *seconds, flush=True)


# ---- the programs under comparison: turn(passes) -> seconds of each; peak in MiB ----


class Program:
    def __init__(self, words, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(words, env=environment, **pipes)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready "):
            sys.exit(f"compare_inception.py: {' '.join(words)} did not start, see above")
        self.name, self.peak, self.seconds = ready.split(maxsplit=1)[1].strip(), 0, []

    def turn(self, passes):
        print(passes, file=self.process.stdin, flush=True)
        self.peak, *seconds = map(float, self.process.stdout.readline().split())
        self.seconds += seconds

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# ---- whole programs, from pictures to a distance ----


def fid_peer(weights, batch, threads, *folders):
    import pytorch_fid.fid_score
    import pytorch_fid.inception
    import torch

    torch.set_num_threads(int(threads))
    with patch.object(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: torch.load(weights)):
        print(pytorch_fid.fid_score.calculate_fid_given_paths(folders, int(batch), "cpu", 2048, int(threads)))


def write_weights(folder):
    """pytorch-fid's network with random weights, as its file and as Forger's."""
    import pytorch_fid.inception
    import torch

    torch.manual_seed(0)
    with patch.object(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: {}), \
            patch.object(torch.nn.Module, "load_state_dict", lambda *_: None):
        network = pytorch_fid.inception.fid_inception_v3()
    for name, weight in network.named_parameters():
        if name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(weight)  # so that something of the pictures reaches the features
    theirs, ours = os.path.join(folder, "random.pth"), os.path.join(folder, "random.safetensors")
    torch.save(network.state_dict(), theirs)
    converter = os.path.join(ROOT, "metrics", "convert_inception.py")
    subprocess.run([sys.executable, converter, theirs, ours, "--any-weights"], check=True)
    return theirs, ours


def write_pictures(folder, count, seed):
    """Noise that is smooth over a few pixels, 32 x 32, in colour."""
    import numpy
    from PIL import Image

    os.mkdir(folder)
    random = numpy.random.default_rng(seed)
    for i in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (4 + seed, 4 + seed, 3), dtype=numpy.uint8))
        coarse.resize((32, 32), Image.BICUBIC).save(os.path.join(folder, f"{i:06}.png"))


def timed(words, threads):
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"compare_inception.py: {' '.join(words)} failed, see above")
    return time.perf_counter() - start, usage.ru_maxrss // 1024, out.strip()


def compare_fid(options):
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = write_weights(folder)
        sets = [os.path.join(folder, name) for name in "ab"]
        for seed, path in enumerate(sets):
            write_pictures(path, options.fid, seed)
        threads = str(options.threads)
        forger = [os.path.join(ROOT, "build", "forger"), "fid", *sets, "--inception", ours, "--convention", "pytorch",
                  "--threads", threads]
        peer = [sys.executable, os.path.abspath(__file__), "--as-fid-peer", theirs, str(options.batch), threads, *sets]
        runs = {"forger fid": timed(forger, threads), "pytorch-fid": timed(peer, threads)}
    print(f"FID of {options.fid} and {options.fid} pictures, {threads} thread(s)\n")
    print(f"{'program':12} {'seconds':>9} {'x forger':>9} {'peak MiB':>9}  answer")
    for name, (seconds, peak, answer) in runs.items():
        print(f"{name:12} {seconds:9.1f} {seconds / runs['forger fid'][0]:9.2f} {peak:9}  {answer}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", choices=PEERS, help="may be repeated (all)")
    parser.add_argument("--forger", metavar="PATH", default=os.path.join(ROOT, "build", "bench_inception"))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=2, help="per turn")
    parser.add_argument("--fid", type=int, metavar="N", help="whole programs, on N pictures against N")
    options = parser.parse_args()
    if options.fid:
        return compare_fid(options)
    numbers = [str(options.batch), str(options.threads)]
    programs = [Program([options.forger, *numbers, "--as-peer"], options.threads)]
    for mode in options.peer or PEERS:
        words = [sys.executable, os.path.abspath(__file__), "--as-peer", mode, *numbers]
        programs.append(Program(words, options.threads))
    for _ in range(options.rounds):
        for program in programs:
            program.turn(options.passes)
    ours = statistics.median(programs[0].seconds)
    print(f"Inception-v3, batch {options.batch}, {options.threads} thread(s)\n")
    print(f"{'program':32} {'images/s':>9} {'ms/batch':>9} {'x forger':>9} {'peak MiB':>9}")
    for program in programs:
        program.close()
        median = statistics.median(program.seconds)
        print(f"{program.name:32} {options.batch / median:9.1f} {1e3 * median:9.1f} {median / ours:9.2f} "
              f"{program.peak:9.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-peer"]:
        peer_process(*sys.argv[2:])
    elif sys.argv[1:2] == ["--as-fid-peer"]:
        fid_peer(*sys.argv[2:])
    else:
        main()
