"""What shows that a deployed function, schedule or consumer lacks a right. A probe answers "" if all is well."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from e2e.conftest import Deployment
from local_aws.waiting import eventually
from talend_token.errors import TalendTokenError
from talend_token.secrets_manager import SecretsManagerSource

Answer = dict[str, Any]

PREFIX = "talend-token"


class System(Deployment):
    """A deployed stack whose schedules do not fire by themselves. Each probe works on an account of its own.

    An account is two secrets: the functions need nothing else.
    """

    def __init__(self, *deployed: Any, log: Path, key: str) -> None:
        super().__init__(*deployed)
        self._log = log
        self.key = key
        self._dead_letters: list[Any] = []
        # Every account's credentials would make a rotation of its own.
        self._rule = self.aws.client("events")
        self._credentials_changed = {"Name": self.resource("RotateFunctionCredentialsChanged")}
        self._rule.disable_rule(**self._credentials_changed)

    # --- replacing a token ------------------------------------------------------------------------

    def replaces(self, function: str) -> str:
        """A token that has expired is replaced."""
        return self._replaces(function, self._new_account())

    def replaces_default(self, function: str) -> str:
        """The same with the credentials secret that was there before the stack."""
        self._publish_expired("default")
        return self._replaces(function, "default")

    def is_superseded(self, function: str) -> str:
        """A version that was replaced, and to which a person rolls back, is not replaced again within a minute."""
        account = self._new_account()
        old = self._version(account)
        problem = self._replaces(function, account)
        new = self._version(account)
        roll_back = {"VersionStage": "AWSCURRENT", "MoveToVersionId": old, "RemoveFromVersionId": new}
        self.secrets.update_secret_version_stage(SecretId=f"{PREFIX}/{account}/token", **roll_back)
        again = self._invoke(function, account)[0].get("outcome")
        return problem or ("" if again == "superseded" else f"the second time: {again}")

    def budget_is_counted(self, function: str) -> str:
        """The doctor knows how many versions are left (and finds every other link good)."""
        account = self._new_account()
        problem = self._replaces(function, account)
        answer, _ = self._ask(function, {"account": account, "dry_run": True})
        broken = [f"{check['link']}: {check['detail']}" for check in answer["checks"] if not check["ok"]]
        return problem or "; ".join(broken)

    # --- credentials that are refused ---------------------------------------------------------------

    def refusal_is_remembered(self, function: str) -> str:
        """A refused pair, before which there was none, is asked with once; then the breaker is open."""
        return self._is_remembered(function, self._new_account("nobody:with-this-pair"))

    def refusal_is_remembered_default(self, function: str) -> str:
        """The same with the credentials secret that was there before the stack."""
        secret = {"SecretId": self["CredentialsSecretArn"]}
        try:
            self.secrets.put_secret_value(**secret, SecretString="nobody:with-this-pair")
            stages = self.secrets.describe_secret(**secret)["VersionIdsToStages"]
            (previous,) = [version for version, labels in stages.items() if "AWSPREVIOUS" in labels]
            self.secrets.update_secret_version_stage(**secret, VersionStage="AWSPREVIOUS", RemoveFromVersionId=previous)
            self._publish_expired("default")
            return self._is_remembered(function, "default")
        finally:
            self.secrets.put_secret_value(**secret, SecretString=self.account.credentials)

    def failure_lets_the_lock_go(self, function: str) -> str:
        """The run after a failed one, with better credentials, finds the lock free."""
        account = self._new_account("nobody:with-this-pair")
        self._invoke(function, account)
        self._put_credentials(account)
        return self._replaces(function, account)

    def _is_remembered(self, function: str, account: str) -> str:
        kinds = [self._invoke(function, account, trigger="watchdog")[0].get("errorType") for _ in range(2)]
        return "" if kinds == ["CredentialsRefused", "CircuitOpen"] else " then ".join(map(str, kinds))

    # --- what is told -------------------------------------------------------------------------------

    def writes_its_log(self, function: str) -> str:
        """A new execution environment writes into the log group."""
        account = self._new_account()
        self.functions.update_function_configuration(FunctionName=self[f"{function}FunctionName"], Timeout=29)
        problem = self._replaces(function, account)
        return problem or ("" if self._logged(function, account) else "no line in the log")

    def failed_run_is_kept(self, function: str) -> str:
        """An event that the function refuses, after its retries, is in the dead-letter queue."""
        marker = uuid.uuid4().hex
        payload = json.dumps({"account": "nobody", marker: True})
        lost = self._watching("is lost")
        name = self[f"{function}FunctionName"]
        self.functions.invoke(FunctionName=name, InvocationType="Event", Payload=payload)
        return lost(lambda: self._is_dead_letter(marker))

    # --- who invokes the functions --------------------------------------------------------------------

    def schedule_invokes(self, _: str) -> str:
        """A schedule with the deployed schedule's target replaces a token."""
        account = self._new_account()
        refused = self._watching("could not hand over")
        self._schedule(json.dumps({"trigger": "schedule", "account": account}))
        return refused(lambda: self._logged("Rotate", account))

    def schedule_keeps_what_it_cannot_hand_over(self, _: str) -> str:
        """What a schedule with the deployed schedule's target cannot hand over is in the dead-letter queue."""
        marker = uuid.uuid4().hex
        lost = self._watching("SendMessage operation")
        self._schedule(json.dumps({"account": marker}), Arn=f"{self['RotateFunctionArn']}-that-is-gone")
        return lost(lambda: self._is_dead_letter(marker))

    def changed_credentials_invoke(self) -> str:
        """Credentials that are stored make a rotation."""
        account, before = self._new_account(), len(self.talend.token_calls())
        self._rule.enable_rule(**self._credentials_changed)
        try:
            refused = self._watching("may not invoke")
            self._put_credentials(account)
            return refused(lambda: len(self.talend.token_calls()) > before)
        finally:
            self._rule.disable_rule(**self._credentials_changed)

    def reported_rejection_invokes(self) -> str:
        """The event that reports a rejected token makes a renewal."""
        detail = json.dumps({"rejected_version_id": str(uuid.uuid4())})
        entry = {"Source": "my.consumer", "DetailType": "Talend Token Rejected", "Detail": detail}
        refused, before = self._watching("may not invoke"), self._count("Renew", "platform.report")
        self._rule.put_events(Entries=[entry])
        return refused(lambda: self._count("Renew", "platform.report") > before)

    def foreign_rule_invokes(self, function: str) -> str:
        """A rule that is not the stack's hands an event to a function."""
        name, account = uuid.uuid4().hex, self._new_account()
        self._rule.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        self._rule.put_targets(Rule=name, Targets=[{"Id": "x", "Arn": self[f"{function}FunctionArn"]}])
        refused = self._watching(f"{name} may not invoke")
        entry = {"Source": name, "DetailType": "Talend Token Rejected", "Detail": json.dumps({"account": account})}
        self._rule.put_events(Entries=[entry])
        return refused(lambda: self._logged(function, account))

    def _schedule(self, payload: str, **target: str) -> None:
        scheduler, name = self.aws.client("scheduler"), uuid.uuid4().hex
        deployed = scheduler.get_schedule(Name=self.resource("Schedule"))["Target"]
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=deployed | target | {"Input": payload},
        )

    # --- consumers ------------------------------------------------------------------------------------

    def reads(self, session: boto3.Session) -> str:
        """The client reads the token."""
        return self._problem(self._source(session, "RenewFunctionName").read)

    def renews(self, session: boto3.Session) -> str:
        """The client has a rejected token replaced."""
        return self._problem(lambda: self._source(session, "RenewFunctionName").renew(str(uuid.uuid4())))

    def renews_expired(self, session: boto3.Session) -> str:
        """A client that knows all by ARN has an expired token replaced, and reads the new one."""
        self._publish_expired("default")
        source = self._source(session, "RenewFunctionArn")

        def renew() -> None:
            expired = source.read().token.version_id
            assert source.renew(expired).outcome == "rotated"
            assert source.read().token.version_id != expired

        return self._problem(renew)

    def describes(self, session: boto3.Session) -> str:
        """DescribeSecret, with which AWS's own caching clients begin."""
        client = session.client("secretsmanager", endpoint_url=self.aws.endpoint_url)
        return self._problem(lambda: client.describe_secret(SecretId=self["TokenSecretArn"]))

    def _source(self, session: boto3.Session, renew: str) -> SecretsManagerSource:
        return SecretsManagerSource(self["TokenSecretArn"], self[renew], session=session)

    def _problem(self, call: Callable[[], object]) -> str:
        try:
            call()
        except (TalendTokenError, ClientError) as error:
            return str(error)
        return ""

    # --- the means ------------------------------------------------------------------------------------

    def _new_account(self, credentials: str = "") -> str:
        """A new account whose published token has expired, with good credentials if none are given."""
        account = f"a{uuid.uuid4().hex}"
        for part, text in (("credentials", credentials or self.account.credentials), ("token", None)):
            value = {"SecretString": text} if text else {}
            self.secrets.create_secret(Name=f"{PREFIX}/{account}/{part}", KmsKeyId=self.key, **value)
        self._publish_expired(account)
        return account

    def _put_credentials(self, account: str) -> None:
        secret_id = f"{PREFIX}/{account}/credentials"
        self.secrets.put_secret_value(SecretId=secret_id, SecretString=self.account.credentials)

    def _publish_expired(self, account: str) -> None:
        issued_at = int(time.time()) - 3600
        document = {"access_token": uuid.uuid4().hex, "token_type": "Bearer", "api_url": self.talend.url}
        text = json.dumps(document | {"issued_at": issued_at, "expires_at": issued_at + 1800})
        self.secrets.put_secret_value(SecretId=f"{PREFIX}/{account}/token", SecretString=text)

    def _version(self, account: str) -> str:
        return str(self.secrets.get_secret_value(SecretId=f"{PREFIX}/{account}/token")["VersionId"])

    def _replaces(self, function: str, account: str) -> str:
        answer, warnings = self._invoke(function, account)
        if "errorMessage" in answer:
            return str(answer["errorMessage"])
        return warnings if answer["outcome"] == "rotated" else f"{answer['outcome']} {warnings}"

    def _invoke(self, function: str, account: str, *, trigger: str = "manual") -> tuple[Answer, str]:
        event = {"rejected_version_id": "0" * 32} if function == "Renew" else {"trigger": trigger}
        return self._ask(function, event | {"account": account})

    def _ask(self, function: str, event: Answer) -> tuple[Answer, str]:
        """The function's answer, and the warnings in its log."""
        name = self[f"{function}FunctionName"]
        invoked = self.functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
        tail = base64.b64decode(invoked["LogResult"]).decode().splitlines()
        warnings = [json.loads(line).get("warnings") or [] for line in tail if line.startswith('{"level"')]
        return json.load(invoked["Payload"]), "; ".join(warning for found in warnings for warning in found)

    def _logged(self, function: str, marker: str) -> bool:
        return self._count(function, marker) > 0

    def _count(self, function: str, marker: str) -> int:
        return sum(marker in line for line in self.log_lines(f"/aws/lambda/{self.stack.name}-{function.lower()}"))

    def _is_dead_letter(self, marker: str) -> bool:
        self._dead_letters += self.dead_letters()
        return marker in json.dumps(self._dead_letters)

    def _watching(self, refusal: str) -> Callable[[Callable[[], bool]], str]:
        """A function that waits for what is to come, or for the server's log line that it does not come.

        The line, which holds `refusal`, is the answer.
        """
        start = self._log.stat().st_size

        def refused() -> str:
            lines = self._log.read_bytes()[start:].decode(errors="replace").splitlines()
            return next((line for line in lines if refusal in line), "")

        def wait(arrived: Callable[[], bool]) -> str:
            outcome = eventually(lambda: arrived() or refused())
            return "" if outcome is True else str(outcome)

        return wait
