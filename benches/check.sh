#!/usr/bin/env bash
# Counts the instructions of small fixed runs and compares them with instructions.tsv. Unlike
# times, counts hardly vary between runs or with what else the machine does, so five per cent more
# is a change of the program, not noise. They are those of one machine and compiler: after a change
# of either, or one that is worth its cost, accept the new ones with `make bench-check ACCEPT=1`.
set -euo pipefail
cd "$(dirname "$0")/.."

program=target/release/tidemill
baseline=benches/instructions.tsv
work=target/bench-check
limit=5 # per cent

command -v valgrind >/dev/null || {
    echo "bench-check needs valgrind: apt-get install valgrind" >&2
    exit 2
}
mkdir -p "$work"
"$program" generate --quiet --events 40000 --seed 7 --days 7 --out "$work"
"$program" record --quiet --source transactions="$work/transaction.csv" --out "$work/transactions.tide"

behavior="--source behavior=$work/user_behavior.csv"
transactions="--source transactions=$work/transaction.csv"
logistics="--source logistics=$work/logistics.csv"
views="--sink digest:$work/views.csv"

# name, then the arguments of `tidemill run`
cases() {
    cat <<CASES
csv_hourly_transactions $transactions --query hourly_transactions $views
log_hourly_transactions --source $work/transactions.tide --query hourly_transactions $views
change_log_hourly_transactions $transactions --query hourly_transactions --sink jsonl:$work
csv_hourly_behavior $behavior --query hourly_behavior $views
csv_hourly_logistics $logistics --query hourly_logistics $views
three_queries $behavior $transactions $logistics --query hourly_behavior,hourly_transactions,hourly_correlation $views
CASES
}

count() { # the instructions of a run
    valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        "$program" run --quiet --workers 1 --dead-letters "$work/dead.jsonl" "$@" 2>&1 >/dev/null |
        sed -n 's/^==[0-9]*== Collected : \([0-9]*\).*/\1/p'
}

measured=$work/instructions.tsv
: >"$measured"
while read -r name arguments; do
    # The arguments are ours and have no spaces in them.
    # shellcheck disable=SC2086
    instructions=$(count $arguments)
    [ -n "$instructions" ] || { echo "bench-check: $name did not run; try: $program run $arguments" >&2; exit 1; }
    printf '%s\t%s\n' "$name" "$instructions" >>"$measured"
done < <(cases)

if [ -n "${ACCEPT:-}" ]; then
    cp "$measured" "$baseline"
    echo "accepted:"
    cat "$baseline"
    exit 0
fi

awk -F'\t' -v limit="$limit" '
    NR == FNR { was[$1] = $2; next }
    !($1 in was) { printf "%-32s %14d  new\n", $1, $2; worse = 1; next }
    {
        change = ($2 / was[$1] - 1) * 100
        bad = change > limit
        worse = worse || bad
        printf "%-32s %14d  was %14d  %+6.2f %%%s\n", $1, $2, was[$1], change, bad ? "  WORSE" : ""
    }
    END {
        if (worse) {
            print "more instructions than benches/instructions.tsv allows (" limit " %)."
            print "If that is meant, accept the new counts: make bench-check ACCEPT=1"
            exit 1
        }
    }' "$baseline" "$measured"
