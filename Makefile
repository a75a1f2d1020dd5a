# `make` alone lists the commands. Each command installs what it needs in .environments/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

# GNU make splits names at spaces, even if they are quoted.
ifneq ($(words $(CURDIR)),1)
$(error the path of this checkout has a space in it, which make cannot handle. Move it, or clone it elsewhere)
endif

ENVIRONMENTS := $(CURDIR)/.environments
UV := $(ENVIRONMENTS)/uv/bin/uv
PYTHON_VERSION := 3.13
TESTS := $(ENVIRONMENTS)/tests/bin
SAM := $(ENVIRONMENTS)/sam/bin/sam

# pyenv's shims only run the selected version, so the folders of its interpreters are searched first.
ifndef UV_PYTHON_SEARCH_PATH
export UV_PYTHON_SEARCH_PATH := $(subst $() ,:,$(strip $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/$(PYTHON_VERSION)*/bin) $(subst :, ,$(PATH))))
endif
# Use the machine's certificates as pip does, because many networks have their own certificate authority.
export UV_SYSTEM_CERTS ?= 1
# The caches stay in the checkout. Set these two variables to share your own caches.
export UV_CACHE_DIR ?= $(ENVIRONMENTS)/cache/uv
export PIP_CACHE_DIR ?= $(ENVIRONMENTS)/cache/pip
# A variable instead of the option, which pip before 22.1 does not have.
export PIP_ROOT_USER_ACTION := ignore
export __SAM_CLI_APP_DIR := $(ENVIRONMENTS)/sam-cli
export SAM_CLI_TELEMETRY := 0
# Many container images set it. Then each start of the SAM CLI, the AWS CLI and pytest compiles their modules again.
unexport PYTHONDONTWRITEBYTECODE
# functions/Makefile packages the functions with this interpreter.
export PYTHON := $(ENVIRONMENTS)/sam/bin/python

# --- environments: one requirements file with hashes each -------------------------------------

LOCK_functions := functions/requirements.txt
LOCK_consumer := infra/consumer/requirements.txt
LOCK_uv := infra/tools/uv.txt
LOCK_tests := tests/requirements.txt
LOCK_client := tests/integration/client/requirements.txt
LOCK_local-aws := tests/support/local_aws/requirements.txt
LOCK_lambda-runtime := tests/support/local_aws/lambda-runtime.txt
LOCK_node := tests/support/local_aws/node/requirements.txt
LOCK_sam := infra/tools/sam.txt
LOCK_awscli := infra/tools/awscli.txt
LOCK_charts := tests/measurements/outages/requirements.txt
LOCK_bench := tests/measurements/bench/requirements.txt
LOCK_mutation := tests/measurements/mutants/requirements.txt
LOCK_audit := infra/tools/audit.txt
LOCK_release := infra/tools/release.txt
LOCK_workflows := infra/tools/workflows.txt
LOCK_checkov := infra/tools/checkov.txt
LOCK_cdk := infra/tools/cdk.txt
LOCK_old-pip := tests/template/old-pip.txt
# One for each Python: .environments/client/3.10.
LOCK_client/$(PYTHON_VERSION) := $(LOCK_client)
environment = $(foreach name,$(1),$(ENVIRONMENTS)/$(name)/.installed)

$(UV): $(LOCK_uv)
	@echo "==> installing uv (once)"
	@rm -rf $(ENVIRONMENTS)/uv
	@python3 -m pip install --quiet --disable-pip-version-check --require-hashes --target $(ENVIRONMENTS)/uv -r $<
	@touch $@

.SECONDEXPANSION:
$(ENVIRONMENTS)/%/.installed: $$(LOCK_$$*) | $(UV)
	@echo "==> installing the environment '$*' from $< (once)"
	@$(UV) venv --quiet --clear --python $(PYTHON_VERSION) $(ENVIRONMENTS)/$*
	@$(UV) pip sync --quiet --require-hashes --python $(ENVIRONMENTS)/$* $<
	@touch $@

