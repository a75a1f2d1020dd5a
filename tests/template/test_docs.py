"""README.md, CONTRIBUTING.md, SECURITY.md and docs/ are true: what they name exists, and their tables match the code.

`tests/e2e/test_docs.py` runs their commands, `tests/integration/client/test_docs.py` their Python.
"""

import json
import re
from pathlib import Path

import pytest

from rotator.domain.result import Outcome
from template.conftest import ROOT

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")), *DOCS]
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# `code` in a page can name a file or folder of the repository, perhaps with a test in it.
NAMED_PATH = re.compile(r"((?:tests|functions|infra|events|docs|rotator|talend_token)/[\w./-]*)(?:::(\w+))?")
RENEWAL_OUTCOMES = {"rotated", "superseded", "in_progress", "too_soon", "budget_exhausted"}


def text_of(name):
    return (ROOT / name).read_text()


def prose(page):
    """Return the text of a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def code(page):
    """Return the `code` of a page's running text and tables."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def table(text, heading):
    """Return the rows of the first table after a heading or a line, as lists of cells."""
    lines = text[text.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|--"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def first_cells(text, heading):
    """Return the `code` in the first cells of a table."""
    return {re.search(r"`(\w+)`", cells[0])[1] for cells in table(text, heading) if "`" in cells[0]}


def anchors(page):
    """Return the anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- every page -------------------------------------------------------------------------------------


@every_page
def test_links_resolve(page):
    for link in re.findall(r"""(?:\]\(|\bsrc="|srcset=")([^)"\s]+)""", page.read_text()):
        path, _, anchor = link.partition("#")
        if re.match(r"https?://", link):
            continue
        # An address of GitHub's own pages, from wherever the repository is.
        workflow = re.fullmatch(r"\.\./\.\./actions/workflows/([\w.-]+)(?:/badge\.svg)?", path)
        target = ROOT / ".github" / "workflows" / workflow[1] if workflow else (page.parent / path if path else page)
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@every_page
def test_paths_and_tests_that_are_named_exist(page):
    for named in code(page):
        found = NAMED_PATH.fullmatch(named)
        if found is None:
            continue
        path = ROOT / "functions" / found[1] if found[1].startswith(("rotator/", "talend_token/")) else ROOT / found[1]
        assert path.exists(), named
        if found[2]:
            assert f"def {found[2]}(" in path.read_text(), named


@every_page
def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z]+):.*##", text_of("Makefile"), re.MULTILINE))
    commands = re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(), re.MULTILINE)
    assert set(commands) <= targets


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_names_in_camel_case_occur_in_the_sources(page):
    """Parameters, outputs, alarms, metrics, errors: a name that was changed in the code is found in the text."""
    known = set()
    sources = [ROOT / "template.yaml", *(ROOT / "infra").glob("*.*"), *(ROOT / "functions").rglob("*.py")]
    for source in sources:
        known.update(re.findall(r"\w+", source.read_text()))
    names = {name for named in code(page) for name in re.findall(r"(?<![:\w])[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", named)}
    # `Stubber` and the like have one capital; httpx's class is the only other name of a library.
    assert names - known - {"AsyncClient"} == set()


@every_page
def test_json_is_well_formed(page):
    for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
        json.loads(block)


@every_page
def test_a_page_with_commands_has_a_test_that_runs_them(page):
    if "```sh" in page.read_text():
        here = Path(__file__)
        tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != here]
        assert any(page.name in test.read_text() for test in tests)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_a_page_is_in_the_readmes_map_and_begins_with_its_readers(page):
    assert re.match(r"# .+\n\nFor ", page.read_text())
    assert f"(docs/{page.name})" in README.read_text().partition("## Documentation")[2]


def test_the_readme_is_read_in_five_minutes():
    text = README.read_text()
    assert len(text.splitlines()) <= 150
    assert len(text.split()) <= 1300


# --- tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "docs/deployment.md"])
def test_the_parameters_are_the_templates(template, page):
    documented = {name.strip("`"): default.strip("`") for name, default, _ in table(text_of(page), "| parameter")}
    assert documented == {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}


def test_every_output_that_is_named_exists(template):
    named = {name for page in PAGES for name in re.findall(r"outputs? `(\w+)`", page.read_text())}
    assert named
    assert named <= template["Outputs"].keys()


def test_every_outcome_alarm_and_metric_is_explained(alarms, metrics):
    operations, of_renewals_alone = text_of("docs/operations.md"), {"too_soon", "budget_exhausted"}
    assert first_cells(text_of("docs/consumers.md"), "| outcome") == RENEWAL_OUTCOMES
    assert first_cells(operations, "| outcome") == set(Outcome) - of_renewals_alone
    assert first_cells(operations, "| metric") == metrics
    assert first_cells(operations, "| alarm") == set(alarms)
    # Each alarm has a runbook.
    assert set(re.findall(r"^### (\w+)$", operations, re.MULTILINE)) == set(alarms)


@pytest.mark.parametrize("guarantee", table(text_of("docs/guarantees.md"), "| guarantee"), ids=lambda row: row[0][:40])
def test_a_guarantee_names_its_test(guarantee):
    _, shown_by = guarantee
    assert re.match(r"`tests/[\w/]+\.py(::test_\w+)?`", shown_by)


@pytest.mark.parametrize("threat", table(text_of("SECURITY.md"), "## Threat model"), ids=lambda row: row[0][:40])
def test_a_threat_names_its_tests(threat):
    who, can, what_stops_more, shown_by, what_remains = threat
    assert all((who, can, what_stops_more, what_remains))
    assert all(re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", name) for name in shown_by.split(", "))


def test_the_consumer_that_is_shown_is_the_one_that_is_deployed():
    assert text_of("infra/consumer/app.py") in text_of("docs/consumers.md")
