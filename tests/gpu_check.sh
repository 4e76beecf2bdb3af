#!/usr/bin/env bash
# What only a machine with an NVIDIA GPU can show of Forger, as one markdown table, what matters most first: tests of
# the kernels, losses beside the CPU's, graphs beside eager steps, NVIDIA's checkers, training steps beside PyTorch,
# kernels beside cuBLAS and cuDNN, among them the ladder from a naive kernel to tensor cores.
#   tests/gpu_check.sh [FILE]    each row goes to standard output and to FILE (gpu_check.md) as soon as it is known;
#                                what failed says why in FILE's neighbour, gpu_check.log
# In a kit (./run gpu-kit DIR), which needs nothing but a driver, or after ./run build. It ends within GPU_CHECK_SECONDS
# (470): every row has a limit, and what there is no time for is a row that says so, as is a missing tool. Exit code: 0
# when no check failed, 1 otherwise. FORGER_BUILD names another build folder, PYTHON another python3.
set -uo pipefail
export LC_ALL=C
SECONDS=0 # from here on, whatever the environment says

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
gpu=$(timeout -k 2 20 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null |
  head -n 1)
[[ -n $gpu ]] || die "there is no NVIDIA GPU here (nvidia-smi names none)"
[[ -x $build/forger ]] || die "$build/forger is not there; build first: ./run build"
{ : >>"$file" && : >"$failed_output"; } || die "$file and $failed_output cannot be written"
exec 9<"$file"
! command -v flock >/dev/null || flock -n 9 || die "$file is being written by another gpu_check"
: >"$file"
scratch=$(mktemp -d) || die "no temporary folder can be made"
log=$scratch/log

# Whatever still runs when the script ends, or is ended, goes with it.
finish() {
  trap - EXIT
  local pid
  for pid in "$scratch"/pid.*; do [[ ! -e $pid ]] || kill "${pid##*.}" 2>/dev/null; done
  kill $(jobs -p) 2>/dev/null
  wait
  rm -rf "$scratch"
}
trap finish EXIT
trap 'echo "gpu_check: interrupted; the table so far is in $file" >&2; exit 130' INT TERM HUP

data=fashion-mnist
[[ ! -e $here/data/t10k-images-idx3-ubyte.gz ]] ||
  data=idx:$here/data/t10k-images-idx3-ubyte.gz,$here/data/t10k-labels-idx1-ubyte.gz
declare -A data_of # by recipe
# cuBLAS and cuDNN: where the loader looks, else the toolkit's, else those that come with a PyTorch.
for folder in /usr/local/cuda/lib64 "$(timeout -k 2 20 "$python" -c 'import glob, sysconfig
print(":".join(glob.glob(sysconfig.get_paths()["purelib"] + "/nvidia/*/lib")))' 2>/dev/null)"; do
  [[ -z $folder ]] || export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"
done

# ---- the table ----

line() { printf '%s\n' "$1" | tee -a "$file" || die "$file cannot be written"; }

# row CHECK RESULT VERDICT: ok, failed, missing, or "-" for a measurement.
row() {
  if [[ $3 == failed ]]; then
    echo >>"$scratch/failures"
    { printf '\n== %s\n' "$1" && tail -n 200 "$log"; } >>"$failed_output" 2>/dev/null
  fi
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

# within SECONDS COMMAND...: its exit code; what it says goes to the log. `outcome` is how it ended: "ran", "stopped"
# when its time was over, "left" when there was none to begin with.
outcome=
within() {
  local limit=$1 began=$SECONDS pid code=0
  shift
  outcome=left
  [[ $limit -le $(left) ]] || limit=$(left)
  [[ $limit -gt 0 ]] || return 1
  timeout -k 5 "$limit" "$@" >"$log" 2>&1 &
  pid=$!
  : >"$scratch/pid.$pid"
  wait "$pid" || code=$?
  rm -f "$scratch/pid.$pid"
  outcome=ran
  [[ ($code -ne 124 && $code -ne 137) || $((SECONDS - began)) -lt $limit ]] || outcome=stopped
  return "$code"
}

# explain CODE: what became of the last command, in words.
explain() {
  case $outcome in
    left) echo "no time left" ;;
    stopped) echo "stopped after its time: $(reason)" ;;
    *) echo "exit code $1: $(reason)" ;;
  esac
}

