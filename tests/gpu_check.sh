#!/usr/bin/env bash
# Everything about Forger that only a machine with an NVIDIA GPU can show, as one markdown table: tests on the device,
# NVIDIA's checkers, kernels beside cuBLAS and cuDNN, training steps beside PyTorch, losses beside the CPU's.
#   tests/gpu_check.sh [FILE]    the table goes to standard output and to FILE (gpu_check.md)
# Build first (./run build). A missing tool or a failed check is a row that says so, and the rest goes on. Exit code: 0
# when no check failed, 1 otherwise. FORGER_BUILD names another build folder, PYTHON another python3.
set -uo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=${FORGER_BUILD:-$here/build}
python=${PYTHON:-python3}
# Relative differences of losses, in the first step and in 20. Rounding alone grows: 1 thread against 2 on a CPU, which
# sum in another order, differ by 0.0064 within 20 steps.
first_tolerance=0.0001
loss_tolerance=0.05
sanitizer_seconds=3600

die() {
  echo "gpu_check: $*" >&2
  exit 1
}

if [[ $# -gt 1 || ${1-} == -* ]]; then
  echo "usage: tests/gpu_check.sh [FILE]" >&2
  exit 2
fi
file=${1:-gpu_check.md}
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1)
[[ -n $gpu ]] || die "there is no NVIDIA GPU here (nvidia-smi names none)"
[[ -x $build/forger ]] || die "$build/forger is not there; build first: ./run build"
: >"$file" || die "$file cannot be written"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
failures=0

# ---- the table ----

line() { printf '%s\n' "$1" | tee -a "$file"; }

# row CHECK RESULT VERDICT: ok, failed, missing, or "-" for a measurement.
row() {
  [[ $3 != failed ]] || failures=$((failures + 1))
  line "| ${1//|/\\|} | ${2//|/\\|} | $3 |"
}

# Why the last command failed, from its log, in one line.
reason() {
  local last
  last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-200)
  echo "${last:-no output}"
}

# attempt CHECK COMMAND...: output goes to the log; a failure becomes a row.
attempt() {
  local check=$1 code=0
  shift
  echo "gpu_check: $check ..." >&2
  "$@" >"$log" 2>&1 || code=$?
  [[ $code -eq 0 ]] || row "$check" "exit code $code: $(reason)" failed
  return "$code"
}

built() {  # CHECK PROGRAM
  [[ -x $build/$2 ]] && return
  row "$1" "$build/$2 is not built" missing
  return 1
}

# ---- reading what programs print ----

# ctest's output -> "passed failed skipped"
count_tests() {
  awk '/Test +#[0-9]+:/ {
         if (/   Passed +[0-9.]+ sec/) passed++
         else if (/\*\*\*Skipped/) skipped++
         else if (/sec *$/) failed++
       }
       END { print passed + 0, failed + 0, skipped + 0 }'
}

# bench_kernels' table -> "kernel shape<TAB>figures", a line per kernel; the roofline first.
kernel_rows() {
  awk -F '   *' '
    /^bandwidth/ { print "roofline\t" $0 }
    $1 == "kernel" && $2 == "shape" { for (i = 5; i <= NF; i++) name[i] = $i; table = 1; next }
    table && NF >= 5 {
      figures = $3 " us, " $4 ", " $5 " " name[5]
      for (i = 6; i <= NF; i++) if ($i != "") figures = figures ", " name[i] " " $i
      print $1 " " $2 "\t" figures
    }'
}

# Two metrics.csv -> the largest relative difference of their losses in step 1, in all steps, and how many both have.
compare_losses() {
  awk -F , '
    FNR == 1 { files++; for (i = 1; i <= NF; i++) if ($i ~ /^loss/) is_loss[i] = 1; next }
    files == 1 { for (i in is_loss) first[$1, i] = $i; next }
    {
      found = 0
      for (i in is_loss) {
        if (!(($1, i) in first)) continue
        found = 1
        a = first[$1, i]; b = $i
        if (a !~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ || b !~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/) { finite = "no"; continue }
        size = a < 0 ? -a : a + 0
        other = b < 0 ? -b : b + 0
        if (other > size) size = other
        gap = a > b ? a - b : b - a
        if (size > 0) gap /= size
        if (gap > most) most = gap
        if ($1 == 1 && gap > start) start = gap
      }
      steps += found
    }
    END { if (finite == "no") print "nan nan", steps + 0; else printf "%.2g %.2g %d\n", start, most, steps }' "$1" "$2"
}

