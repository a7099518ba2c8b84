# make run trains a network; make test checks everything; make help lists the rest.
# Each sets up .venv, installs what is missing and builds by itself; nothing is done twice.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
READY := .venv/.ready
SANITIZED := build/sanitize

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PATH := $(CURDIR)/$(BIN):$(PATH)

CXX_FILES := $(shell find core python/bindings tests/core -name '*.cpp' -o -name '*.cu' -o -name '*.h')
PYX_FILES := $(shell find python/ravine -name '*.pyx' -o -name '*.pxd')
# Folders too: their time changes when a file in them goes.
SOURCES := setup.py $(CXX_FILES) $(PYX_FILES) \
    $(shell find core python/bindings -type d -o -name '*.cmake' -o -name CMakeLists.txt)

# Once the tools for the tests are there, warnings are errors and the C++ tests share the build of the module.
# The lock is for two makes at once.
LOCKED = mkdir -p build && \
    RAVINE_CMAKE_ARGS="$$(test -e $(READY)/test && echo -DRAVINE_WERROR=ON -DRAVINE_TESTS=ON || true) $${RAVINE_CMAKE_ARGS:-}" \
    flock build/.lock
COMPILE = $(LOCKED) $(BIN)/python setup.py -q build_ext --inplace
INSTALL = $(LOCKED) $(BIN)/python -m pip install -q --no-build-isolation --no-deps -e .

define step
@printf '\033[1m== %s\033[0m\n' '$(1)'
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---- setting up -----------------------------------------------------------------------------------------------------
$(READY)/run: pyproject.toml tools/requirements.py
	$(call step,Python environment in .venv)
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or newer is needed; on Debian or Ubuntu: sudo apt-get install python3 python3-venv'; exit 1; }
	@tools/system_packages.sh $(PYTHON) run
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@mkdir -p $(@D) && $(BIN)/python tools/requirements.py build run data mpi >$@.txt && $(BIN)/python -m pip install -q -r $@.txt
	@touch $@

$(READY)/test: pyproject.toml tools/requirements.py $(READY)/run
	$(call step,tools for the tests)
	@tools/system_packages.sh $(BIN)/python test
	@$(BIN)/python tools/requirements.py dev plots app >$@.txt && $(BIN)/python -m pip install -q -r $@.txt
	@touch $@

$(READY)/built: $(SOURCES) | $(READY)/run
	$(call step,compiling (the first time takes minutes))
	@$(COMPILE)
	@touch $@

$(READY)/installed: pyproject.toml $(READY)/run | $(READY)/built
	@$(INSTALL)
	@touch $@

.PHONY: build
build: $(READY)/built $(READY)/installed ## compile what has changed

.PHONY: run
run: build ## train the embedded experiment "digits"
	@$(BIN)/ravine train digits

$(READY)/app: pyproject.toml tools/requirements.py $(READY)/run
	$(call step,desktop app)
	@tools/system_packages.sh $(BIN)/python app
	@$(BIN)/python tools/requirements.py app >$@.txt && $(BIN)/python -m pip install -q -r $@.txt
	@touch $@

.PHONY: app
app: $(READY)/app build ## open the desktop app
	@$(BIN)/ravine app

.PHONY: screenshots
screenshots: $(READY)/app $(READY)/test build ## draw every tab of the app into docs/images, under Xvfb
	@tools/system_packages.sh $(BIN)/python screenshots
	@xvfb-run -a -s '-screen 0 1920x1200x24' $(BIN)/python tools/screenshots.py docs/images

# ---- checking -------------------------------------------------------------------------------------------------------
.PHONY: test test-cpp test-sanitized test-python
test: lint test-cpp test-sanitized test-python test-twin test-architectures ## linters, types, C++ tests (plain and with sanitizers), Python tests

test-cpp: $(READY)/test build
	$(call step,C++ tests)
	@$(COMPILE)
	@flock build/.lock cmake --build build/editable --target ravine_tests -- --quiet
	@build/editable/tests/ravine_tests --no-intro

# The sources of the CUDA backend once more, for the host: its kernels run there index by index, upwards and, for the tests
# of kernels, downwards.
KERNEL_TESTS := same_as_cpu products formats convolution pooling normalization muon full_statistics pictures
.PHONY: test-twin
TWIN := build/editable/tests/libravine_cuda_twin.so
ON_TWIN = RAVINE_CUDA_LIBRARY=$(CURDIR)/$(TWIN) $(BIN)/python -m pytest -q --device cuda --numprocesses=auto --maxprocesses=4
test-twin: $(READY)/test build
	@if ! [ -e python/ravine/libravine_cuda.so ]; then \
	    echo 'skipped: the CUDA backend is not built here, for nvcc of CUDA 13 was not found'; exit 0; fi; \
	printf '\033[1m== %s\033[0m\n' 'CUDA kernels on the host'; \
	flock build/.lock cmake --build build/editable --target ravine_cuda_twin -- --quiet; \
	$(ON_TWIN) tests/cuda && \
	RAVINE_TWIN_ORDER=reversed $(ON_TWIN) $(KERNEL_TESTS:%=tests/cuda/test_%.py)

