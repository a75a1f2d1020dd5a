"""Keeps a token valid on this machine, without an AWS account, and shows how (`make demo`)."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from typing import Any, NoReturn

from demo.consumer import API_PATH, call_repeatedly, call_until_refused
from demo.deployment import (
    BUILT,
    BUILT_CONSUMER,
    CONSUMER_STACK_NAME,
    ROOT,
    DeploymentError,
    deploy,
    deploy_consumer,
    switch_schedule,
)
from demo.timeline import DecisionLog, Timeline
from local_aws import ENVIRONMENTS, LocalAWS, LocalAWSError
from talend_simulator import Account, Settings, TalendSimulator

DEFAULT_SPEED = 90.0
# At a higher speed, a rotation would have less than a second before consumers count the old token as expired, because
# they allow for times that are rounded to whole seconds, which adds up to two seconds.
FASTEST_SPEED = 100.0
SCHEDULED_ROTATIONS = 3
CONSUMERS = 5
# About the time that a call of a real API takes.
API_SECONDS = 0.2
COMMAND_LINE = ROOT / "infra" / "tools"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep everything running until Ctrl-C")
    parser.add_argument(
        "--speed",
        type=float,
        default=DEFAULT_SPEED,
        help=f"how many times faster time passes than at Talend, 1 to {FASTEST_SPEED:g} (default {DEFAULT_SPEED:g})",
    )
    options = parser.parse_args()
    if not 1 <= options.speed <= FASTEST_SPEED:
        parser.error(f"--speed must be from 1 to {FASTEST_SPEED:g}")
    return options


class Demo(ExitStack):
    """Starts and stops everything that runs in a demonstration."""

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self.timeline = Timeline(speed)
        self.problems: list[str] = []

    def set_up(self) -> None:
        """Start the local AWS and the simulator, deploy, and store the credentials."""
        text = self.timeline.text
        text(f"==> time runs {self.speed:g} times faster, so Talend's 30 minutes pass in {1800 / self.speed:.0f} s")
        text("==> starting an embedded local AWS and a Talend simulator on loopback ports")
        self.aws = self.enter_context(LocalAWS(schedule_speed=self.speed))
        self.account = Account()
        settings = Settings(speed=self.speed, api_seconds=API_SECONDS)
        self.talend = self.enter_context(TalendSimulator([self.account], settings=settings))
        text("==> sam deploy: the project's own template.yaml")
        self.stack = deploy(self.aws, BUILT, {"TalendApiUrl": self.talend.url})
        # A token's times are whole seconds, which are minutes at this speed: the watchdog would replace tokens early.
        switch_schedule(self.aws, "Watchdog", "DISABLED")
        text("==> storing ID:secret in the credentials secret, which makes rotate publish the first token")
        self.secrets = self.aws.client("secretsmanager")
        pair = f"{self.account.client_id}:{self.account.client_secret}"
        self.secrets.put_secret_value(SecretId=self.stack.outputs["CredentialsSecretArn"], SecretString=pair)

    def run(self) -> None:
        """Show how the schedule keeps a consumer's token valid, and how consumers renew a revoked token."""
        timeline, stopping = self.timeline, threading.Event()
        pool = self.enter_context(ThreadPoolExecutor(CONSUMERS + 2))
        self.callback(stopping.set)
        timeline.begin()
        groups = [f"/aws/lambda/{self.stack.name}-{function}" for function in ("rotate", "renew")]
        log = DecisionLog(self.aws.client("logs"), groups, timeline)
        following = pool.submit(log.follow, stopping)
        if not self._wait(log.published):
            raise DeploymentError("the first token was not published")
        first = self.secrets.get_secret_value(SecretId=self.stack.outputs["TokenSecretArn"])
        refused = pool.submit(call_until_refused, first, 20 / self.speed, stopping, timeline)
        consumer = deploy_consumer(self.aws, BUILT_CONSUMER, self.stack, self.talend.url)
        calling = f"{CONSUMERS} consumers call the API over and over"
        timeline.event("consumers", f"sam deploy of infra/consumer.yaml; {calling}")
        functions, name = self.aws.client("lambda"), consumer.outputs["ConsumerFunctionName"]
        callers = [pool.submit(call_repeatedly, functions, name, stopping) for _ in range(CONSUMERS)]
        # On a slow machine, the schedule may have fired before the consumer was deployed.
        rotated = max(SCHEDULED_ROTATIONS - 1, len(log.published("schedule")) + 1)
        self._wait(lambda: len(log.published("schedule")) >= rotated and refused.done())
        # A token that has just been issued is not replaced, because a new one would be rejected too.
        time.sleep(5 * 60 / self.speed)
        timeline.event("Talend", "revokes the published token, so each consumer gets a 401")
        self.talend.tokens.revoke_all(self.account.client_id)
        self._wait(lambda: len(log.published("schedule")) > rotated)
        stopping.set()
        following.result()
        answers = list(chain(*(caller.result() for caller in callers)))
        self._summarize(answers, log, refused.result())

    def _wait(self, until: Callable[[], object]) -> bool:
        """Wait for up to 90 minutes of Talend's time; return whether the condition became true."""
        deadline = time.time() + 60 + 90 * 60 / self.speed
        while not (came := until()) and time.time() < deadline:
            time.sleep(0.2)
        return bool(came)

    def _summarize(self, answers: list[dict[str, Any]], log: DecisionLog, refused: bool) -> None:
        failed = [answer for answer in answers if answer.get("status") != 200]
        calls = [entry for entry in self.talend.journal if entry.path == API_PATH]
        tokens = {entry.token_sha256 for entry in calls if entry.status == 200}
        rejections = [entry for entry in calls if entry.status == 401]
        published, renewed, scheduled = (len(log.published(trigger)) for trigger in (None, "rejected", "schedule"))
        token_calls = len(self.talend.token_calls())
        checks = {
            f"the schedule published {scheduled} tokens": scheduled >= SCHEDULED_ROTATIONS,
            "a token that is not replaced expires": refused,
            f"{len(rejections)} calls with the revoked token caused {renewed} renewal": (
                len(rejections) >= CONSUMERS and renewed == 1
            ),
            # The consumers have not read the last version, because the renewed token is not about to expire.
            f"consumers made {len(answers)} calls with {len(tokens)} versions, {len(failed)} failed": (
                not failed and len(tokens) >= SCHEDULED_ROTATIONS
            ),
            f"{published} published tokens needed {token_calls} token calls": token_calls == published,
        }
        self.timeline.text()
        for text, holds in checks.items():
            self.timeline.text(f"  {'ok  ' if holds else 'FAIL'}  {text}")
        for answer in failed[:3]:
            self.timeline.text(f"        a consumer failed with {answer}")
        self.problems = [text for text, holds in checks.items() if not holds]

    def show_status(self) -> None:
        """Print the output of `talend-token status`."""
        command = [str(COMMAND_LINE / "talend-token"), "status"]
        environment = self.aws.subprocess_environment()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        self.timeline.text(f"\n$ talend-token status\n{done.stdout}{done.stderr}".rstrip())
        # Alarms and schedules use the wall clock.
        self.timeline.text("(TokenAlarm fires below three minutes, and here a token is never valid for that long.)")
        if done.returncode:
            self.problems.append(f"talend-token status failed with exit code {done.returncode}")

    def keep(self) -> None:
        """Print how to use the running system from another terminal, and wait for Ctrl-C."""
        exports = "\n".join(f"export {name}={value}" for name, value in self.aws.environment().items())
        self.timeline.text(f"""
Everything keeps running, and the schedule continues. At this speed, it uses up the day's versions within
some minutes, and then `renew` answers budget_exhausted, as it would on AWS. In another terminal:

{exports}
export PATH="{COMMAND_LINE}:{ENVIRONMENTS}/awscli/bin:{ENVIRONMENTS}/sam/bin:$PATH"

talend-token status
talend-token rotate --reason "by hand"
curl -H "$(talend-token token --header)" {self.talend.url}{API_PATH}
talend-token exec -- sh -c 'curl -H "Authorization: Bearer $TALEND_ACCESS_TOKEN" $TALEND_API_URL/account/users'
talend-token doctor  # 25 minutes are a few seconds here, so it finds the schedule too rare

aws secretsmanager describe-secret --secret-id {self.stack.outputs["TokenSecretArn"]}
aws lambda invoke --function-name {self.stack.outputs["RotateFunctionName"]} --payload '{{}}' /dev/stdout
sam remote invoke RotateFunction --stack-name {self.stack.name} --event '{{}}'
sam remote invoke Consumer --stack-name {CONSUMER_STACK_NAME} --event '{{}}'
aws sqs list-queues --endpoint-url {self.aws.endpoint_url}
sam logs --stack-name {self.stack.name} --cw-log-group /aws/lambda/{self.stack.name}-rotate

Ctrl-C stops everything.""")
        while True:
            signal.pause()


def _interrupt(*_: object) -> NoReturn:
    # A second signal must not interrupt the clean-up.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Interrupt this process when the one that started it, `make` or a shell, has been killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main() -> int:
    """Run the demonstration and return the exit status."""
    options = arguments()
    # Also SIGINT, because a shell starts background processes with SIGINT ignored.
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    _end_with_parent()
    started = time.time()
    try:
        with Demo(options.speed) as demo:
            demo.set_up()
            demo.run()
            demo.show_status()
            demo.timeline.text(f"\n{'FAILED' if demo.problems else 'All good'} after {time.time() - started:.0f} s.")
            if options.keep:
                demo.keep()
    except KeyboardInterrupt:
        print("\nInterrupted. Everything has been stopped.", file=sys.stderr)
        return 0 if options.keep else 130
    except (DeploymentError, LocalAWSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main())
