#!/usr/bin/env bash
# What the README's reading order names is there: files, tests, programs. reading_order_test.sh BUILD_FOLDER.
set -euo pipefail
build=$1
cd "$(dirname "$0")/.."
tests=$(ctest --test-dir "$build" -N | sed -n 's/^ *Test *#[0-9]*: //p')
[[ -n $tests ]] || { echo "reading_order_test: ctest lists no tests"; exit 1; }

rows=0 wrong=0
complain() { echo "README's reading order, row $number: $*"; wrong=1; }
while IFS='|' read -r _ number files _ test _; do
  rows=$((rows + 1)) number=${number// /} folder=.
  while read -r file; do  # those that follow one lie in its folder
    [[ -e $file ]] || file=$folder/$file
    [[ -e $file ]] || complain "there is no $file"
    folder=$(dirname "$file")
  done < <(grep -o '`[^`]*`' <<<"$files" | tr -d '`')
  test=$(grep -o '`[^`]*`' <<<"$test" | tr -d "\`'" | tr '\001' '|')
  if [[ $test == build/* ]]; then
    [[ -x $build/${test#build/} ]] || complain "there is no program $test"
  else
    grep -qE -- "$test" <<<"$tests" || complain "no test matches $test"
  fi
done < <(sed 's/\\|/\x01/g' README.md | grep -E '^\| [0-9]+ \|')
[[ $rows -ge 30 ]] || { echo "README's reading order: only $rows rows were read"; wrong=1; }
[[ $wrong -eq 0 ]] && echo "reading_order_test: all passed"
