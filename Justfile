set positional-arguments

# `just` alone works too, once ./justw has made the environment
export PATH := justfile_directory() / ".venv" / "bin:" + env("PATH")

[private]
default:
    @just --list

# check, test, and every release in the box from its data to a bento
all: check test
    for recipe in data/releases/*.yaml; do name="$(basename "$recipe" .yaml)" && penstock train "$name" && penstock package "$name" || exit 1; done

# from data to a gated candidate: just train wine-quality --file red=red.csv
train NAME *ARGS:
    @penstock train "$@"

# what `train` would run, and why
plan NAME *ARGS:
    @penstock plan "$@"

# the service of a release, following its champion
serve NAME *ARGS:
    @penstock serve "$@"

# batch scoring with the champion
score NAME *ARGS:
    @penstock score "$@"

# the tour: train, train again, serve, ask
demo *ARGS:
    @penstock demo "$@"

# the tests on all cores, with coverage; with arguments those of pytest: just test -k gate
test *ARGS:
    pytest -m "not slow" {{ if ARGS == "" { "--cov -n auto --maxprocesses 4 --dist loadfile" } else { "" } }} "$@"

# the tests that kill, soak and load
test-slow *ARGS:
    pytest -m slow --timeout 1800 "$@"

# format, lint, types, import rules
check:
    ruff format --check .
    ruff check .
    mypy
    lint-imports

# mend what `check` can mend
fix:
    ruff check --fix .
    ruff format .

# ours against a peer: rerun, tabular, index, ask, lora, creative, drift, log; --check exits 1 where a goal falls short
bench NAME *ARGS:
    @python -c "import dvc, pdfplumber" 2>/dev/null || pip install -qq --disable-pip-version-check -c constraints.txt -e ".[bench]"
    @python -m tests.benchmarks "$@"

# start Prefect, MLflow and a worker
up *ARGS:
    @penstock up "$@"

# stop what `up`, or a command that needed it, started
down *ARGS:
    @penstock down "$@"

# what runs, and where
status *ARGS:
    @penstock status "$@"

# put the last known good version back
rollback NAME *ARGS:
    @penstock rollback "$@"

# work pool, limits, automations and deployments
deploy *ARGS:
    @penstock deploy "$@"
