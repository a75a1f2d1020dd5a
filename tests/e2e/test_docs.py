"""The commands of README.md and docs/ work as they are written, page by page, in a shell that has what the text names.

The shell has the `aws` command, and works in a copy of the checkout, where `pair.txt` and the build do no harm. The
pair names the simulator's API, so that nothing else has to differ from the commands that a reader types.
"""

import json
import re
import shutil
import subprocess
import time

import pytest

from demo.deployment import ROOT
from demo.roles import Role
from e2e.conftest import local_deployment
from local_aws import ENVIRONMENTS
from local_aws.waiting import eventually

# In the order in which a reader would meet them; the last one removes everything.
PAGES = ("README.md", "docs/operations.md", "docs/consumers.md", "docs/client.md", "docs/deployment.md")
# Commands that are not run here, and why.
ELSEWHERE = {
    "make demo": "tests/e2e/test_demo.py runs it",
    "make test": "these are the tests",
    'make test ARGS="tests/unit"': "these are the tests",
    "make help": "tests/template/test_docs.py compares the targets",
    "make format": "it changes the sources",
    "make check": "CI runs it first",
    "sam build --template-file infra/consumer.yaml --build-dir .aws-sam/consumer": "`make build` runs it",
    "sam remote invoke Consumer --stack-name talend-consumer": "it calls Talend: see tests/e2e/test_renewal.py",
}

# Commands that a reader types at a terminal, and those that stand for them here.
TYPED = {"talend-token credentials": "talend-token credentials pair.txt"}


def blocks(page):
    """Yield the shell blocks of a page, without the indentation of a list."""
    for indent, block in re.findall(r"^( *)```sh\n(.*?)^ *```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL):
        yield re.sub(f"^{indent}", "", block, flags=re.MULTILINE)


def runnable(block):
    """Return a block without the commands that are not run here. A token that is printed is not kept."""
    lines = [TYPED.get(line, line) for line in block.splitlines() if line.strip() not in ELSEWHERE]
    return "".join(f"{line} >/dev/null\n" if "--query SecretString" in line else f"{line}\n" for line in lines)


# Blocks that change a token secret.
CHANGES = re.compile("update-secret-version-stage|delete-secret")


class Reader:
    """An operator who types what a page says, in a shell a page. `changes` are the moments of changes by hand."""

    def __init__(self, aws, folder, changes):
        self._folder = folder
        self._changes = changes
        self._environment = aws.subprocess_environment() | {
            "PATH": f"{ENVIRONMENTS}/awscli/bin:{aws.subprocess_environment()['PATH']}",
            "HOME": str(folder / "home"),
        }
        self.cloudformation = aws.client("cloudformation")
        self.secrets = aws.client("secretsmanager")

    def follow(self, page):
        """Run all commands of a page; what they printed, by block."""
        shown = [runnable(block) for block in blocks(page)]
        script = "set -euo pipefail\n" + "".join(f"printf '\\n=== %s\\n' $(date +%s.%N)\n{text}" for text in shown)
        finished = subprocess.run(
            ["bash", "-c", script], cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 0, f"{page}:\n{finished.stdout}\n{finished.stderr}"
        _, *parts = re.split(r"^=== (\S+)\n", finished.stdout, flags=re.MULTILINE)
        moments = [*map(float, parts[::2]), time.time()]
        for text, *begin_and_end in zip(shown, moments[:-1], moments[1:], strict=True):
            if CHANGES.search(text):
                self._changes += begin_and_end
        return dict(zip(shown, parts[1::2], strict=True))

    def stacks(self):
        """Return the names of the stacks that are there, without those nested in others."""
        names = {stack["StackName"] for stack in self.cloudformation.describe_stacks()["Stacks"]}
        return {name for name in names if not re.search("-(DefaultAccount|Monitoring|Resources)-", name)}

    def token(self):
        try:
            return self.secrets.get_secret_value(SecretId="talend-token/default/token")["SecretString"]
        except self.secrets.exceptions.ResourceNotFoundException:
            return None


@pytest.fixture(scope="module")
def reader(template, tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.name not in (".aws-sam", "dist"):
            (folder / path.name).symlink_to(path)
    # With the dates of its files, so that `make` finds it up to date.
    for built in ("build", "consumer"):
        shutil.copytree(template.parents[1] / built, folder / ".aws-sam" / built)
    with local_deployment() as new:
        account = new.account
        pair = {"id": account.client_id, "secret": account.client_secret, "api_url": new.talend.url}
        (folder / "pair.txt").write_text(json.dumps(pair))
        Role(new.aws, "my-program")
        yield Reader(new.aws, folder, changes)
        (folder / "pair.txt").unlink()


@pytest.fixture(scope="module")
def followed(reader):
    """Return what each command block of each page printed."""
    shown = {}
    for page in PAGES:
        shown[page] = reader.follow(page)
        if page == "README.md":
            eventually(reader.token, 60)
    return shown


def answers(shown, command):
    """Return the JSON that the commands of a block printed."""
    (printed,) = [text for block, text in shown.items() if command in block]
    decoder, found, text = json.JSONDecoder(), [], printed
    while "{" in text:
        text = text[text.index("{") :]
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:]
    return found


def test_every_command_of_every_page_works(followed):
    assert all(followed.values())


def test_a_dry_run_and_a_forced_rotation_answer_as_shown(followed):
    page = "docs/deployment.md"
    text = (ROOT / page).read_text()
    (answer,) = answers(followed[page], "rotate-dry-run.json")
    (shown,) = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "checks" in block]
    assert [check["link"] for check in answer["checks"]] == [check["link"] for check in shown["checks"]]
    assert [check for check in answer["checks"] if not check["ok"]] == []
    (answer,) = answers(followed[page], "rotate-forced.json")
    assert answer.keys() == json.loads(re.search(r'\{"outcome": "rotated".*\}', text)[0]).keys()


@pytest.mark.usefixtures("followed")
def test_after_the_last_page_only_what_it_leaves_is_there(reader):
    assert reader.stacks() == {"talend-dev", "aws-sam-cli-managed-default"}
    assert reader.token() is None


@pytest.mark.parametrize("command", ELSEWHERE)
def test_what_is_not_run_is_still_in_a_page(command):
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    assert any(command in page.read_text().splitlines() for page in pages)