at_most() {  # NUMBER LIMIT; what is not a finite number is above any
  [[ $1 =~ ^[0-9.]+(e[-+]?[0-9]+)?$ ]] && awk -v x="$1" -v limit="$2" 'BEGIN { exit !(x + 0 <= limit + 0) }'
}

# ---- checks ----

check_tests() {
  local name="ctest -L cuda" code=0 passed failed skipped verdict=ok
  if ! command -v ctest >/dev/null; then
    row "$name" "ctest is not installed" missing
    return
  fi
  echo "gpu_check: $name ..." >&2
  (cd "$here" && ctest --preset release -L cuda) >"$log" 2>&1 || code=$?
  read -r passed failed skipped < <(count_tests <"$log")
  [[ $code -eq 0 && $failed -eq 0 && $passed -gt 0 ]] || verdict=failed
  local result="$passed passed, $failed failed, $skipped skipped"
  [[ $((passed + failed + skipped)) -gt 0 ]] || result="no test ran: $(reason)"
  row "$name" "$result" "$verdict"
  grep -A 1000 '^The following tests FAILED' "$log" | grep -E '^[[:space:]]*[0-9]+ - ' | while read -r failure; do
    line "| $name | ${failure//|/\\|} | |"
  done
}

check_sanitizer() {
  local sanitizer tool tests code name summary verdict
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  for tests in test_core test_kernels; do
    for tool in memcheck racecheck synccheck; do
      name="compute-sanitizer $tool $tests"
      if [[ ! -x $sanitizer ]]; then
        row "$name" "not installed" missing
        continue
      fi
      built "$name" "$tests" || continue
      echo "gpu_check: $name ..." >&2
      code=0 verdict=ok
      timeout "$sanitizer_seconds" "$sanitizer" --tool "$tool" --error-exitcode 1 "$build/$tests" "[cuda]" \
        >"$log" 2>&1 || code=$?
      summary=$(grep -E '^=+ .*SUMMARY' "$log" | tail -n 1 | sed 's/^=* *//')
      if [[ $code -eq 124 ]]; then
        summary="stopped after $sanitizer_seconds s"
      elif grep -qi 'no test cases matched' "$log"; then
        summary="no test is tagged [cuda]" code=1
      elif [[ $code -ne 0 ]]; then
        summary="exit code $code: ${summary:-$(reason)}"
      fi
      [[ $code -eq 0 ]] || verdict=failed
      row "$name" "${summary:-no summary}" "$verdict"
    done
  done
}

check_kernels() {
  local math name figures
  for math in fp32 tf32; do
    built "bench_kernels $math" bench_kernels || continue
    attempt "bench_kernels $math" "$build/bench_kernels" --device cuda --math "$math" || continue
    while IFS=$'\t' read -r name figures; do
      row "bench_kernels $math: $name" "$figures" -
    done < <(kernel_rows <"$log")
  done
}

check_steps() {
  local recipe images options name
  built bench_train bench_train || return
  for recipe in dcgan wgan-gp; do
    for images in "32 1" "64 3"; do
      for options in "" "--graph" "--math tf32" "--graph --math tf32"; do
        name="bench_train $recipe $images 64 64 50 --device cuda${options:+ $options}"
        # shellcheck disable=SC2086  # images and options are lists of words
        attempt "$name" "$build/bench_train" "$recipe" $images 64 64 50 --device cuda $options || continue
        row "$name" "$(sed -n 's/.*: median //p' "$log" | tail -n 1)" -
      done
    done
  done
}

