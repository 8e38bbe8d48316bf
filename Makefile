# One virtual environment, .venv, from constraints.txt; nothing is installed anywhere else. `make help` lists the targets.

PYTHON ?= python3
PRESET ?= laptop
CORES  ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
PROFILE ?=
FRESH  ?=
MUTATIONS ?= 1000

STUDY := .venv/bin/python -m study
PIP   := .venv/bin/python -m pip --disable-pip-version-check install -qq

# What is drawn where nobody names a preset: the published ones, whose tables are tracked.
DRAWN := $(if $(filter file,$(origin PRESET)),excerpt cifar recipe codec,$(PRESET))

.DEFAULT_GOAL := help
.PHONY: help study test fuzz test-cluster test-codec test-try-it test-crash audit notebooks lab readme site figures paper check bench bench-front-door bench-gpu plan gpu cluster progress constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PRESET=$(PRESET)   which grid: smoke, laptop, excerpt, cifar, codec, recipe, report, report-float16, codec-full"
	@echo "  CORES=$(CORES)         how many runs side by side"
	@echo "  PROFILE=        where the grid runs: local-gpu, slurm, kubernetes, googlebatch; empty: this machine's cores"
	@echo "  FRESH=1         do finished runs again, elsewhere, and compare"
	@echo "  PYTHON=$(PYTHON)  the Python that .venv is made with: 3.11, 3.12 or 3.13"

study: .venv/.ready ## the whole study: runs, notebooks, tables, figures, paper
	$(STUDY) all --preset $(PRESET) --cores $(CORES) $(if $(PROFILE),--profile $(PROFILE)) $(if $(FRESH),--fresh)

progress: .venv/.ready ## how far a preset's runs are, and when they will end
	$(STUDY) progress --preset $(PRESET)

plan: .venv/.ready ## what a preset would cost, before it is started
	$(STUDY) plan --preset $(PRESET)

readme: .venv/.ready ## make the generated parts of README and of docs/ anew
	$(STUDY) readme

figures: .venv/.ready ## redraw the published figures, or those of PRESET=, from the tables
	@for preset in $(DRAWN); do $(STUDY) figures --preset $$preset || exit 1; done

paper: .venv/.ready ## reprint the published paper, or that of PRESET=, from the tables
	$(STUDY) paper --preset $(firstword $(DRAWN))

check: .venv/.ready ## check the published tables, or those of PRESET=, and the runs in them
	@for preset in $(DRAWN); do $(STUDY) check --preset $$preset || exit 1; done

notebooks: .venv/.ready ## run the notebooks at their defaults and store the outputs in them
	$(STUDY) refresh

lab: .venv/.ready ## JupyterLab with the notebooks open
	.venv/bin/jupyter lab notebooks

# The notebooks keep their kernel's own plotting backend: under Agg their figures would be missing from the outputs.
test: .venv/.ready ## lint, unit tests, every notebook run at its smallest
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-cache
	.venv/bin/mypy
	TF_NUM_INTRAOP_THREADS=1 MPLBACKEND=Agg .venv/bin/python -m pytest -n $(CORES) \
	    --dist loadscope --no-loadscope-reorder tests
	TF_NUM_INTRAOP_THREADS=1 .venv/bin/python -m pytest -n $(CORES) --dist loadfile \
	    --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks

# Starts munged, slurmctld and slurmd on loopback, so it needs root and, on Debian, `apt-get install slurm-wlm munge`;
# into .venv it installs Snakemake's executors.
test-cluster: .venv/.ready ## the smoke grid through Slurm, whole and interrupted
	$(PIP) -c constraints.txt -e '.[cluster]'
	.venv/bin/python -m pytest tests/cluster/check_slurm.py

# MUTATIONS is how many of each kind of file: a minute per thousand. `make test` does sixty.
fuzz: .venv/.ready ## pictures, codes, weights, archives, manifests, tables and CIFAR files to which something happened: MUTATIONS=1000 of each kind
	MUTATIONS=$(MUTATIONS) .venv/bin/python -m pytest -s tests/ground/test_mutated_pictures.py \
	    tests/codec/test_mutations.py tests/codec/test_mutated_weights.py tests/grid/test_damaged_files.py

# Ten minutes a codec that ships. KODAK_DIR names the folder of Kodak's images.
test-codec: .venv/.ready ## the codecs that ship: Kodak there and back, files on three engines, mutated files
	$(PIP) -c constraints.txt -e '.[jax,torch]'
	.venv/bin/python -m pytest -s tests/codec/check_codec.py
	MUTATIONS=10000 .venv/bin/python -m pytest -s tests/codec/test_mutations.py

# Half an hour; needs Chromium. KODAK_DIR and PHOTOS_DIR name folders of photographs, PICTURES how many are tried.
test-try-it: site ## the site's page "Try it" in headless Chromium, beside Python: bits, files and pictures
	SITE=build/site .venv/bin/python -m pytest -s tests/project/check_try_it.py

