#!/usr/bin/env bash
# Installs into an empty folder what was built, and uses it from outside: install_test.sh BUILD_FOLDER.
set -euo pipefail
build=$1 source=$(cd "$(dirname "$0")/.." && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() { echo "install_test: $*" >&2; exit 1; }

cmake --install "$build" --prefix "$root/usr" >"$root/log" || { cat "$root/log"; fail "cmake --install"; }
version=$("$root/usr/bin/forger" --version)
[[ $version == "forger "* ]] || fail "the installed program says '$version'"

# With CMake, and with pkg-config where there is one: the same number comes out.
cmake -S "$source/apps/examples/outside" -B "$root/outside" -DCMAKE_PREFIX_PATH="$root/usr" >"$root/log" 2>&1 &&
  cmake --build "$root/outside" >>"$root/log" 2>&1 || { cat "$root/log"; fail "find_package(Forger)"; }
said=$("$root/outside/outside")
[[ $said == "slope "*", gradient of its penalty "[0-9]* ]] || fail "the outside program says '$said'"
if command -v pkg-config >/dev/null; then
  export PKG_CONFIG_PATH
  PKG_CONFIG_PATH=$(dirname "$(find "$root/usr" -name forger.pc)")
  # shellcheck disable=SC2046 # words
  g++ "$source/apps/examples/outside/main.cpp" -o "$root/by-pkg-config" \
    $(pkg-config --cflags --libs forger)
  [[ $("$root/by-pkg-config") == "$said" ]] || fail "pkg-config's program says something else"
  g++ "$source/apps/examples/outside/main.cpp" -o "$root/whole" \
    $(pkg-config --cflags --libs forger-gan)
  [[ $("$root/whole") == "$said" ]] || fail "the program with all libraries says something else"
fi

# Completion: commands, options, systems.
complete_words() {
  bash -c 'source "$1"; COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _forger forger "${COMP_WORDS[-1]}"; echo "${COMPREPLY[*]}"' - "$root"/usr/share/bash-completion/completions/forger "$@"
}
[[ $(complete_words forger interp) == interpolate ]] || fail "no completion of a command"
[[ $(complete_words forger train wgan-) == wgan-gp ]] || fail "no completion of a system"
[[ $(complete_words forger train wgan-gp --n-crit) == --n-critic ]] || fail "no completion of an option"
[[ -z $(complete_words forger sample runs/x) ]] || fail "a path is completed by words"

page=$root/usr/share/man/man1/forger.1
grep -q '^\.SS forger train$' "$page" || fail "the manual page has no train"
if command -v man >/dev/null; then
  warnings=$(LC_ALL=C MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
  [[ -z $warnings ]] || fail "the manual page: $warnings"
fi
echo "install_test: all passed"
