#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can show of Forger, as one markdown table, what matters most first: tests of
# the kernels, losses beside the CPU's, graphs beside eager steps, NVIDIA's checkers, training steps beside PyTorch, kernels
# beside cuBLAS and cuDNN.
#   tests/gpu_check.sh [FILE]    each row goes to standard output and to FILE (gpu_check.md) as soon as it is known;
#                                what failed says why in FILE's neighbour, gpu_check.log
# In a kit (./run gpu-kit DIR), which needs nothing but a driver, or after ./run build. It ends within GPU_CHECK_SECONDS
# (470): every row has a limit, and what there is no time for is a row that says so, as is a missing tool. Exit code: 0
# when no check failed, 1 otherwise. FORGER_BUILD names another build folder, PYTHON another python3.
set -uo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
build=${FORGER_BUILD:-$here/build}
python=${PYTHON:-python3}
budget=${GPU_CHECK_SECONDS:-470}
at_once=4 # tests that share the GPU
# Relative differences of losses, in the first step and in 20. Rounding alone grows: 1 thread against 2 on a CPU, which
# sum in another order, differ by 0.0064 within 20 steps.
first_tolerance=0.0001
loss_tolerance=0.05

die() {
  echo "gpu_check: $*" >&2
  exit 1
}

if [[ $# -gt 1 || ${1-} == -* ]]; then
  echo "usage: tests/gpu_check.sh [FILE]" >&2
  exit 2
fi
[[ $budget =~ ^[1-9][0-9]*$ ]] || die "GPU_CHECK_SECONDS must be a number of seconds, got '$budget'"
file=${1:-gpu_check.md}
failed_output=${file%.md}.log
gpu=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1)
[[ -n $gpu ]] || die "there is no NVIDIA GPU here (nvidia-smi names none)"
[[ -x $build/forger ]] || die "$build/forger is not there; build first: ./run build"
{ : >"$file" && : >"$failed_output"; } || die "$file and $failed_output cannot be written"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; kill $(jobs -p) 2>/dev/null' EXIT
log=$scratch/log

data=fashion-mnist
[[ ! -e $here/data/t10k-images-idx3-ubyte.gz ]] || data=idx:$here/data/t10k-images-idx3-ubyte.gz
# cuBLAS and cuDNN: where the loader looks, else the toolkit's, else those that come with a PyTorch.
LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64:$("$python" -c 'import glob, sysconfig
print(":".join(glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib")))' 2>/dev/null)
export LD_LIBRARY_PATH

# ---- the table ----

line() { printf '%s\n' "$1" | tee -a "$file"; }

# row CHECK RESULT VERDICT: ok, failed, missing, or "-" for a measurement.
row() {
  [[ $3 != failed ]] || { printf '\n== %s\n' "$1" && tail -n 200 "$log"; } >>"$failed_output" 2>/dev/null
  line "| ${1//|/\\|} | ${2//|/\\|} | $3 |"
}

# Why the last command failed, from its log, in one line: what a test expected, or the last that it said.
reason() {
  local said
  said=$(grep -a -m 1 -A 3 'FAILED:$' "$log" | tr -s ' \n' ' ' | cut -c 1-250)
  [[ -n $said ]] || said=$(grep -a -v '^[[:space:]]*$' "$log" | tail -n 1 | cut -c 1-250)
  echo "${said:-no output}"
}

# A part of the table may take so many seconds, and no longer than there are.
part() {
  until=$((SECONDS + $1 < budget ? SECONDS + $1 : budget))
}
left() { echo $((until - SECONDS)); }

# within SECONDS COMMAND...: its output goes to the log; what there is no time for has the exit code 75.
within() {
  local limit=$1
  shift
  [[ $limit -le $(left) ]] || limit=$(left)
  [[ $limit -gt 0 ]] || return 75
  timeout -k 5 "$limit" "$@" >"$log" 2>&1
}

# explain CODE: what became of a command, in words.
explain() {
  case $1 in
    75) echo "no time left" ;;
    124 | 137) echo "stopped after its time: $(reason)" ;;
    *) echo "exit code $1: $(reason)" ;;
  esac
}

# attempt CHECK SECONDS COMMAND...: a failure becomes a row.
attempt() {
  local check=$1 code=0
  shift
  echo "gpu_check: $check ..." >&2
  within "$@" || code=$?
  [[ $code -ne 75 ]] || row "$check" "no time left" missing
  [[ $code -eq 0 || $code -eq 75 ]] || row "$check" "$(explain "$code")" failed
  return "$code"
}

built() {  # CHECK PROGRAM
  [[ -x $build/$2 ]] && return
  row "$1" "$build/$2 is not built" missing
  return 1
}

# ---- reading what programs print ----

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

# compare.py's lines, as they come -> "case, program<TAB>figures<TAB>verdict".
step_rows() {
  awk '
    function words(from, to,   i, all) { for (i = from; i <= to; i++) all = all (i > from ? " " : "") $i; return all }
    $1 == "case" || NF < 7 { next }
    $(NF - 2) ~ /^[0-9.]+$/ {
      printf "%s, %s\t%s ms/step, %s x forger, %s MiB\t-\n", words(1, 5), words(6, NF - 3), $(NF - 2), $(NF - 1), $NF
      fflush(); next
    }
    { printf "%s\t%s\tfailed\n", words(1, 5), words(6, NF); fflush() }'
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

# One test in a process of its own: an error of CUDA stays with the process that made it.
run_test() {  # NUMBER PROGRAM NAME
  local log=$scratch/test.$1 code=0 outcome=passed
  within 140 "$2" "${3//,/\\,}" || code=$?
  [[ $code -eq 0 ]] || outcome=failed
  [[ $code -ne 75 ]] || outcome=left
  [[ $code -ne 0 ]] || ! grep -aq '^skipped:' "$log" || outcome=skipped
  [[ $code -ne 0 ]] || ! grep -aq 'No tests ran' "$log" || outcome=left
  echo "$outcome" >"$scratch/outcome.$1"
  [[ $outcome != failed ]] || row "test: $3" "$(explain "$code")" failed
}

check_tests() {
  local count=0 program name outcome passed=0 failed=0 skipped=0 left=0 verdict=ok
  echo "gpu_check: tests on the GPU ..." >&2
  for program in "$build"/test_*; do
    [[ -f $program && -x $program ]] || continue
    "$program" --list-test-names-only "[cuda]" 2>/dev/null | grep -a . | sed "s|^|$program\t|"
  done >"$scratch/tests"
  while IFS=$'\t' read -r program name; do
    while [[ $(jobs -rp | wc -l) -ge $at_once ]]; do wait -n; done
    count=$((count + 1))
    run_test "$count" "$program" "$name" &
  done <"$scratch/tests"
  wait
  for outcome in "$scratch"/outcome.*; do
    [[ ! -e $outcome ]] || eval "$(cat "$outcome")=\$(($(cat "$outcome") + 1))"
  done
  [[ $failed -eq 0 && $skipped -eq 0 && $left -eq 0 && $passed -eq $count && $count -gt 0 ]] || verdict=failed
  [[ $failed -gt 0 || $passed -gt 0 || $verdict == ok ]] || verdict=missing
  row "tests on the GPU" "$passed passed, $failed failed, $skipped skipped, $left left out, of $count" "$verdict"
}

recipes() { "$build/forger" list | sed -n '/^Recipes/,/^$/s/^  \([a-z0-9-]\{1,\}\)  .*/\1/p'; }

train() {  # RECIPE NAME WORDS...
  local log=$scratch/$1-$2 recipe=$1 name=$2
  shift 2
  attempt "train $recipe, 20 steps, $name" 90 "$build/forger" train "$recipe" --data "$data" --size 32 --width 32 \
    --steps 20 --checkpoint-every 20 --preview-every 0 --json --out "$scratch/run-$recipe-$name" "$@"
}

check_recipe() {  # RECIPE
  local start most steps verdict=ok run=$scratch/run-$1 newest=checkpoints/step-000020.safetensors
  train "$1" cpu --device cpu &
  train "$1" graph --device cuda --graph &
  train "$1" cuda --device cuda &
  wait
  if [[ -e $run-cpu/metrics.csv && -e $run-cuda/metrics.csv ]]; then
    read -r start most steps < <(compare_losses "$run-cpu/metrics.csv" "$run-cuda/metrics.csv")
    if [[ $steps -ne 20 ]] || ! at_most "$start" "$first_tolerance" || ! at_most "$most" "$loss_tolerance"; then
      verdict=failed
    fi
    row "$1: losses, cuda against cpu" "largest relative difference in step 1: $start (at most $first_tolerance), in \
$steps steps: $most (at most $loss_tolerance)" "$verdict"
  fi
  [[ -e $run-cuda/$newest && -e $run-graph/$newest ]] || return
  if cmp "$run-cuda/$newest" "$run-graph/$newest" >"$log" 2>&1; then
    row "$1: 20 steps by graph" "the bytes of 20 eager steps" ok
  else
    row "$1: 20 steps by graph" "not the bytes of 20 eager steps: $(reason)" failed
  fi
}

# sanitize TOOL WHAT COMMAND...
sanitize() {
  local tool=$1 name="compute-sanitizer $1: $2" log code=0 summary verdict=ok
  log=$(mktemp -p "$scratch")
  shift 2
  echo "gpu_check: $name ..." >&2
  within 75 "$sanitizer" --tool "$tool" --error-exitcode 99 "$@" || code=$?
  summary=$(grep -aE '^=+ .*SUMMARY' "$log" | tail -n 1 | sed 's/^=* *//')
  case $code in
    0) ;;
    75) summary="no time left" verdict=missing ;;
    99) verdict=failed ;;
    124 | 137) summary="nothing found in the time there was" verdict=- ;;
    *) summary=$(explain "$code") verdict=failed ;;
  esac
  row "$name" "${summary:-no summary}" "$verdict"
}

