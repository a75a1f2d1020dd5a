"""The example consumer, deployed beside the main stack: the client library in real execution environments."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.consumer import API_PATH
from demo.deployment import BUILT_CONSUMER, ROOT, deploy, deploy_consumer
from e2e.breakage import denied, publish_an_old_token, revoke_tokens
from local_aws.waiting import eventually

# Each has its own execution environment, client and token.
CONSUMERS = 12


class DeployedConsumer:
    def __init__(self, deployment, stack):
        self._deployment = deployment
        self._log_group = f"/aws/lambda/{stack.name}"
        self.function = stack.outputs["ConsumerFunctionName"]

    @property
    def role(self):
        configuration = self._deployment.functions.get_function_configuration(FunctionName=self.function)
        return configuration["Role"].rsplit("/", 1)[1]

    def call(self):
        answer = self._deployment.functions.invoke(FunctionName=self.function)
        return json.load(answer["Payload"])

    def herd(self, meanwhile=lambda: None):
        """Call every consumer once, with all their requests at the API at once, and return the answers."""
        settings = self._deployment.talend.settings
        settings.api_seconds = 600
        with ThreadPoolExecutor(CONSUMERS) as pool:
            try:
                answers = [pool.submit(self.call) for _ in range(CONSUMERS)]
                eventually(lambda: self._deployment.talend.stalled == CONSUMERS)
                meanwhile()
            finally:
                settings.api_seconds = 0
                self._deployment.talend.release()
            return [answer.result() for answer in answers]

    def start_anew(self):
        """End the execution environments, which keep tokens, by a change of the function."""
        self._deployment.functions.update_function_configuration(FunctionName=self.function, MemorySize=256)
        assert self.environments() == []

    def environments(self):
        return [worker for worker in self._deployment.aws.workers() if worker["function"] == self.function]

    def logged(self):
        return self._deployment.log_lines(self._log_group)


@pytest.fixture(scope="module")
def consumer(deployment):
    stack = deploy_consumer(deployment.aws, BUILT_CONSUMER, deployment.stack, deployment.talend.url)
    return DeployedConsumer(deployment, stack)


@pytest.fixture(scope="module")
def node_consumer(deployment):
    names = ("ConsumerPolicyArn", "TokenSecretArn", "RenewFunctionName")
    template = ROOT / "infra" / "consumer-node.yaml"
    parameters = {name: deployment[name] for name in names}
    return DeployedConsumer(deployment, deploy(deployment.aws, template, parameters, "talend-consumer-node"))


@pytest.fixture
def published(deployment, consumer):
    """Return the version of a published token that works and that `renew` may replace. No consumer has an older one."""
    version = publish_an_old_token(deployment)
    consumer.start_anew()
    return version


def api_calls(deployment, after):
    return [entry.status for entry in deployment.talend.journal[after:] if entry.path == API_PATH]


def test_consumers_with_one_401_cost_one_token_call(deployment, consumer, published):
    # Cold starts: from here on each of them holds the published token.
    with ThreadPoolExecutor(CONSUMERS) as pool:
        started = pool.map(lambda _: consumer.call()["status"], range(CONSUMERS))
        assert list(started) == [200] * CONSUMERS
    token_calls, asked = len(deployment.talend.token_calls()), len(deployment.talend.journal)
    answers = consumer.herd(meanwhile=lambda: revoke_tokens(deployment))
    assert len(consumer.environments()) == CONSUMERS
    assert answers == [{"status": 200, "tasks": 0}] * CONSUMERS
    assert sorted(api_calls(deployment, asked)) == [200] * CONSUMERS + [401] * CONSUMERS
    assert len(deployment.talend.token_calls()) - token_calls == 1
    assert deployment.published()["VersionId"] != published


def test_a_consumer_in_node_heals_itself_after_a_revocation(deployment, node_consumer, published):
    assert node_consumer.call() == {"status": 200, "tasks": 0}
    revoke_tokens(deployment)
    token_calls, asked = len(deployment.talend.token_calls()), len(deployment.talend.journal)
    assert [node_consumer.call()["status"] for _ in range(3)] == [200, 200, 200]
    assert api_calls(deployment, asked) == [401, 200, 200, 200]
    assert len(deployment.talend.token_calls()) - token_calls == 1
    assert deployment.published()["VersionId"] != published


def test_a_consumer_that_may_not_renew_returns_the_401_and_warns(deployment, consumer, published):
    with denied(deployment.aws, consumer.role, "lambda:InvokeFunction"):
        assert consumer.call()["status"] == 200
        revoke_tokens(deployment)
        token_calls, logged = len(deployment.talend.token_calls()), len(consumer.logged())
        assert consumer.call() == {"status": 401}
        assert len(deployment.talend.token_calls()) == token_calls
        (warning,) = [line for line in map(json.loads, consumer.logged()[logged:]) if line.get("level") == "WARNING"]
        assert f"version {published} was rejected" in warning["message"]
        assert "AccessDeniedException" in warning["message"]
        # The consumer reads a token that another run publishes.
        assert deployment.invoke({})["outcome"] == "rotated"
        assert consumer.call()["status"] == 200
