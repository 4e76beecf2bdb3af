// tests/gpu_check.sh on a machine that has no GPU: stand-ins for what it calls, and what it makes of their answers.
#include <algorithm>
#include <chrono>
#include <thread>

#include "gan/recipe.h"
#include "tests/apps/program.h"
#include "tests/catch.h"

using namespace program;

namespace {

// A machine in a folder: programs in build/ and bin/, each a script. `cuda` computes on the CPU, in small.
struct Machine {
  Scratch folder;

  Machine() {
    for (const char* name : {"build", "bin"}) std::filesystem::create_directory(folder / name);
    program("bin/nvidia-smi", "echo 'NVIDIA Imaginary, 580.1, 81559 MiB'");
    program("bin/compute-sanitizer",
            "while [ \"${1#-}\" != \"$1\" ]; do shift 2; done\n"
            "\"$@\" >/dev/null && echo '========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)'");
    program("bin/python3", "exit 1");
    program("build/forger",
            "small='--size 16 --width 4 --batch 8 --latent 8 --previews 4 --threads 1'\n"
            "[ \"$1\" = train ] || small=\n"
            "for word; do\n"
            "  shift\n"
            "  case $word in\n"
            "    cuda) word=cpu;;\n"
            "    --graph) continue;;\n"
            "    few-labels:100:fashion-mnist) word=few-labels:32:" +
                tiny_classes(folder) +
                ";;\n"
                "    *fashion-mnist) word=${word%fashion-mnist}" +
                tiny_classes(folder) +
                ";;\n"
                "  esac\n"
                "  set -- \"$@\" \"$word\"\n"
                "done\n"
                "exec '" +
                binary() + "' \"$@\" $small");
    program("build/test_all",
            "case $1 in --list*) printf 'cuda: sound, and quick\\ncuda: a run repeats bit for bit\\n';; esac");
    program("build/bench_train", "echo 'forger dcgan: median 1.234 ms/step'");
    program(
        "build/bench_kernels",
        "echo 'bandwidth 3000.0 GB/s (copy of 256 MB), peak 50000.0 GFLOP/s'\n"
        "echo 'kernel              shape                               us              rate   of roof     cuBLAS us'\n"
        "echo 'conv2d              32x32x3 - 16x16x64               1.68      2000.0 GFLOP/s       51%          1.50'");
    program("build/bench_ladder",
            "echo 'forger 0.1.0, cuda: NVIDIA Imaginary'; echo\n"
            "echo 'C (256, 256) = A B, depth 16384'\n"
            "echo 'step                    us   GFLOP/s  % of cuBLAS  what it changes'\n"
            "echo 'tensor cores       600.0      3579         12.5  warps multiply, in TF32'");
  }

  void program(const std::string& name, const std::string& script) const {
    write_file(folder / name, "#!/bin/sh\n" + script + "\n");
    std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
  }

  // Some systems stand for all, which take half a minute.
  void list_only(const Words& recipes) const {
    std::string list = "Recipes:\\n";
    for (const std::string& recipe : recipes) list += "  " + recipe + "           a GAN\\n";
    const std::string sound = read_file(folder / "build/forger");
    program("build/forger",
            "[ \"$1\" != list ] || { printf '" + list + "'; exit; }\n" + sound.substr(sound.find('\n') + 1));
  }

