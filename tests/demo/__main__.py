"""`make demo`: keeps a token valid on this machine, without an AWS account, and shows how."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from demo.consumer import CarelessConsumer, Consumer
from demo.deployment import DeploymentError, Stack, build, deploy
from demo.roles import Role
from demo.timeline import DecisionLog, Timeline, short
from local_aws import ENVIRONMENTS, LocalAWS, LocalAWSError
from talend_simulator import Account, Settings, TalendSimulator

DEFAULT_SPEED = 100.0
# From here on a scheduled rotation has less than 2 s for a cold start on a busy machine.
FASTEST_SPEED = 150.0
SCHEDULED_ROTATIONS = 3
CONSUMERS = 5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C")
    parser.add_argument(
        "--speed",
        type=float,
        default=DEFAULT_SPEED,
        help=f"how many times faster than at Talend time passes, 1 to {FASTEST_SPEED:g} (default {DEFAULT_SPEED:g})",
    )
    options = parser.parse_args()
    if not 1 <= options.speed <= FASTEST_SPEED:
        parser.error(f"--speed must be from 1 to {FASTEST_SPEED:g}")
    return options


class Demo:
    """Everything that runs in a demonstration; `close` takes it down."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.timeline = Timeline(speed)
        self._open = ExitStack()
        self.problems: list[str] = []

    def __enter__(self) -> Demo:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def set_up(self) -> None:
        """Start the local AWS and the simulator, build, deploy, and store the credentials."""
        step = self.timeline.step
        step(f"time runs {self.speed:g} times faster: Talend's 30 minutes pass in {1800 / self.speed:.0f} s")
        step("starting an embedded local AWS and a Talend simulator on loopback ports")
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="talend-token-demo-")))
        self.aws = self._open.enter_context(LocalAWS(schedule_speed=self.speed))
        self.account = Account()
        self.talend = self._open.enter_context(TalendSimulator([self.account], settings=Settings(speed=self.speed)))
        step("sam build: packaging the functions")
        template = build(folder / "build")
        step("sam deploy: the project's own template.yaml")
        self.stack = self._deploy(template)
        step("storing ID:secret in the credentials secret")
        self.secrets = self.aws.client("secretsmanager")
        pair = f"{self.account.client_id}:{self.account.client_secret}"
        self.secrets.put_secret_value(SecretId=self.stack.outputs["CredentialsSecretArn"], SecretString=pair)

    def _deploy(self, template: Path) -> Stack:
        # The shortest life that a token may have is a setting: at this speed it is granted seconds.
        minimum = str(int(60 / self.speed))
        return deploy(self.aws, template, {"TalendApiUrl": self.talend.url, "MinimumTokenLifeSeconds": minimum})

    def run(self) -> None:
        """Force the first rotation, watch the schedule keep the token valid, and have Talend revoke it."""
        timeline, outputs = self.timeline, self.stack.outputs
        timeline.text()
        timeline.text("at Talend  who                 what")
        timeline.begin()
        rotations, renewals = (self._log(function) for function in ("rotate", "renew"))
        self.force()
        rotations.poll()
        rotations.start()
        renewals.start()
        pause = 20 / self.speed
        consumers = self._consumers(pause)
        first = self.secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])
        refusals: list[float] = []

        def refused(when: float) -> None:
            refusals.append(when)
            timeline.event("careless consumer", f"kept version {short(first['VersionId'])}: expired, refused", when)

        self._start(CarelessConsumer(first["SecretString"], pause, refused))
        timeline.event("consumers", f"{CONSUMERS} read the token secret before each call, with no other rights")
        self._wait(lambda: len(_scheduled(rotations)) >= SCHEDULED_ROTATIONS - 1 and bool(refusals))
        # A token that has just been issued is not replaced: until then Talend has not revoked it.
        self._sleep(minutes=5)
        timeline.event("Talend", "revokes the published token: consumers get 401s and ask for a renewal")
        self.talend.tokens.revoke_all(self.account.client_id)
        self._wait(lambda: len(_scheduled(rotations)) >= SCHEDULED_ROTATIONS)
        # The last rotation's token is used too.
        self._sleep(minutes=2)
        for consumer in consumers:
            consumer.stop()
        rotations.stop()
        renewals.stop()
        self._summarise(consumers, rotations, renewals, refusals)

    def _log(self, function: str) -> DecisionLog:
        group = f"/aws/lambda/{self.stack.name}-{function}"
        log = DecisionLog(self.aws.client("logs"), group, self.timeline, self.speed)
        self._open.callback(log.stop)
        return log

    def _consumers(self, pause: float) -> list[Consumer]:
        # The rights that the stack's consumer policy gives, and no others.
        outputs = self.stack.outputs
        role = Role(self.aws, "demo-consumer", policy_arn=outputs["ConsumerPolicyArn"])
        arguments = (outputs["TokenSecretArn"], outputs["RenewFunctionName"], pause)
        consumers = [Consumer(role.client, *arguments) for _ in range(CONSUMERS)]
        for consumer in consumers:
            self._start(consumer)
        return consumers

    def _start(self, thread: Consumer | CarelessConsumer) -> None:
        thread.start()
        self._open.callback(thread.stop)

    def _wait(self, until: Callable[[], bool]) -> None:
        """Wait for what takes an hour and a half at Talend at the most; the summary tells what has not come."""
        deadline = time.time() + 60 + 90 * 60 / self.speed
        while not until() and time.time() < deadline:
            time.sleep(0.2)

    def _sleep(self, minutes: float) -> None:
        """Let some minutes pass at Talend."""
        time.sleep(minutes * 60 / self.speed)

    def force(self) -> None:
        """Invoke the function by hand."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.stack.outputs["RotateFunctionName"], Payload=b'{"reason": "first rotation"}'
        )
        if "FunctionError" in answer:
            raise DeploymentError(f"the forced rotation failed: {json.load(answer['Payload'])['errorMessage']}")

    def _summarise(
        self, consumers: list[Consumer], rotations: DecisionLog, renewals: DecisionLog, refusals: list[float]
    ) -> None:
        timeline = self.timeline
        statuses = [status for consumer in consumers for status in consumer.statuses]
        failed = [status for status in statuses if status != 200]
        versions = set().union(*(consumer.versions for consumer in consumers))
        rejections = sum(consumer.rejections for consumer in consumers)
        problems = [consumer.problem for consumer in consumers if consumer.problem]
        published = [line for line in rotations.decisions + renewals.decisions if line["message"] == "rotated"]
        renewed = [line for line in published if line["trigger"] == "rejected"]
        token_calls = len(self.talend.token_calls())
        scheduled = len(_scheduled(rotations))
        checks = {
            f"the schedule fired by itself and published {scheduled} tokens": scheduled >= SCHEDULED_ROTATIONS,
            "a token that is not replaced stops working": bool(refusals),
            f"{rejections} calls met the revoked token and cost {len(renewed)} renewal": rejections >= CONSUMERS
            and len(renewed) == 1,
            f"consumers made {len(statuses)} calls with {len(versions)} versions, {len(failed)} failed": bool(statuses)
            and not failed
            and not problems
            and len(versions) == len(published),
            f"{len(published)} published tokens took {token_calls} token calls": token_calls == len(published),
        }
        timeline.text()
        for text, holds in checks.items():
            timeline.text(f"  {'ok  ' if holds else 'FAIL'}  {text}")
        for problem in problems:
            timeline.text(f"        a consumer ended with {problem}")
        self.problems = [text for text, holds in checks.items() if not holds]

    def keep(self) -> None:
        """Say how to use what is up from another terminal, and wait for Ctrl-C."""
        text = self.timeline.text
        text()
        text("Everything stays up, and the schedule goes on. At this speed it has spent the day's versions after some")
        text("minutes: then `renew` answers budget_exhausted, as it would on AWS. In another terminal:")
        text()
        for name, value in self.aws.environment().items():
            text(f"export {name}={value}")
        text(f'export PATH="{ENVIRONMENTS}/awscli/bin:{ENVIRONMENTS}/sam/bin:$PATH"')
        text()
        token, rotate = self.stack.outputs["TokenSecretArn"], self.stack.outputs["RotateFunctionName"]
        text(f"aws secretsmanager describe-secret --secret-id {token}")
        text(f"aws lambda invoke --function-name {rotate} --payload '{{}}' /dev/stdout")
        text(f"sam remote invoke RotateFunction --stack-name {self.stack.name} --event '{{}}'")
        text(f"aws sqs list-queues --endpoint-url {self.aws.endpoint_url}")
        text(f"sam logs --stack-name {self.stack.name} --cw-log-group /aws/lambda/{self.stack.name}-rotate")
        text(f"curl {self.talend.url}/_simulator/journal")
        text()
        text("Ctrl-C takes everything down.")
        while True:
            signal.pause()


def _scheduled(log: DecisionLog) -> list[dict[str, Any]]:
    return [line for line in log.decisions if (line["trigger"], line["message"]) == ("schedule", "rotated")]


def _interrupt(*_: object) -> NoReturn:
    # Taking everything down is not interrupted again.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """Be interrupted when the process that started this one is gone: `make`, or a shell, was killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def main() -> int:
    """Run the demonstration; the exit status."""
    options = arguments()
    # SIGINT too: a shell starts what runs in its background with that one ignored.
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    _end_with_parent()
    started = time.time()
    try:
        with Demo(options.speed) as demo:
            demo.set_up()
            demo.run()
            demo.timeline.text()
            demo.timeline.text(f"{'FAILED' if demo.problems else 'All good'} after {time.time() - started:.0f} s.")
            if options.keep:
                demo.keep()
    except KeyboardInterrupt:
        print("\nInterrupted: everything is taken down.", file=sys.stderr)
        return 0 if options.keep else 130
    except (DeploymentError, LocalAWSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 1 if demo.problems else 0


if __name__ == "__main__":
    sys.exit(main())
