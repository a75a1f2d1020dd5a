"""`make demo`: keeps a token valid on this machine, without an AWS account, and shows how."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from demo.consumer import CarelessConsumer, Consumer
from demo.deployment import DeploymentError, Stack, build, deploy
from demo.roles import client_with
from demo.timeline import RotationLog, Timeline, short
from local_aws import ENVIRONMENTS, LocalAWS, LocalAWSError
from talend_simulator import Account, Settings, TalendSimulator

DEFAULT_SPEED = 100.0
# From here on a scheduled rotation has less than 2 s for a cold start on a busy machine.
FASTEST_SPEED = 150.0
SCHEDULED_ROTATIONS = 3


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
        account = Account()
        self.talend = self._open.enter_context(TalendSimulator([account], settings=Settings(speed=self.speed)))
        step("sam build: packaging the functions")
        template = build(folder / "build")
        step("sam deploy: the project's own template.yaml")
        self.stack = self._deploy(template)
        step("storing ID:secret in the credentials secret")
        self.secrets = self.aws.client("secretsmanager")
        pair = f"{account.client_id}:{account.client_secret}"
        self.secrets.put_secret_value(SecretId=self.stack.outputs["CredentialsSecretArn"], SecretString=pair)

    def _deploy(self, template: Path) -> Stack:
        # The shortest life that a token may have is a setting: at this speed it is granted seconds.
        minimum = str(int(60 / self.speed))
        return deploy(self.aws, template, {"TalendApiUrl": self.talend.url, "MinimumTokenLifeSeconds": minimum})

    def run(self) -> None:
        """Force the first rotation, then watch the schedule keep the token valid."""
        timeline, outputs = self.timeline, self.stack.outputs
        timeline.text()
        timeline.text("at Talend  who                 what")
        timeline.begin()
        log = RotationLog(self.aws.client("logs"), f"/aws/lambda/{self.stack.name}-rotate", timeline, self.speed)
        self.force()
        log.start()
        self._open.callback(log.stop)
        pause = 20 / self.speed
        # A client with the rights that the stack's consumer policy gives, and no others.
        reader = client_with(self.aws, "secretsmanager", "demo-consumer", policy_arn=outputs["ConsumerPolicyArn"])
        consumer = Consumer(reader, outputs["TokenSecretArn"], pause)
        first = self.secrets.get_secret_value(SecretId=outputs["TokenSecretArn"])
        refusals: list[float] = []

        def refused(when: float) -> None:
            refusals.append(when)
            timeline.event(
                "careless consumer", f"kept version {short(first['VersionId'])} for ever: refused with 401", when
            )

        careless = CarelessConsumer(first["SecretString"], pause, refused)
        for thread in (consumer, careless):
            thread.start()
            self._open.callback(thread.stop)
        timeline.event("consumer", "reads the token secret before each call, with the consumer policy's rights")
        deadline = time.time() + 120 + (SCHEDULED_ROTATIONS + 1) * 1500 / self.speed
        while (len(self._scheduled(log)) < SCHEDULED_ROTATIONS or not refusals) and time.time() < deadline:
            time.sleep(0.2)
        # The last rotation's token is used too.
        time.sleep(5 * pause)
        consumer.stop()
        careless.stop()
        log.stop()
        self._summarise(consumer, log, refusals)

    def force(self) -> None:
        """Invoke the function by hand."""
        answer = self.aws.client("lambda").invoke(
            FunctionName=self.stack.outputs["RotateFunctionName"], Payload=b'{"reason": "first rotation"}'
        )
        if "FunctionError" in answer:
            raise DeploymentError(f"the forced rotation failed: {json.load(answer['Payload'])['errorMessage']}")

    @staticmethod
    def _scheduled(log: RotationLog) -> list[dict[str, Any]]:
        return [line for line in log.decisions if (line["trigger"], line["message"]) == ("schedule", "rotated")]

    def _summarise(self, consumer: Consumer, log: RotationLog, refusals: list[float]) -> None:
        timeline = self.timeline
        failed = [status for status in consumer.statuses if status != 200]
        rotations = [line for line in log.decisions if line["message"] == "rotated"]
        scheduled = self._scheduled(log)
        token_calls = len(self.talend.token_calls())
        checks = {
            f"the schedule fired by itself and published {len(scheduled)} tokens": len(scheduled)
            >= SCHEDULED_ROTATIONS,
            f"the consumer made {len(consumer.statuses)} calls with {len(consumer.versions)} versions, "
            f"{len(failed)} failed": len(consumer.statuses) > 10
            and not failed
            and not consumer.problem
            and len(consumer.versions) > SCHEDULED_ROTATIONS,
            f"{len(rotations)} rotations took {token_calls} token calls": token_calls == len(rotations),
            "a token that is not replaced stops working": bool(refusals),
        }
        timeline.text()
        for text, holds in checks.items():
            timeline.text(f"  {'ok  ' if holds else 'FAIL'}  {text}")
        self.problems = [text for text, holds in checks.items() if not holds]
        if consumer.problem:
            timeline.text(f"        the consumer ended with {consumer.problem}")

    def keep(self) -> None:
        """Say how to use what is up from another terminal, and wait for Ctrl-C."""
        text = self.timeline.text
        text()
        text("Everything stays up. In another terminal:")
        text()
        for name, value in self.aws.environment().items():
            text(f"export {name}={value}")
        text(f'export PATH="{ENVIRONMENTS}/awscli/bin:{ENVIRONMENTS}/sam/bin:$PATH"')
        text()
        token, rotate = self.stack.outputs["TokenSecretArn"], self.stack.outputs["RotateFunctionName"]
        text(f"aws secretsmanager describe-secret --secret-id {token}")
        text(f"aws lambda invoke --function-name {rotate} --payload '{{}}' /dev/stdout")
        text(f"sam remote invoke RotateFunction --stack-name {self.stack.name} --event '{{}}'")
        text(f"sam logs --stack-name {self.stack.name} --cw-log-group /aws/lambda/{self.stack.name}-rotate")
        text(f"curl {self.talend.url}/_simulator/journal")
        text()
        text("Ctrl-C takes everything down.")
        while True:
            signal.pause()


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> int:
    """Run the demonstration; the exit status."""
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
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