  Result check(const std::string& before = "") const {
    const std::string script = std::filesystem::absolute(FORGER_SOURCE_DIR) / "tests/gpu_check.sh";
    return shell("cd '" + folder.path().string() + "' && export PATH=$PWD/bin:$PATH FORGER_BUILD=$PWD/build && " +
                 before + " '" + script + "' table.md");
  }
  std::string table() const { return read_file(folder / "table.md"); }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("gpu_check: a machine where all is well gives a table without a failure", "[gpu_check]") {
  const Machine machine;
  machine.list_only({"dcgan", "wgan-gp", "sngan"});
  const Result result = machine.check();
  INFO(result.err << machine.table());
  CHECK(result.code == 0);
  Words printed = lines(result.out), kept = lines(machine.table());  // what runs side by side ends in any order
  std::sort(printed.begin(), printed.end());
  std::sort(kept.begin(), kept.end());
  CHECK(printed == kept);
  for (const char* part :
       {"| device, driver, memory | NVIDIA Imaginary, 580.1, 81559 MiB | - |",
        "| tests on the GPU | 2 passed, 0 failed, 0 skipped, 0 left out, of 2 | ok |",
        "| dcgan: losses, cuda against cpu | largest relative difference in step 1: 0 (at most 0.0001), in 20 steps: 0 "
        "(at "
        "most 0.05) | ok |",
        "| wgan-gp: 20 steps by graph | the bytes of 20 eager steps | ok |",
        "| compute-sanitizer racecheck: two steps of sngan | RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 "
        "warnings) | ok |",
        "| steps beside PyTorch | python3 has no torch with CUDA: Forger's alone | missing |",
        "| bench_train dcgan 64 3 64 256 50 --device cuda --graph --math tf32 | 1.234 ms/step | - |",
        "| bench_kernels tf32: roofline | bandwidth 3000.0 GB/s (copy of 256 MB), peak 50000.0 GFLOP/s | - |",
        "| bench_kernels fp32: conv2d 32x32x3 - 16x16x64 | 1.68 us, 2000.0 GFLOP/s, 51% of roof, cuBLAS us 1.50 | - "
        "|",
        "| bench_ladder: C (256, 256) = A B, depth 16384: tensor cores | 600.0 us, 3579 GFLOP/s, 12.5 % of cuBLAS | - "
        "|"}) {
    INFO(part);
    CHECK(has(machine.table(), part));
  }
  CHECK_FALSE(std::filesystem::exists(machine.folder / "table.log"));
}

TEST_CASE("gpu_check: every system is tried, each on data that it can take", "[gpu_check][long]") {
  const Machine machine;
  const Result result = machine.check();
  INFO(result.err << machine.table());
  CHECK(result.code == 0);
  for (const ::forger::gan::RecipeEntry& entry : ::forger::gan::recipes()) {
    const std::string recipe = entry.name;
    INFO(recipe);
    CHECK(has(machine.table(), "| " + recipe + ": losses, cuda against cpu | largest relative difference in step 1: "));
    CHECK(has(machine.table(), "| " + recipe + ": 20 steps by graph | "));
  }
}

TEST_CASE("gpu_check: what fails is a row that says why, and the rest goes on", "[gpu_check]") {
  const Machine machine;
  machine.program("build/test_all",
                  "case $1 in --list*) printf 'cuda: sound\\ncuda: broken\\n';; *broken*) printf 'x.cpp:1: FAILED:\\n  "
                  "CHECK( 1 == 2 )\\n'; exit 1;; esac");
  machine.program("bin/compute-sanitizer", "echo '========= ERROR SUMMARY: 3 errors'; exit 99");
  machine.list_only({"dcgan"});
  const std::string sound = read_file(machine.folder / "build/forger");
  // On the device another seed, and in graphs a third: losses and bytes that are not the CPU's.
  write_file(machine.folder / "build/forger", sound.substr(0, sound.find("exec")) +
                                                  "case \"$*\" in *-cuda*) set -- \"$@\" --seed 7;; *-graph*) set -- "
                                                  "\"$@\" --seed 8;; esac\n" +
                                                  sound.substr(sound.find("exec")));
  machine.program("build/bench_kernels", "echo 'bench_kernels: misaligned address' >&2; exit 1");
  machine.program("build/bench_ladder", "echo 'bench_ladder: 1 result(s) are wrong' >&2; exit 1");
  // compare.py: a figure, a way of PyTorch's that fails, one of Forger's; then it dies.
  machine.program("bin/python3",
                  "[ \"$1\" != -c ] || exit 0\n"
                  "printf 'dcgan 32 1 64 64\\t2\\ttorch graph amp\\t6.212\\t5.17\\t707\\t\\n'\n"
                  "printf 'dcgan 32 1 64 64\\t2\\ttorch compile amp\\t\\t\\t\\tno compiler here\\n'\n"
                  "printf 'dcgan 32 1 64 64\\t2\\tforger fp32\\t\\t\\t\\tillegal address\\n'\n"
                  "echo Traceback >&2; exit 1");
  const Result result = machine.check();
  INFO(result.err << machine.table());
  CHECK(result.code == 1);
  for (const char* part :
       {"| test: cuda: broken | exit code 1: x.cpp:1: FAILED: CHECK( 1 == 2 )  | failed |",
        "| tests on the GPU | 1 passed, 1 failed, 0 skipped, 0 left out, of 2 | failed |", "(at most 0.05) | failed |",
        "| dcgan: 20 steps by graph | not the bytes of 20 eager steps: ",
        "| compute-sanitizer memcheck: every op | ERROR SUMMARY: 3 errors | failed |",
        "| dcgan 32 1 64 64, torch graph amp | 6.212 ms/step, 5.17 x forger, 707 MiB | - |",
        "| dcgan 32 1 64 64, torch compile amp | no compiler here | missing |",
        "| dcgan 32 1 64 64, forger fp32 | illegal address | failed |", "| exit code 1: Traceback | failed |",
        "| bench_kernels fp32 | exit code 1: bench_kernels: misaligned address | failed |",
        "| bench_ladder | exit code 1: bench_ladder: 1 result(s) are wrong | failed |"}) {
    INFO(part);
    CHECK(has(machine.table(), part));
  }
  CHECK(has(read_file(machine.folder / "table.log"), "CHECK( 1 == 2 )"));
  CHECK(has(result.err, "failed; the table is in table.md"));
}

TEST_CASE("gpu_check: what says nothing has failed", "[gpu_check]") {
  const Machine machine;
  machine.program("build/test_all", "exit 127");
  machine.program("bin/compute-sanitizer", "exit 0");
  machine.program("build/bench_train", "exit 0");
  machine.program("build/bench_kernels", "exit 0");
  machine.program("build/bench_ladder", "exit 0");
  machine.list_only({"dcgan"});
  const Result result = machine.check();
  INFO(result.err << machine.table());
  CHECK(result.code == 1);
  for (const char* part :
       {"| tests on the GPU | 0 passed, 0 failed, 0 skipped, 0 left out, of 0 | failed |",
        "| compute-sanitizer synccheck: every op | exit code 0: no output | failed |",
        "--device cuda | no figure: no output | failed |", "| bench_kernels fp32 | no figures: no output | failed |",
        "| bench_ladder | no figures: no output | failed |"}) {
    INFO(part);
    CHECK(has(machine.table(), part));
  }
  machine.program("build/forger", "exit 0");
  machine.program("bin/python3", "exit 0");
  machine.check("GPU_CHECK_SECONDS=30");
  INFO(machine.table());
  CHECK(has(machine.table(), "| recipes | forger list names none: no output | failed |"));
  CHECK(has(machine.table(), "| no figures: no output | failed |"));
  machine.program("build/forger", "[ \"$1\" != list ] || printf 'Recipes:\\n  dcgan           a GAN\\n'");
  machine.check("GPU_CHECK_SECONDS=30");
  INFO(machine.table());
  CHECK(has(machine.table(), "| dcgan: losses, cuda against cpu | largest relative difference in step 1: - (at most"));
  CHECK(has(machine.table(), "| dcgan: 20 steps by graph | not the bytes of 20 eager steps: "));
}

TEST_CASE("gpu_check: what a sanitizer found counts, though it did not come to its end", "[gpu_check]") {
  const Machine machine;
  machine.program("bin/compute-sanitizer", "echo '========= Invalid __global__ write of size 4 bytes'; sleep 30");
  machine.program("build/test_all", "case $1 in --list*) echo 'cuda: sound';; esac");
  machine.program("build/forger", "[ \"$1\" != list ] || printf 'Recipes:\\n  cgan            a GAN\\n'");
  machine.check("GPU_CHECK_SECONDS=8");
  INFO(machine.table());
  CHECK(has(machine.table(),
            "| compute-sanitizer memcheck: two steps of cgan | Invalid __global__ write of size 4 bytes | failed |"));
}

TEST_CASE("gpu_check: a test that is skipped, and one whose exit code is any", "[gpu_check]") {
  const Machine machine;
  machine.list_only({"dcgan"});
  machine.program("build/test_all",
                  "case $1 in --list*) printf 'cuda: large\\ncuda: odd\\n';; *large*) echo 'skipped: 8 GiB only';; "
                  "*odd*) exit 75;; esac");
  machine.check("GPU_CHECK_SECONDS=8");
  INFO(machine.table());
  CHECK(has(machine.table(), "| test: cuda: large | skipped: 8 GiB only | missing |"));
  CHECK(has(machine.table(), "| test: cuda: odd | exit code 75: no output | failed |"));
}

TEST_CASE("gpu_check: an interruption ends it, and what it started", "[gpu_check]") {
  const Machine machine;
  const std::string mark = machine.folder / "alive";
  machine.program("build/test_all",
                  "case $1 in --list*) echo 'cuda: hangs';; *) sleep 3 && touch '" + mark + "';; esac");
  const Result result =
      shell("cd '" + machine.folder.path().string() + "' && export PATH=$PWD/bin:$PATH FORGER_BUILD=$PWD/build && '" +
            (std::filesystem::absolute(FORGER_SOURCE_DIR) / "tests/gpu_check.sh").string() +
            "' table.md & pid=$!; sleep 1; kill -TERM $pid; wait $pid");
  CHECK(result.code == 130);
  CHECK(has(result.err, "interrupted; the table so far is in table.md"));
  std::this_thread::sleep_for(std::chrono::seconds(3));
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("gpu_check: it ends when its time is up, and says what it left out", "[gpu_check]") {
  const Machine machine;
  machine.program("build/test_all", "case $1 in --list*) echo 'cuda: hangs';; *) sleep 60;; esac");
  const auto start = std::chrono::steady_clock::now();
  const Result result = machine.check("GPU_CHECK_SECONDS=6");
  INFO(result.err << machine.table());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));
  CHECK(result.code == 1);
  CHECK(has(machine.table(), "| test: cuda: hangs | stopped after its time: no output | failed |"));
  CHECK(has(machine.table(), "| bench_kernels tf32 | no time left | missing |"));
}

TEST_CASE("gpu_check: without a GPU, or with wrong words, it says so in a line", "[gpu_check]") {
  const Machine machine;
  machine.program("bin/nvidia-smi", "exit 9");
  CHECK(machine.check().err == "gpu_check: there is no NVIDIA GPU here (nvidia-smi names none)\n");
  machine.program("bin/nvidia-smi", "echo one");
  CHECK(machine.check("GPU_CHECK_SECONDS=soon").err ==
        "gpu_check: GPU_CHECK_SECONDS must be a number of seconds, got 'soon'\n");
  CHECK(has(machine.check("FORGER_BUILD=/nowhere").err, "/nowhere/forger is not there; build first: ./run build"));
}
