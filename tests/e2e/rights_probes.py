"""Probes use the rights of a deployed function, schedule or consumer, and raise if something fails."""

import base64
import json
import os
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from demo.deployment import switch_schedule
from e2e.conftest import Deployment
from local_aws import LOGS_VARIABLE
from local_aws.waiting import eventually
from talend_token.secrets_manager import SecretsManagerSource

PREFIX = "talend-token"
# A secret that was there before the stack, outside of its prefix.
EXISTING = "mine/talend"
REFUSED = "nobody:with-this-pair"


class System(Deployment):
    """A deployed stack whose schedules do not fire by themselves. Its accounts are two secrets each."""

    def __init__(self, aws, talend, account):
        super().__init__(aws, talend, account)
        self.key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        existing = {"Name": EXISTING, "KmsKeyId": self.key, "SecretString": account.credentials}
        self.existing = self.secrets.create_secret(**existing)["ARN"]
        self._log = Path(os.environ[LOGS_VARIABLE], f"{aws.directory.name}.log")
        self._rule = aws.client("events")
        self._dead_letters = []
        self._shown = ""

    def be_quiet(self):
        """Leave all rotations to the probes."""
        switch_schedule(self.aws, "Watchdog", "DISABLED")
        self._credentials_changed = {"Name": self.resource("RotateFunctionCredentialsChanged")}
        self._rule.disable_rule(**self._credentials_changed)

    # --- functions ---

    def replaces(self, function, account=""):
        """Replace an expired token after credentials were refused, and again only what is another version."""
        account = account or self.new_account()
        self._put_credentials(account, REFUSED)
        self._forget_previous_credentials(account)
        self._publish_expired(account)
        for error in ("CredentialsRefused", "CircuitOpen"):
            answer = self._ask(function, account, trigger="watchdog")
            assert answer.get("errorType") == error, answer
        self._put_credentials(account, self.account.credentials)
        expired, answer = self._version(account), self._ask(function, account)
        assert (answer.get("outcome"), answer["warnings"]) == ("rotated", []), answer
        if function == "Rotate":
            checks = self._ask(function, account, dry_run=True)["checks"]
            # Other probes, in any order, may have used up the versions of the account with existing credentials.
            broken = [check for check in checks if not check["ok"] and "left for renewals" not in check["detail"]]
            assert broken == []
        # An operator rolls back to the version that was replaced.
        labels = {"VersionStage": "AWSCURRENT", "RemoveFromVersionId": self._version(account)}
        self.secrets.update_secret_version_stage(SecretId=_token(account), MoveToVersionId=expired, **labels)
        answer = self._ask(function, account)
        assert answer.get("outcome") == "superseded", answer

    def replaces_for_existing_credentials(self, function):
        """Do the same with the credentials secret that was there before the stack."""
        self.replaces(function, "default")

    def writes_its_log(self, function):
        """Write into the log group from a new execution environment."""
        account = self.new_account()
        self.functions.update_function_configuration(FunctionName=self[f"{function}FunctionName"], Timeout=29)
        self._ask(function, account)
        assert self._lines(function, account)

    def keeps_a_failed_event(self, function):
        """Put an event that the function refuses, after its retries, into the dead-letter queue."""
        marker = uuid.uuid4().hex
        invocation = {"FunctionName": self[f"{function}FunctionName"], "InvocationType": "Event"}
        with self._arriving(lambda: self._is_dead_letter(marker), "is lost"):
            self.functions.invoke(**invocation, Payload=json.dumps({"account": "nobody", marker: True}))

    # --- schedules and events ---

    def schedule_invokes(self, _):
        """Have a schedule with the deployed schedule's target invoke rotate."""
        account = self.new_account()
        with self._arriving(lambda: self._lines("Rotate", account), "could not hand over"):
            self._schedule({"trigger": "schedule", "account": account})

    def schedule_keeps_a_lost_event(self, _):
        """Put what such a schedule cannot hand over into the dead-letter queue."""
        marker = uuid.uuid4().hex
        with self._arriving(lambda: self._is_dead_letter(marker), "SendMessage operation"):
            self._schedule({"account": marker}, Arn=f"{self['RotateFunctionArn']}-that-is-gone")

    def changed_credentials_invoke(self):
        """Rotate for credentials that are stored."""
        account, before = self.new_account(), len(self.talend.token_calls())
        self._rule.enable_rule(**self._credentials_changed)
        try:
            with self._arriving(lambda: len(self.talend.token_calls()) > before, "may not invoke"):
                self._put_credentials(account, self.account.credentials)
        finally:
            self._rule.disable_rule(**self._credentials_changed)

    def reported_rejection_invokes(self):
        """Renew for the event that reports a rejected token."""
        before = len(self._lines("Renew", "platform.report"))
        with self._arriving(lambda: len(self._lines("Renew", "platform.report")) > before, "may not invoke"):
            self._report("my.consumer", {"rejected_version_id": str(uuid.uuid4())})

    def foreign_rule_invokes(self, function):
        """Have a rule that is not the stack's hand an event to a function."""
        name, account = uuid.uuid4().hex, self.new_account()
        self._rule.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
        self._rule.put_targets(Rule=name, Targets=[{"Id": "x", "Arn": self[f"{function}FunctionArn"]}])
        with self._arriving(lambda: self._lines(function, account), f"{name} may not invoke"):
            self._report(name, {"account": account})

    def _report(self, source, detail):
        entry = {"Source": source, "DetailType": "Talend Token Rejected", "Detail": json.dumps(detail)}
        self._rule.put_events(Entries=[entry])

    def _schedule(self, event, **target):
        scheduler, name = self.aws.client("scheduler"), uuid.uuid4().hex
        deployed = scheduler.get_schedule(Name=self.resource("Schedule"))["Target"]
        scheduler.create_schedule(
            Name=name,
            ScheduleExpression=f"at({datetime.now(UTC):%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=deployed | target | {"Input": json.dumps(event)},
        )

    # --- consumers ---

    def serves(self, session):
        """Describe and read the token, as AWS's caching clients do, and have an expired one replaced."""
        self.shows(session)
        source = SecretsManagerSource(self["TokenSecretArn"], self["RenewFunctionArn"], session=session)
        expired = source.read().token.version_id
        assert source.renew(expired).outcome == "rotated"
        assert source.read().token.version_id != expired

    def shows(self, session):
        """Describe and read an expired token, which is the one of before if no run has replaced it."""
        if not self._shown or self._version("default") != self._shown:
            self._publish_expired("default")
            self._shown = self._version("default")
        secrets = session.client("secretsmanager", endpoint_url=self.aws.endpoint_url)
        secrets.describe_secret(SecretId=self["TokenSecretArn"])
        secrets.get_secret_value(SecretId=self["TokenSecretArn"])

    # --- the means ---

    def new_account(self):
        """Create an account with good credentials and an expired token, and return its name."""
        account = f"a{uuid.uuid4().hex}"
        for name in (_credentials(account), _token(account)):
            self.secrets.create_secret(Name=name, KmsKeyId=self.key)
        self._put_credentials(account, self.account.credentials)
        self._publish_expired(account)
        return account

    def _put_credentials(self, account, text):
        secret = self.existing if account == "default" else _credentials(account)
        self.secrets.put_secret_value(SecretId=secret, SecretString=text)

    def _forget_previous_credentials(self, account):
        secret = {"SecretId": self.existing if account == "default" else _credentials(account)}
        for version, labels in self.secrets.describe_secret(**secret)["VersionIdsToStages"].items():
            if "AWSPREVIOUS" in labels:
                label = {"VersionStage": "AWSPREVIOUS", "RemoveFromVersionId": version}
                self.secrets.update_secret_version_stage(**secret, **label)

    def _publish_expired(self, account):
        issued_at = int(time.time()) - 3600
        document = {"access_token": uuid.uuid4().hex, "token_type": "Bearer", "api_url": self.talend.url}
        text = json.dumps(document | {"issued_at": issued_at, "expires_at": issued_at + 1800})
        self.secrets.put_secret_value(SecretId=_token(account), SecretString=text)

    def _version(self, account):
        return self.secrets.get_secret_value(SecretId=_token(account))["VersionId"]

    def _ask(self, function, account, **event):
        """Return the function's answer, with the warnings in its log."""
        event = {"rejected_version_id": "0" * 32} if function == "Renew" else event
        name, payload = self[f"{function}FunctionName"], json.dumps(event | {"account": account})
        invoked = self.functions.invoke(FunctionName=name, Payload=payload, LogType="Tail")
        tail = base64.b64decode(invoked["LogResult"]).decode().splitlines()
        lines = [json.loads(line) for line in tail if line.startswith('{"level"')]
        warnings = [warning for line in lines for warning in line.get("warnings") or []]
        return json.load(invoked["Payload"]) | {"warnings": warnings}

    def _lines(self, function, marker):
        group = f"/aws/lambda/{self.stack.name}-{function.lower()}"
        return [line for line in self.log_lines(group) if marker in line]

    def _is_dead_letter(self, marker):
        self._dead_letters += self.dead_letters()
        return marker in json.dumps(self._dead_letters)

    @contextmanager
    def _arriving(self, arrived, refusal):
        """Wait until what the block has sent has arrived, or the server's log says that it does not."""
        start = self._log.stat().st_size
        yield

        def ended():
            lines = self._log.read_bytes()[start:].decode(errors="replace").splitlines()
            refused = [line for line in lines if refusal in line]
            assert not refused, refused[0]
            return arrived()

        eventually(ended)


def _credentials(account):
    return f"{PREFIX}/{account}/credentials"


def _token(account):
    return f"{PREFIX}/{account}/token"
