"""docs/other-languages.md is true: its Java class, its Node.js function, and its description of the kit."""

import json
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest

from client_kit.play import SCENARIOS, Consumer, play

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = (ROOT / "docs" / "other-languages.md").read_text()
JAVA = shutil.which("java")
# All scenarios pass with the provider. Java starts slowly, so these are the ones that differ most.
CHOSEN = [
    ("provider", "401, and a newer token is published"),
    ("provider", "a storm of 100"),
    ("provider", "Secrets Manager is down, and the token is good"),
    ("extension", "in_progress"),
]


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("java")
    (source,) = re.findall(r"<!-- executed by the tests: Talend.java -->\n```java\n(.*?)```", PAGE, re.DOTALL)
    (folder / "Talend.java").write_text(source)
    command = ["javac", "-Xlint:all", "-Werror", "-d", folder, folder / "Talend.java", HERE / "java" / "Client.java"]
    subprocess.run(command, check=True)
    return folder


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no JDK on this machine")
@pytest.mark.parametrize(("reader", "name"), CHOSEN)
def test_java_class_passes(classes, reader, name):
    (scenario,) = [scenario for scenario in SCENARIOS if scenario["name"] == name]
    steps = [{"world": {"local_reader": reader}}, *scenario["steps"]]
    command = [JAVA, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(classes), "Client", reader]
    assert play(scenario | {"steps": steps}, partial(Consumer, command)) == []


def test_page_shows_the_function_that_is_deployed():
    assert f"```js\n{(ROOT / 'infra' / 'consumer-node' / 'app.mjs').read_text()}```" in PAGE


def test_page_counts_the_lines_of_the_module_and_the_scenarios():
    lines = len((ROOT / "infra" / "consumer-node" / "talend.mjs").read_text().splitlines())
    assert lines < 150
    assert f"(../infra/consumer-node/talend.mjs), {lines} lines," in PAGE
    assert f"The kit plays {len(SCENARIOS)} scenarios" in PAGE


def test_page_shows_commands_and_answers_as_they_are():
    command, answer = map(json.loads, re.findall(r'^\{"id": .*\}$', PAGE, re.MULTILINE))
    consumer = Mock()
    consumer.ask.return_value, consumer.close.return_value = [answer], ""
    play(SCENARIOS[0], lambda _: consumer)
    ((asked, *_),) = consumer.ask.call_args_list[0].args
    assert {name: type(value) for name, value in asked.items()} == {
        name: type(value) for name, value in command.items()
    }
