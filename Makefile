# Every target sets up what it needs: a fresh clone can begin with any of them.
PYTHON ?= python3
BIN := .venv/bin
PROCESSES ?= $(shell echo $$(( $$(nproc) * 2 )))

# With it each process that a test starts would compile what it imports anew
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-whole thorough peers check fuzz mutants truth faults second-opinion bench bench-relay bench-failover bench-bulk deb image lock docs clean

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: setup
	$(BIN)/postroad demo

# Twice as many processes as there are cores: some tests wait for the wire
# mypy has one core beside them
# ARGS="--shuffled 2": the files, and the tests of each, in another order
test: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(BIN)/mypy & types=$$!; $(BIN)/pytest --processes $(PROCESSES) $(ARGS); tests=$$?; \
	  wait $$types || { echo "mypy has found errors: they stand above"; exit 1; }; exit $$tests

# As `make test`, with every case of the large enumerations and three times as many examples: what CI runs
test-whole:
	$(MAKE) test ARGS="--hypothesis-profile=whole $(ARGS)"

# As many again twenty times, drawn anew
thorough: setup
	$(BIN)/pytest --processes $(PROCESSES) -m "not root" --hypothesis-profile=thorough $(ARGS)

# Other people's mail servers, for the tests that meet them: Debian packages unpacked into .peers, nothing installed
peers: .peers/ready

.peers/ready: tests/interop/unpack.sh
	tests/interop/unpack.sh

check: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mypy

fuzz: setup
	$(BIN)/python -m tests.fuzz $(ARGS)

# Changes the code and tells what no test notices; ARGS="--seconds 600 --seed 2 routing"
mutants: setup
	$(BIN)/python -m tests.mutants $(ARGS)

truth: setup
	$(BIN)/python -m tests.truth $(ARGS)

# Breaks things and counts what is lost; ARGS="--help" names the scenarios. "--namespaces" wants root and `make peers`
faults: setup
	$(BIN)/python -m tests.faults $(ARGS)

# What `postroad tls` says of a lab of domains, beside a real Postfix: wants root and `make peers`
second-opinion: setup
	$(BIN)/python -m tests.interop.second_opinion $(ARGS)

bench: setup
	$(BIN)/python bench/startup.py

# Beside Postfix, in network namespaces: wants root and Debian; see bench/README.md
bench-relay: setup
	$(BIN)/python bench/relay.py $(ARGS)

bench-failover: setup
	$(BIN)/python bench/failover.py $(ARGS)

bench-bulk: setup
	$(BIN)/python bench/bulk.py $(ARGS)

# For the Debian it runs on: dist/postroad_*.deb and postroad-mta_*.deb; DEBFULLNAME and DEBEMAIL say whose they are
deb: setup
	$(BIN)/python packaging/deb/build.py

image: setup
	rm -f dist/postroad-*.whl
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$$(command -v podman || command -v docker) build --tag postroad --file packaging/image/Containerfile .

COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header

# For developers; and of that the part that the .deb and the image have in them
lock:
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra postgres --constraint requirements.lock --output-file requirements-relay.lock pyproject.toml
	$(COMPILE) --output-file docs/_site/requirements.lock docs/_site/requirements.in

# The pages as a site, to be opened from build/site/index.html; every link has to lead somewhere
docs: .venv-pages/ready
	.venv-pages/bin/sphinx-build -q -n -W --keep-going -c docs/_site . build/site
	@echo build/site/index.html

.venv-pages/ready: docs/_site/requirements.lock
	$(PYTHON) -m venv .venv-pages
	.venv-pages/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/_site/requirements.lock
	touch $@

clean:
	rm -rf .venv .venv-pages build dist .peers .pytest_cache .mypy_cache .ruff_cache .hypothesis