# attempt CHECK SECONDS COMMAND...: a failure becomes a row.
attempt() {
  local check=$1 code=0 verdict=failed
  shift
  echo "gpu_check: $check ..." >&2
  within "$@" || code=$?
  [[ $outcome != left ]] || verdict=missing
  [[ $code -eq 0 ]] || row "$check" "$(explain "$code")" "$verdict"
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

# bench_ladder's tables -> "shape: step<TAB>figures", a line per step.
ladder_rows() {
  awk -F '   *' '
    NF == 1 && $0 != "" { shape = $0 }
    $1 == "step" { for (i = 2; i < NF; i++) name[i] = $i; table = 1; next }
    table && $1 != "" && NF >= 3 {
      figures = $2 " " name[2]
      for (i = 3; i < NF; i++) figures = figures ", " $i " " name[i]
      print shape ": " $1 "\t" figures
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

# One test in a process of its own: an error of CUDA stays with the process that made it.
run_test() {  # NUMBER PROGRAM NAME
  local log=$scratch/test.$1 code=0 what=passed
  within 140 "$2" "${3//,/\\,}" || code=$?
  if [[ $outcome == left ]]; then
    what=left
  elif [[ $code -ne 0 ]] || grep -aq 'No tests ran' "$log"; then
    what=failed
    row "test: $3" "$(explain "$code")" failed
  elif grep -aq '^skipped:' "$log"; then
    what=skipped
    row "test: $3" "$(grep -a -m 1 '^skipped:' "$log")" missing
  fi
  echo >>"$scratch/$what"
}

lines_in() { [[ -e $scratch/$1 ]] && wc -l <"$scratch/$1" || echo 0; }

check_tests() {
  local count=0 program name verdict=ok passed failed skipped left
  echo "gpu_check: tests on the GPU ..." >&2
  for program in "$build"/test_*; do
    [[ -f $program && -x $program ]] || continue
    within 30 "$program" --list-test-names-only "[cuda]" || true
    while read -r name; do [[ -z $name ]] || printf '%s\t%s\n' "$program" "$name"; done <"$log"
  done >"$scratch/tests"
  while IFS=$'\t' read -r program name; do
    while [[ $(jobs -rp | wc -l) -ge $at_once ]]; do wait -n; done
    count=$((count + 1))
    run_test "$count" "$program" "$name" &
  done <"$scratch/tests"
  wait
  passed=$((count - $(lines_in failed) - $(lines_in skipped) - $(lines_in left)))
  failed=$(lines_in failed) skipped=$(lines_in skipped) left=$(lines_in left)
  [[ $((skipped + left)) -eq 0 ]] || verdict=missing
  [[ $failed -eq 0 && $count -gt 0 ]] || verdict=failed
  row "tests on the GPU" "$passed passed, $failed failed, $skipped skipped, $left left out, of $count" "$verdict"
}

train() {  # RECIPE NAME WORDS...
  local log=$scratch/$1-$2 recipe=$1 name=$2
  shift 2
  attempt "train $recipe, 20 steps, $name" 90 "$build/forger" train "$recipe" --data "${data_of[$recipe]}" --size 32 \
    --width 32 --steps 20 --checkpoint-every 20 --preview-every 0 --json --out "$scratch/run-$recipe-$name" "$@"
}

check_recipe() {  # RECIPE
  local start most steps verdict=ok run=$scratch/run-$1 newest=checkpoints/step-000020.safetensors trained=() pids=() i
  train "$1" cpu --device cpu &
  pids+=($!)
  train "$1" cuda --device cuda &
  pids+=($!)
  train "$1" graph --device cuda --graph &
  pids+=($!)
  for i in 0 1 2; do wait "${pids[i]}" && trained[i]=1 || trained[i]=0; done
  if [[ ${trained[0]} -eq 1 && ${trained[1]} -eq 1 ]]; then
    read -r start most steps < <(compare_losses "$run-cpu/metrics.csv" "$run-cuda/metrics.csv" 2>/dev/null)
    if [[ ${steps:-0} -ne 20 ]] || ! at_most "$start" "$first_tolerance" || ! at_most "$most" "$loss_tolerance"; then
      verdict=failed
    fi
    row "$1: losses, cuda against cpu" "largest relative difference in step 1: ${start:--} (at most $first_tolerance), \
in ${steps:-0} steps: ${most:--} (at most $loss_tolerance)" "$verdict"
  fi
  [[ ${trained[1]} -eq 1 && ${trained[2]} -eq 1 ]] || return
  if cmp "$run-cuda/$newest" "$run-graph/$newest" >"$log" 2>&1; then
    row "$1: 20 steps by graph" "the bytes of 20 eager steps" ok
  else
    row "$1: 20 steps by graph" "not the bytes of 20 eager steps: $(reason)" failed
  fi
}

# sanitize TOOL WHAT COMMAND...
sanitize() {
  local tool=$1 name="compute-sanitizer $1: $2" log code=0 summary found verdict=ok
  log=$(mktemp -p "$scratch")
  shift 2
  echo "gpu_check: $name ..." >&2
  within 75 "$sanitizer" --tool "$tool" --error-exitcode 99 "$@" || code=$?
  summary=$(grep -aE '^=+ .*SUMMARY' "$log" | tail -n 1 | sed 's/^=* *//')
  found=$(grep -aE -m 1 '^=+ +(Invalid|Error:|Race |Potential|Barrier|Misaligned|Program hit)' "$log" | sed 's/^=* *//')
  if [[ $outcome == left ]]; then
    summary="no time left" verdict=missing
  elif [[ -n $found ]]; then # however it ended
    verdict=failed summary=${summary:-$found}
  elif [[ $outcome == stopped ]]; then
    summary="nothing found in the time there was" verdict=-
  elif [[ $code -ne 0 || -z $summary ]]; then
    verdict=failed
    [[ $code -eq 99 && -n $summary ]] || summary=$(explain "$code")
  elif grep -aqE '^skipped:|No tests ran' "$log"; then
    summary="nothing was run under it" verdict=missing
  fi
  row "$name" "$summary" "$verdict"
}

check_sanitizer() {
  local sanitizer tool recipe program
  sanitizer=$(command -v compute-sanitizer || echo /usr/local/cuda/bin/compute-sanitizer)
  if [[ ! -x $sanitizer ]]; then
    row "compute-sanitizer" "not installed" missing
    return
  fi
  for tool in memcheck racecheck synccheck; do
    for recipe in "${recipes[@]}"; do
      while [[ $(jobs -rp | wc -l) -ge $((2 * at_once)) ]]; do wait -n; done
      sanitize "$tool" "two steps of $recipe" "$build/forger" train "$recipe" --device cuda --size 16 --width 4 \
        --latent 8 --batch 2 --steps 2 --previews 1 --data "${data_of[$recipe]}" --out "$scratch/$tool-$recipe" &
    done
    for program in "$build/test_all" "$build/test_core"; do
      [[ ! -x $program ]] || sanitize "$tool" "every op" "$program" "cuda: a run repeats bit for bit*" &
    done
  done
  wait
}

# The lines of bench/compare.py as rows, as they come. A way of PyTorch's that does not work here is no fault of
# Forger's.
compare_steps() {  # WHAT WORDS...
  local what="steps beside PyTorch, $1" said name program ms ratio mib failure pid code=0 rows=0 limit
  shift
  limit=$(left)
  if [[ $limit -le 0 ]]; then
    row "$what" "no time left" missing
    return
  fi
  echo "gpu_check: $what ..." >&2
  exec 3< <(exec timeout -k 5 "$limit" "$python" "$here/bench/compare.py" --device cuda --tsv \
    --forger "$build/bench_train" "$@" 2>"$log")
  pid=$!
  : >"$scratch/pid.$pid"
  while IFS= read -r -u 3 said; do
    # case, threads, program, ms, ratio, MiB, failure; a tab would not keep empty ones apart
    IFS=$'\x1f' read -r name _ program ms ratio mib failure <<<"${said//$'\t'/$'\x1f'}"
    rows=$((rows + 1))
    if [[ -z $failure ]]; then
      row "$name, $program" "$ms ms/step, ${ratio:--} x forger, $mib MiB" -
    elif [[ $program == forger* ]]; then
      row "$name, $program" "$failure" failed
    else
      row "$name, $program" "$failure" missing
    fi
  done
  wait "$pid" || code=$?
  exec 3<&-
  rm -f "$scratch/pid.$pid"
  case $code in
    0 | 3) [[ $rows -gt 0 ]] || row "$what" "no figures: $(reason)" failed ;;
    124 | 137) row "$what" "stopped after its time" missing ;;
    *) row "$what" "exit code $code: $(reason)" failed ;;
  esac
}