check_sanitizer() {
  local sanitizer tool recipe program
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [[ ! -x $sanitizer ]]; then
    row "compute-sanitizer" "not installed" missing
    return
  fi
  for tool in memcheck racecheck synccheck; do
    for recipe in $(recipes); do
      sanitize "$tool" "two steps of $recipe" "$build/forger" train "$recipe" --device cuda --data "$data" --size 16 \
        --width 4 --latent 8 --batch 2 --steps 2 --previews 1 --out "$scratch/$tool-$recipe" &
    done
    for program in "$build/test_all" "$build/test_core"; do
      [[ ! -x $program ]] || sanitize "$tool" "every op" "$program" "cuda: a run repeats bit for bit*" &
    done
  done
  wait
}

# The lines of bench/compare.py as rows, as they come.
compare_steps() {  # WORDS...
  local name figures verdict code
  if [[ $(left) -le 0 ]]; then
    row "steps beside PyTorch ($*)" "no time left" missing
    return
  fi
  echo "gpu_check: bench/compare.py --device cuda $* ..." >&2
  timeout -k 5 "$(left)" "$python" "$here/bench/compare.py" --device cuda --forger "$build/bench_train" --rounds 1 "$@" \
    2>"$log" | step_rows | while IFS=$'\t' read -r name figures verdict; do row "$name" "$figures" "$verdict"; done
  code=${PIPESTATUS[0]}
  [[ $code -ne 124 && $code -ne 137 ]] || row "steps beside PyTorch ($*)" "stopped after its time" missing
  [[ $code -le 1 || $code -eq 124 || $code -eq 137 ]] || row "steps beside PyTorch" "$(explain "$code")" failed
}