# The code in Node.js needs npm packages. Their lock has hashes like the others, and does not name a registry.
NODE := $(ENVIRONMENTS)/node
NPM := env PATH="$(NODE)/bin:$$PATH" npm_config_cache=$(ENVIRONMENTS)/cache/npm $(NODE)/bin/npm --no-audit --no-fund --loglevel=error
NODE_MODULES := $(NODE)/node_modules/.package-lock.json

$(NODE_MODULES): $(dir $(LOCK_node))package-lock.json $(call environment,node)
	@cp $(dir $<)package.json $< $(NODE)
	@$(NPM) ci --ignore-scripts --prefix $(NODE) >/dev/null
	@touch $@

# --- commands -----------------------------------------------------------------------------------

.PHONY: help demo test unit client faults conformance kit check bench mutants charts format lock audit build wheel release package deploy account clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# The functions, the test doubles and the measurements, for commands that run outside pytest.
IMPORT_PATH := functions:tests:tests/support:tests/measurements

BUILT := .aws-sam/build/template.yaml
BUILT_CONSUMER := .aws-sam/consumer/template.yaml
LOCAL_AWS := $(call environment,tests local-aws lambda-runtime sam awscli)
TESTED := $(LOCAL_AWS) $(NODE_MODULES) $(call environment,old-pip release)

demo: $(LOCAL_AWS) build ## run the whole system on this machine, without an AWS account (KEEP=1 keeps it running, SPEED=90)
	@exec env PYTHONPATH=$(IMPORT_PATH) $(TESTS)/python -m demo $(if $(KEEP),--keep) $(if $(SPEED),--speed $(SPEED))

test: $(TESTED) build ## run the tests (ARGS="-k name" selects some)
	@$(TESTS)/pytest $(or $(ARGS),--numprocesses 4 --dist loadfile --no-loadscope-reorder --cov --cov-report term-missing:skip-covered)

unit: $(call environment,tests) ## run the unit tests of what ships, in seconds (ARGS="tests/unit/domain")
	@$(TESTS)/pytest $(or $(ARGS),--numprocesses 2 tests/unit --ignore tests/unit/measurements)

# pytest runs in each folder separately, so that it does not read a conftest.py that needs the functions and their Python.
# test_package.py is left out because it tries every Python itself, in `make test`.
client: $(call environment,client/$(PYTHON_VERSION)) ## run the client's tests on another Python (PYTHON_VERSION=3.10)
	@set -e; for folder in unit integration; do \
	  $(ENVIRONMENTS)/client/$(PYTHON_VERSION)/bin/pytest --confcutdir tests/$$folder/client tests/$$folder/client \
	    --ignore tests/unit/client/test_package.py $(ARGS); done

conformance: $(call environment,tests) ## check an export of the functions' logs against their specification (LOG=export.json)
	@test -n "$(LOG)" || { echo "The export needs a name: make conformance LOG=export.json (docs/log-conformance.md)" >&2; exit 2; }
	@PYTHONPATH=functions $(TESTS)/python infra/tools/conformance.py $(LOG)

faults: $(LOCAL_AWS) build ## run the fault tests at length: every fault in every state, thousands of histories (ARGS="tests/faults/crashes/test_crash.py")
	@FAULTS=long $(TESTS)/pytest $(or $(ARGS),tests/faults)

kit: ## run the conformance kit with a client of your own (CLIENT="node my-client.mjs")
	@PYTHONPATH=tests/support exec python3 -m client_kit $(CLIENT)

