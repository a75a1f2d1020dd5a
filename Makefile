# `make` alone lists the commands. Each of them sets up what it needs inside .environments/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

ENVIRONMENTS := $(CURDIR)/.environments
UV := $(ENVIRONMENTS)/uv/bin/uv
PYTHON_VERSION := 3.13
TESTS := $(ENVIRONMENTS)/tests/bin
SAM := $(ENVIRONMENTS)/sam/bin/sam

# pyenv hides its interpreters behind shims that answer only for the version in use: look behind them.
ifndef UV_PYTHON_SEARCH_PATH
export UV_PYTHON_SEARCH_PATH := $(subst $() ,:,$(strip $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/$(PYTHON_VERSION)*/bin) $(subst :, ,$(PATH))))
endif
export SAM_CLI_TELEMETRY := 0
# Read by functions/Makefile: the interpreter that packages the functions.
export PYTHON := $(ENVIRONMENTS)/sam/bin/python

# --- environments: one requirements file with hashes each -------------------------------------

LOCK_tests := tests/requirements.txt
LOCK_local-aws := tests/local_aws/requirements.txt
LOCK_lambda-runtime := tests/local_aws/lambda-runtime.txt
LOCK_sam := infra/tools/sam.txt
LOCK_awscli := infra/tools/awscli.txt
ENVIRONMENT = $(ENVIRONMENTS)/$(1)/.installed

$(UV): infra/tools/uv.txt
	@echo "==> installing uv (once)"
	@rm -rf $(ENVIRONMENTS)/uv
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
	  --require-hashes --target $(ENVIRONMENTS)/uv -r $<
	@touch $@

.SECONDEXPANSION:
$(ENVIRONMENTS)/%/.installed: $$(LOCK_$$*) $(UV)
	@echo "==> installing the environment '$*' from $< (once)"
	@$(UV) venv --quiet --clear --python $(PYTHON_VERSION) $(ENVIRONMENTS)/$*
	@$(UV) pip sync --quiet --require-hashes --python $(ENVIRONMENTS)/$* $<
	@touch $@