# An hour or two; needs root, for a disk of 200 MB in memory, which is gone with the command. THROUGH=--slurm, after
# `make test-cluster`, does the same through Slurm.
test-crash: .venv/.ready ## 20 kills and 20 full disks at random moments of the smoke grid
	mkdir -p build/crash
	unshare --mount sh -c 'mount -t tmpfs -o size=200m none build/crash && \
	    exec .venv/bin/python tests/cluster/interrupt.py 20 20 build/crash $(THROUGH)'

audit: ## look the pins up among the known faults of packages, where there is a network
	rm -rf build/audit && $(PYTHON) -m venv build/audit
	@if build/audit/bin/python -m pip --disable-pip-version-check install -qq pip-audit; then \
	    build/audit/bin/pip-audit --progress-spinner off --no-deps --disable-pip --requirement constraints.txt; \
	else \
	    echo "Skipped: pip-audit could not be installed, as without a network."; \
	fi

cluster: .venv/.ready ## add Snakemake's executors for Slurm, Kubernetes and Google Batch to .venv
	$(PIP) -c constraints.txt -e '.[cluster]'

# PyTorch, at the version of constraints.txt, is what the training step is measured beside; JAX another of Keras' engines.
bench: .venv/.ready ## how fast training is, beside other ways of doing it
	$(PIP) -c constraints.txt -e '.[jax,torch]'
	for part in training backends coding pipeline grid; do .venv/bin/python tests/benchmarks/$$part.py || exit 1; done

bench-front-door: .venv/.ready ## how long setting up, `make study` and `make test` take in fresh clones, three times each
	.venv/bin/python tests/benchmarks/front_door.py

# The network is needed once, for the extra and for what npm brings; without npm the page "Try it" is left out. The
# checks read the pages that were built.
site: .venv/.ready ## the documentation site, in build/site, and its checks
	.venv/bin/python -c 'import furo, latex2mathml, myst_nb, onnx, plotly' 2>/dev/null || $(PIP) -c constraints.txt -e '.[site]'
	rm -rf build/site
	.venv/bin/python docs/try_it.py build/try_it/try_it
	.venv/bin/sphinx-build -q -W -E -c docs -d build/site-cache . build/site
	SITE=build/site .venv/bin/python -m pytest tests/project/test_site.py tests/project/test_try_it.py
	@echo "The site is in build/site; open build/site/index.html."

bench-gpu: gpu ## the same on an NVIDIA GPU, in bfloat16, beside PyTorch as it is and compiled
	$(PIP) -c constraints.txt -e '.[torch]'
	.venv/bin/python tests/benchmarks/gpu.py

gpu: .venv/.ready ## add TensorFlow's CUDA libraries to .venv (NVIDIA, several GB)
	$(PIP) -c constraints.txt -e '.[gpu]'

# The oldest Python decides, see the head of constraints.txt. Only metadata is downloaded, so that the extras' gigabytes
# are pinned without being installed; the file is replaced in one step, so that a failure leaves the old one.
constraints: ## pin the newest versions in constraints.txt (needs python3.11)
	rm -rf build/resolve
	python3.11 -m venv build/resolve
	build/resolve/bin/pip --disable-pip-version-check install --quiet --dry-run --ignore-installed \
	    --report build/resolve/report.json '.[dev,gpu,cluster,jax,torch,site]'
	{ grep '^#' constraints.txt; build/resolve/bin/python -c 'import json, re; \
	    report = json.load(open("build/resolve/report.json")); \
	    found = [p["metadata"] for p in report["install"] if "dir_info" not in p["download_info"]]; \
	    pins = [(re.sub("[-_.]+", "-", m["name"]).lower(), m["version"].partition("+")[0]) for m in found]; \
	    print(*map("==".join, sorted(pins)), sep="\n")'; } > build/resolve/constraints.txt
	mv build/resolve/constraints.txt constraints.txt

clean: ## remove .venv and scratch; runs, tables, figures and paper stay
	rm -rf .venv build *.egg-info

# The mark comes last, so that a set-up that was cut off is taken up again, and one that is done costs no time.
# As pip does, uv shall compile to bytecode: where PYTHONDONTWRITEBYTECODE is set, as in many containers, each start of
# TensorFlow would compile 3,600 modules otherwise.
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	    echo "Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is none of them." \
	         "Name one that is: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@if $(PIP) -c constraints.txt uv; then \
	    echo "Setting up .venv by uv, less than a minute ..."; \
	    .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python -c constraints.txt -e '.[dev]' && exit; \
	fi; \
	echo "uv cannot set up .venv here, so pip does it, which takes some minutes ..."; \
	$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@