check: $(LOCAL_AWS) $(NODE_MODULES) $(call environment,checkov cdk workflows) build ## check formatting, lint, types, import contracts, templates, policies, workflows and locks
	@$(TESTS)/ruff format --check --quiet .
	@$(TESTS)/ruff check --quiet .
	@$(TESTS)/mypy functions infra/consumer infra/tools tests/measurements/cost.py tests/measurements/bench tests/measurements/outages tests/demo tests/support tests/faults
	@PYTHONPATH=functions $(TESTS)/lint-imports --no-logo
	@$(NODE)/bin/node $(NODE)/node_modules/typescript/bin/tsc --project infra/tools
	@$(SAM) validate --lint
	@$(PYTHON) infra/tools/expand_template.py $(BUILT) >.aws-sam/build/expanded.json
	@$(ENVIRONMENTS)/sam/bin/cfn-lint template.yaml infra/*.yaml .aws-sam/build/expanded.json
	@set -e; for template in account-resources other-aws-accounts; do \
	  $(PYTHON) infra/tools/expand_template.py infra/$$template.yaml >.aws-sam/build/$$template.json; done
	@$(PYTHON) -W ignore infra/tools/lint_policies.py .aws-sam/build/*.json infra/deployment-policy.json
	@$(ENVIRONMENTS)/checkov/bin/checkov --config-file infra/tools/checkov.yaml --file .aws-sam/build/expanded.json infra/*.yaml
	@CDK=1 $(TESTS)/pytest -q tests/e2e/test_package.py
	@$(ENVIRONMENTS)/workflows/bin/zizmor --offline --quiet --strict-collection .github
	@$(MAKE) lock OUT=.aws-sam/locks/
	@set -e; for lock in $(LOCKS); do diff -u $$lock .aws-sam/locks/$$lock || \
	  { echo "$$lock does not match pyproject.toml. Run \`make lock\`." >&2; exit 1; }; done
	@echo "all checks passed"

bench: $(call environment,bench lambda-runtime sam) build ## compare the functions and the client with the alternatives (ARGS="--help")
	@exec env PYTHONPATH=$(IMPORT_PATH) $(ENVIRONMENTS)/bench/bin/python -m bench $(ARGS)

MUTANTS := $(ENVIRONMENTS)/mutants

mutants: $(call environment,mutation) ## change the code in small ways, and check that a test fails each time (ARGS="rotator.domain.policy.*")
	@rm -rf $(MUTANTS)
	@mkdir -p $(MUTANTS)
	@ln -s $(CURDIR)/functions $(MUTANTS)/src
	@ln -s $(CURDIR)/{tests,events,pyproject.toml} $(MUTANTS)
	@cd $(MUTANTS) && exec env PYTHONPATH=$(CURDIR)/tests/measurements PATH="$(ENVIRONMENTS)/mutation/bin:$$PATH" \
	  python -m mutants $(ARGS)

charts: $(call environment,charts) ## simulate outages of the token endpoint and chart their effect (OUTAGES=1000)
	@exec env PYTHONPATH=$(IMPORT_PATH) $(ENVIRONMENTS)/charts/bin/python -m outages $(if $(OUTAGES),--outages $(OUTAGES))

format: $(call environment,tests) ## format the code and fix what the linter can fix
	@$(TESTS)/ruff format .
	@$(TESTS)/ruff check --fix .

# The oldest Python that a group is for.
OLDEST_client := 3.10
GROUPS := functions consumer tests client local-aws lambda-runtime node sam awscli charts bench mutation audit release checkov cdk workflows uv old-pip
LOCKS := $(foreach group,$(GROUPS),$(LOCK_$(group)))

lock: $(UV) $(call environment,node) ## pin the dependencies of pyproject.toml by version and hash
	@set -e; $(foreach group,$(GROUPS),mkdir -p $(OUT)$(dir $(LOCK_$(group))); \
	  $(if $(OUT),cp $(LOCK_$(group)) $(OUT)$(LOCK_$(group));) \
	  $(UV) pip compile --quiet --universal --python-version $(or $(OLDEST_$(group)),$(PYTHON_VERSION)) --generate-hashes --no-annotate \
	    --custom-compile-command "make lock" --group pyproject.toml:$(group) --output-file $(OUT)$(LOCK_$(group));)
	@$(if $(OUT),,$(NPM) install --package-lock-only --omit-lockfile-registry-resolved --prefix $(dir $(LOCK_node)) >/dev/null)

audit: $(call environment,audit) ## ask PyPI for known vulnerabilities of all locked packages (needs the network)
	@# The old pip is left out. It is old on purpose, and a test runs it on a package of its own.
	@failed=0; for lock in $(filter-out $(LOCK_old-pip),$(LOCKS)); do echo "==> $$lock"; \
	  $(ENVIRONMENTS)/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  --cache-dir $(ENVIRONMENTS)/cache/pip-audit --requirement $$lock || failed=1; done; exit $$failed

build: $(BUILT) $(BUILT_CONSUMER) ## package the functions with `sam build`, without containers

$(BUILT): template.yaml $(wildcard infra/*.yaml) functions/Makefile $(LOCK_functions) $(shell find functions -name '*.py') $(call environment,sam)
	@echo "==> packaging the functions with sam build"
	@mkdir -p .aws-sam
	@$(SAM) build >.aws-sam/build.log 2>&1 || { cat .aws-sam/build.log; exit 1; }
	@touch $@

# Built one after the other, because both builds write the same file next to their folders.
$(BUILT_CONSUMER): infra/consumer.yaml $(wildcard infra/consumer/*) $(call environment,sam) | $(BUILT)
	@echo "==> packaging the example consumer with sam build"
	@PATH="$(ENVIRONMENTS)/sam/bin:$$PATH" $(SAM) build --template-file $< --build-dir $(@D) \
	  >.aws-sam/consumer.log 2>&1 || { cat .aws-sam/consumer.log; exit 1; }
	@touch $@

wheel: $(call environment,sam) ## package the consumer's client as dist/talend_token-*.whl
	@$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

release: $(call environment,release sam) ## build the checked-out tag as a release in dist/, reproducibly
	@PATH="$(ENVIRONMENTS)/sam/bin:$$PATH" $(ENVIRONMENTS)/release/bin/python infra/tools/release.py

package: build ## upload the built packages to a bucket, and write dist/template.json for CDK and Terraform (BUCKET=my-bucket)
	@test -n "$(BUCKET)" || { echo "Name a bucket in the stack's Region: make package BUCKET=my-bucket" >&2; exit 1; }
	@mkdir -p dist
	@$(SAM) package --s3-bucket $(BUCKET) --s3-prefix talend-token --output-template-file .aws-sam/packaged.yaml $(ARGS) \
	  >.aws-sam/package.log 2>&1 || { cat .aws-sam/package.log; exit 1; }
	@# Without SAM's transform, because CDK's CfnInclude only knows an old version of it.
	@$(PYTHON) infra/tools/expand_template.py .aws-sam/packaged.yaml >dist/template.json
	@echo dist/template.json

# Only from the command line, because some shells have a variable with that name.
deploy: build ## deploy to your AWS account (ENV=staging selects an environment of samconfig.toml, ARGS="--guided" asks for the parameters)
	@$(SAM) deploy $(if $(filter command line,$(origin ENV)),--config-env $(ENV)) $(ARGS)

# SAM accepts `--parameter-overrides` only once, so those of ARGS are appended to ours. samconfig.toml is named because SAM
# would look for it next to the template.
ACCOUNT := --parameter-overrides Account=$(NAME)

account: $(call environment,sam) ## add a Talend account to the deployed stack (NAME=sales, ARGS="--parameter-overrides KmsKeyArn=...")
	@test -n "$(NAME)" || { echo "The account needs a name: make account NAME=sales" >&2; exit 1; }
	@$(SAM) deploy --config-file $(CURDIR)/samconfig.toml --template-file infra/account.yaml \
	  --stack-name talend-token-$(NAME) $(if $(findstring --parameter-overrides,$(ARGS)),,$(ACCOUNT)) \
	  $(subst --parameter-overrides,$(ACCOUNT),$(ARGS))

clean: ## remove everything that the other commands created
	@rm -rf $(ENVIRONMENTS) .aws-sam dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