# bench_train's DCGAN step in PyTorch: eager, channels last, the same networks, losses and updates.
torch_step() {  # SIZE CHANNELS fp32|tf32
  "$python" - "$@" <<'PYTHON'
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn.functional import softplus

size, channels, tf32 = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "tf32"
device, width, batch, latent, steps, warm_up = "cuda", 64, 64, 100, 50, 10
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
wait = torch.cuda.synchronize


def generator():
    multiple = size // 8
    layers = [nn.ConvTranspose2d(latent, width * multiple, 4, 1, 0, bias=False),
              nn.BatchNorm2d(width * multiple), nn.ReLU()]
    while multiple > 1:
        layers += [nn.ConvTranspose2d(width * multiple, width * multiple // 2, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(width * multiple // 2), nn.ReLU()]
        multiple //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    layers, multiple, side = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)], 1, size // 2
    while side > 4:
        layers += [nn.Conv2d(width * multiple, width * multiple * 2, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(width * multiple * 2), nn.LeakyReLU(0.2)]
        side, multiple = side // 2, multiple * 2
    return nn.Sequential(*layers, nn.Conv2d(width * multiple, 1, 4, 1, 0, bias=False), nn.Flatten(0))


def network(made):
    for p in made.parameters():
        if p.dim() == 4:
            nn.init.normal_(p, 0, 0.02)
    return made.to(device=device, memory_format=torch.channels_last)


g, d = network(generator()), network(discriminator())
adam_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
adam_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
real = torch.rand(batch, channels, size, size, device=device).mul(2).sub(1).to(memory_format=torch.channels_last)


def step():
    fake = g(torch.randn(batch, latent, 1, 1, device=device))
    adam_d.zero_grad(set_to_none=True)
    softplus(-d(real)).mean().backward()
    softplus(d(fake.detach())).mean().backward()
    adam_d.step()
    adam_g.zero_grad(set_to_none=True)
    d.requires_grad_(False)
    softplus(-d(fake)).mean().backward()
    adam_g.step()
    d.requires_grad_(True)


seconds = []
for i in range(warm_up + steps):
    wait()
    start = time.perf_counter()
    step()
    wait()
    if i >= warm_up:
        seconds.append(time.perf_counter() - start)
print(f"PyTorch {torch.__version__}: {1e3 * statistics.median(seconds):.2f} ms/step")
PYTHON
}

check_torch() {
  local images math name
  if ! "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' >/dev/null 2>&1; then
    row "PyTorch dcgan" "$python has no torch with CUDA" missing
    return
  fi
  for images in "32 1" "64 3"; do
    for math in fp32 tf32; do
      name="PyTorch dcgan $images 64 64 50, eager, NHWC, $math"
      # shellcheck disable=SC2086  # images is two words
      attempt "$name" torch_step $images "$math" || continue
      row "$name" "$(tail -n 1 "$log")" -
    done
  done
}

train() {  # OUT DEVICE STEPS
  "$build/forger" train dcgan --device "$2" --steps "$3" --checkpoint-every 0 --preview-every 0 --json --out "$1"
}

check_training() {
  local start most steps verdict=ok
  local name="forger train dcgan --device cuda --steps 300"
  if attempt "$name" train "$scratch/gpu" cuda 300; then
    row "$name" "$(awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
      { d = $column["loss_d"]; g = $column["loss_g"]; s = $column["seconds"]; n = $1 }
      END { if (n > 0) printf "%d steps in %.1f s, loss_d %s, loss_g %s", n, s, d, g; else print "no steps" }' \
      "$scratch/gpu/metrics.csv")" ok
  fi
  name="losses of 20 steps, cuda against cpu"
  attempt "$name" train "$scratch/gpu20" cuda 20 || return
  attempt "$name" train "$scratch/cpu20" cpu 20 || return
  read -r start most steps < <(compare_losses "$scratch/cpu20/metrics.csv" "$scratch/gpu20/metrics.csv")
  if [[ $steps -ne 20 ]] || ! at_most "$start" "$first_tolerance" || ! at_most "$most" "$loss_tolerance"; then
    verdict=failed
  fi
  row "$name" "largest relative difference in step 1: $start (at most $first_tolerance), in $steps steps: $most (at \
most $loss_tolerance)" "$verdict"
}

line "| check | result | verdict |"
line "|---|---|---|"
row "device, driver, memory" "$gpu" -
check_tests
check_sanitizer
check_kernels
check_steps
check_torch
check_training
if [[ $failures -gt 0 ]]; then
  echo "gpu_check: $failures failed; the table is in $file" >&2
  exit 1
fi
echo "gpu_check: nothing failed; the table is in $file" >&2