# Where the machine's own GPU decided what was compiled, all others are compiled here.
.PHONY: test-architectures
test-architectures: $(READY)/test build
	@if grep -q '^CMAKE_CUDA_ARCHITECTURES:[A-Z]*=.*-real' build/editable/CMakeCache.txt 2>/dev/null; then \
	    printf '\033[1m== %s\033[0m\n' 'CUDA for all architectures'; \
	    RAVINE_CUDA_ARCHITECTURES=all $(LOCKED) $(BIN)/python setup.py -q build_ext --build-lib build/architectures; fi

# On a machine with a GPU, which needs no network: GPU_PYTHON=python3 names a Python that has what pyproject.toml asks for
# instead of .venv; GPU_PARTS="build cuda" runs some parts alone (tools/test_gpu.py).
.PHONY: gpu-there test-gpu bench-gpu
GPU_PYTHON ?=
gpu-there:
	@$(or $(GPU_PYTHON),$(PYTHON)) tools/test_gpu.py --check

test-gpu: gpu-there $(if $(GPU_PYTHON),,$(READY)/test build) ## with a GPU: its tests, the contracts on it, compute-sanitizer
	@$(or $(GPU_PYTHON),$(BIN)/python) tools/test_gpu.py $(GPU_PARTS)

bench-gpu: gpu-there $(if $(GPU_PYTHON),,build) ## with a GPU: measure steps beside PyTorch, and Adam beside a copy
	@PYTHONPATH=$(CURDIR)/python $(or $(GPU_PYTHON),$(BIN)/python) benchmarks/gpu.py

test-sanitized: $(READY)/test
	$(call step,C++ tests under AddressSanitizer and UndefinedBehaviorSanitizer)
	@cmake -S tests/core -B $(SANITIZED) -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Debug -DRAVINE_WERROR=ON \
	    -DRAVINE_SANITIZE=address,undefined -DRAVINE_CUDA=OFF -DRAVINE_ONEDNN=$${RAVINE_ONEDNN:-AUTO} -DCMAKE_PREFIX_PATH=$(CURDIR)/.venv \
	    $$($(BIN)/python -c 'import scipy_openblas32 as blas; print(f"-DRAVINE_OPENBLAS_INCLUDE={blas.get_include_dir()} -DRAVINE_OPENBLAS_LIBRARY={blas.get_lib_dir()}/{blas.get_library(True)}")') >/dev/null
	@flock build/.lock cmake --build $(SANITIZED) -- --quiet
	@UBSAN_OPTIONS=print_stacktrace=1 $(SANITIZED)/ravine_tests --no-intro

test-python: $(READY)/test build
	$(call step,Python tests)
	@$(BIN)/python -m pytest -q --numprocesses=auto --maxprocesses=4 --dist=worksteal

.PHONY: lint
lint: $(READY)/test ## linters and types
	$(call step,ruff)
	@ruff check -q && ruff format -q --check
	$(call step,clang-format)
	@clang-format --dry-run -Werror $(CXX_FILES)
	$(call step,cython-lint)
	@[ -z "$(PYX_FILES)" ] || cython-lint $(PYX_FILES)
	$(call step,mypy --strict)
	@mypy --no-error-summary

.PHONY: format
format: $(READY)/test ## put every file into the project's format
	@ruff check -q --fix-only && ruff format -q
	@clang-format -i $(CXX_FILES)

.PHONY: stubs
stubs: $(READY)/test build ## write anew what is made from the catalog: typed stubs, theory pages
	@$(BIN)/python tools/generate_stubs.py
	@$(BIN)/python tools/generate_theory.py
	@$(BIN)/python tools/measure_properties.py

.PHONY: test-passes
test-passes: $(READY)/test build ## the contract tests with each pass over the plan switched off
	@for pass in fuse fuse_normalization phases chunks own_products winograd store_bfloat16 share_memory device_steps; do \
	    echo "== $$pass = false" && $(BIN)/python -m pytest -q tests/contracts --compute "$$pass=false" || exit 1; done
	@echo "== checkpoint_every = 2" && $(BIN)/python -m pytest -q tests/contracts --compute "checkpoint_every=2"

.PHONY: sshd
sshd: $(READY)/run ## install what lets test-hosts run a real sshd on each host (that of the system is not started)
	@tools/system_packages.sh $(BIN)/python hosts || echo 'warning: tests with sshd are skipped'

.PHONY: test-hosts
test-hosts: $(READY)/test build sshd ## mpirun over 3 hosts in network namespaces, by a launch agent and by sshd
	@$(BIN)/python -m pytest -q -m hosts tests/distributed

.PHONY: soak
soak: $(READY)/test build ## the long reliability tests
	@$(BIN)/python -m pytest -q -m soak

.PHONY: peers
peers: $(READY)/run ## install the libraries that Ravine is compared with
	$(call step,peers)
	@$(BIN)/python -m pip install -q -r benchmarks/requirements.txt || \
	    echo 'warning: peers could not be installed; tests and benchmarks that need them are skipped'

.PHONY: bench bench-full
bench: build ## measure steps, beside peers where they are installed (make peers): minutes
	@$(BIN)/python benchmarks/steps.py

bench-full: build ## steps, growth, epochs, two trainers, time to an accuracy: a quarter of an hour
	@for script in steps growth epochs together accuracy gather; do $(BIN)/python benchmarks/$$script.py; done

.PHONY: clean
clean: ## remove what was built; .venv and runs/ stay
	@rm -rf build dist python/*.egg-info .mypy_cache .pytest_cache .ruff_cache $(READY)/built $(READY)/installed
	@find python/ravine -name '*.so' -delete