forger_steps() {  # BATCH
  local recipe images options name median
  for recipe in dcgan wgan-gp; do
    for images in "32 1" "64 3"; do
      for options in "" "--graph" "--math tf32" "--graph --math tf32" "--math bf16" "--graph --math bf16"; do
        name="bench_train $recipe $images 64 $1 50 --device cuda${options:+ $options}"
        # shellcheck disable=SC2086  # images and options are lists of words
        attempt "$name" 30 "$build/bench_train" "$recipe" $images 64 "$1" 50 --device cuda $options || continue
        median=$(sed -n 's/.*: median //p' "$log" | tail -n 1)
        [[ -n $median ]] && row "$name" "$median" - || row "$name" "no figure: $(reason)" failed
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
  compare_steps "batch $1" "${cases[@]}" --peer "eager fp32" --peer "channels_last fp32" --peer "graph fp32" \
    --peer "eager tf32" --peer "channels_last tf32" --peer "graph tf32" --peer "channels_last amp" --peer "graph amp"
}

check_kernels() {
  local math name figures rows
  for math in fp32 tf32 bf16; do
    built "bench_kernels $math" bench_kernels || continue
    attempt "bench_kernels $math" 45 "$build/bench_kernels" --device cuda --math "$math" || continue
    rows=0
    while IFS=$'\t' read -r name figures; do
      rows=$((rows + 1))
      row "bench_kernels $math: $name" "$figures" -
    done < <(kernel_rows <"$log")
    [[ $rows -gt 0 ]] || row "bench_kernels $math" "no figures: $(reason)" failed
  done
}

