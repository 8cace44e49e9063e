# Two commands do everything on a fresh machine with Python 3.11 or newer:
#   make demo    the main job on real data        make test    every test
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo $$name && break; done)
VENV ?= .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# Beside these there is torch, for the neural family; its wheel is large.
EXTRAS ?= train,serve,dev

# A whole MLflow, whose server the tests start: it wants older libraries than ours.
MLFLOW := .benchmarks/mlflow

# A real S3 server and the client of it, which want other versions of what others pin.
S3 := .benchmarks/s3

.PHONY: setup demo test mlflow s3 check format docs constraints prove size clean

setup: $(STAMP)

# The stamp is made last, so an install that was cut off is done again.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make setup PYTHON=…" >&2; exit 3; }
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[$(EXTRAS)]' --constraint constraints.txt
	@touch $@

demo: $(STAMP)
	$(RUN)/drivetrain demo

mlflow: $(MLFLOW)/.installed

# Where it cannot be installed, the tests that need it say so and are skipped.
$(MLFLOW)/.installed: | $(STAMP)
	-$(PYTHON) -m venv $(MLFLOW) && $(MLFLOW)/bin/python -m pip install --quiet \
		--disable-pip-version-check 'mlflow==3.17.2' && touch $@

s3: $(S3)/.installed

$(S3)/.installed: | $(STAMP)
	-$(PYTHON) -m venv $(S3) && $(S3)/bin/python -m pip install --quiet \
		--disable-pip-version-check 's3fs==2026.9.0' 'moto[s3,server]==5.2.5' && touch $@

test: $(STAMP) $(MLFLOW)/.installed $(S3)/.installed
	$(RUN)/python -m pytest -n $(WORKERS) --dist loadgroup

check: $(STAMP)
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python scripts/write_cli_docs.py --check
	$(RUN)/python scripts/write_error_docs.py --check

format: $(STAMP)
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

docs: $(STAMP)
	$(RUN)/python scripts/write_cli_docs.py
	$(RUN)/python scripts/write_error_docs.py

# Pin what is installed here and passes the tests.
constraints: $(STAMP)
	$(RUN)/python scripts/write_constraints.py

# The long counts: every attack, fault, swap and trial.
prove: $(STAMP)
	DRIVETRAIN_PROVE=1 DRIVETRAIN_MUTATED_REQUESTS=10000 $(RUN)/python -m pytest -n $(WORKERS) --dist loadgroup -s

size: $(STAMP)
	$(RUN)/python -m benchmarks.size.run

clean:
	rm -rf $(VENV) $(MLFLOW) $(S3) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