forger_steps() {  # BATCH
  local recipe images options name
  for recipe in dcgan wgan-gp; do
    for images in "32 1" "64 3"; do
      for options in "" "--graph" "--math tf32" "--graph --math tf32"; do
        name="bench_train $recipe $images 64 $1 50 --device cuda${options:+ $options}"
        # shellcheck disable=SC2086  # images and options are lists of words
        attempt "$name" 30 "$build/bench_train" "$recipe" $images 64 "$1" 50 --device cuda $options || continue
        row "$name" "$(sed -n 's/.*: median //p' "$log" | tail -n 1)" -
      done
    done
  done
}

check_steps() {  # BATCH
  local cases=()
  built bench_train bench_train || return
  if [[ $with_torch -eq 0 ]]; then
    forger_steps "$1"
    return
  fi
  for case in "dcgan 32 1" "wgan-gp 32 1" "dcgan 64 3" "wgan-gp 64 3"; do cases+=(--case "$case 64 $1"); done
  compare_steps "${cases[@]}" --peer "eager fp32" --peer "channels_last fp32" --peer "graph fp32" \
    --peer "eager tf32" --peer "channels_last tf32" --peer "graph tf32" --peer "channels_last amp" --peer "graph amp"
}

check_kernels() {
  local math name figures
  for math in fp32 tf32; do
    built "bench_kernels $math" bench_kernels || continue
    attempt "bench_kernels $math" 45 "$build/bench_kernels" --device cuda --math "$math" || continue
    while IFS=$'\t' read -r name figures; do
      row "bench_kernels $math: $name" "$figures" -
    done < <(kernel_rows <"$log")
  done
}

line "| check | result | verdict |"
line "|---|---|---|"
row "device, driver, memory" "$gpu" -
part 150
check_tests
part 75
for recipe in $(recipes); do check_recipe "$recipe"; done
part 75
check_sanitizer
part 20
with_torch=0
if within 60 "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  with_torch=1
else
  row "steps beside PyTorch" "$python has no torch with CUDA: Forger's alone" missing
fi
part 120
check_steps 64
part 60
check_kernels
part 100
check_steps 256
part "$budget"
if [[ $with_torch -eq 1 ]]; then # each takes a minute to compile
  compare_steps --case "dcgan 32 1 64 64" --case "wgan-gp 32 1 64 64" --case "dcgan 64 3 64 64" \
    --peer "compile tf32" --peer "compile amp"
fi
line ""
line "In $SECONDS s of $budget."
failures=$(grep -c '| failed |$' "$file")
if [[ $failures -gt 0 ]]; then
  echo "gpu_check: $failures failed; the table is in $file, their output in $failed_output" >&2
  exit 1
fi
rm -f "$failed_output"
echo "gpu_check: nothing failed; the table is in $file" >&2