check_ladder() {
  local name figures rows=0
  built bench_ladder bench_ladder || return
  attempt bench_ladder 45 "$build/bench_ladder" --device cuda || return
  while IFS=$'\t' read -r name figures; do
    rows=$((rows + 1))
    row "bench_ladder: $name" "$figures" -
  done < <(ladder_rows <"$log")
  [[ $rows -gt 0 ]] || row bench_ladder "no figures: $(reason)" failed
}

line "| check | result | verdict |"
line "|---|---|---|"
row "device, driver, memory" "$gpu" -
part 150
check_tests
part 75
within 20 "$build/forger" list || true
mapfile -t recipes < <(sed -n '/^Recipes/,/^$/s/^  \([a-z0-9-]\{1,\}\)  .*/\1/p' "$log")
# What takes no images of this kind takes what is made of them, such as edges:SET.
mapfile -t fitting < <(sed -n '/^Recipes/,/^$/s/^ *takes .*: \(.*\)/\1/p' "$log")
for i in "${!recipes[@]}"; do
  data_of[${recipes[i]}]=$data
  [[ -z ${fitting[i]-} || " ${fitting[i]}," == *" ${data%%:*},"* ]] ||
    data_of[${recipes[i]}]=${fitting[i]%%,*}:$data
  case ${data_of[${recipes[i]}]} in
    unpaired:*) data_of[${recipes[i]}]+=:$data ;; # two domains
    few-labels:*) data_of[${recipes[i]}]=few-labels:100:$data ;;
    words:*) data_of[${recipes[i]}]=words:$here/tests/golden/words.txt ;;
  esac
done
[[ ${#recipes[@]} -gt 0 ]] || row "recipes" "forger list names none: $(reason)" failed
for recipe in "${recipes[@]}"; do check_recipe "$recipe"; done
part 75
check_sanitizer
part 60
with_torch=0
if within 60 "$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
  with_torch=1
else
  [[ $outcome == ran ]] && why="$python has no torch with CUDA" || why="importing torch took too long"
  row "steps beside PyTorch" "$why: Forger's alone" missing
fi
part 120
check_steps 64
part 60
check_kernels
part 30
check_ladder
part 100
check_steps 256
part "$budget"
if [[ $with_torch -eq 1 ]]; then # each takes a minute to compile
  compare_steps "compiled" --case "dcgan 32 1 64 64" --case "wgan-gp 32 1 64 64" --case "dcgan 64 3 64 64" \
    --peer "compile tf32" --peer "compile amp"
fi
line ""
line "In $SECONDS s of $budget."
failures=$(lines_in failures)
if [[ $failures -gt 0 ]]; then
  echo "gpu_check: $failures failed; the table is in $file, their output in $failed_output" >&2
  exit 1
fi
rm -f "$failed_output"
echo "gpu_check: nothing failed; the table is in $file" >&2
