"""Where an account's secrets and functions are: the options, the variables of the library, or the stack's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from talend_token._command_line.aws import AWS, AWSError
from talend_token._command_line.failure import NO_TOKEN, CommandError
from talend_token.errors import TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from typing import Any

    from talend_token._sources import Published, Renewal

DEFAULT_STACK = "talend-token"
DEFAULT_ACCOUNT = "default"
# The default of the template's parameter SecretPrefix.
DEFAULT_PREFIX = "talend-token"


class Place:
    """One account of one stack. It is also a token source; see `talend_token._sources.TokenSource`."""

    published: Published
    """The token that was read last."""

    def __init__(self, options: Namespace, environment: Mapping[str, str]) -> None:
        self.aws = AWS(options.profile, options.region)
        self.stack_name: str = options.stack or DEFAULT_STACK
        self.account: str = options.account or DEFAULT_ACCOUNT
        # The commands that only read the token need no permission on the stack, unless it is named or has other names.
        self._may_guess = options.command in ("token", "exec", "write") and not options.stack
        # An option takes precedence over a variable that was set for other programs.
        is_named = not (options.stack or options.account)
        self._secret = environment.get("TALEND_TOKEN_SECRET", "") if is_named else ""
        self._renew_function = environment.get("TALEND_RENEW_FUNCTION", "") if self._secret else ""
        self._stack: dict[str, Any] | None = None
        self._source: SecretsManagerSource | None = None

    # --- the stack ---

    @property
    def stack(self) -> dict[str, Any]:
        """The stack as CloudFormation describes it.

        Raises:
            CommandError: it does not exist, or reading it is not permitted.
        """
        if self._stack is None:
            subject = f"stack {self.stack_name!r}"
            try:
                (self._stack,) = self.aws.call(
                    "cloudformation",
                    subject,
                    lambda client: client.describe_stacks(StackName=self.stack_name)["Stacks"],
                )
            except AWSError as error:
                if error.code != "ValidationError":
                    raise
                raise CommandError(
                    f"there is no {subject} in {self.aws.region}. Check --stack, --region and --profile.",
                    NO_TOKEN,
                ) from None
        return self._stack

    def output(self, name: str) -> str:
        """Return an output of the stack.

        Raises:
            CommandError: the stack has no such output, because its deployment failed or it is not a talend-token stack.
        """
        outputs = {output["OutputKey"]: output["OutputValue"] for output in self.stack.get("Outputs", [])}
        if name not in outputs:
            state = self.stack["StackStatus"]
            raise CommandError(
                f"stack {self.stack_name!r} has no output {name!r}, and its state is {state}. Deploy it again, or name "
                "the stack of talend-token by --stack.",
                NO_TOKEN,
            )
        return str(outputs[name])

    @property
    def token_secret(self) -> str:
        """Name of the account's token secret, from the stack's outputs."""
        return f"{self.output('SecretPrefix')}/{self.account}/token"

    @property
    def credentials_secret(self) -> str:
        """Name or ARN of the account's credentials secret, from the stack's outputs."""
        if self.account == DEFAULT_ACCOUNT:
            return self.output("CredentialsSecretArn")
        return f"{self.output('SecretPrefix')}/{self.account}/credentials"

    # --- the token secret ---

    def read(self) -> Published:
        """Return the published token.

        If the command may guess, the secret's default name is tried before the stack.

        Raises:
            CommandError: it does not exist, or reading it is not permitted.
        """
        is_guess = self._may_guess and not self._secret and self._source is None
        if self._source is None:
            self._source = self._open(f"{DEFAULT_PREFIX}/{self.account}/token" if is_guess else "")
        try:
            self.published = self._source.read()
            return self.published
        except TokenUnavailable as error:
            failure = self._unreadable(self._source, error)
            if error.code not in ("ResourceNotFoundException", "AccessDeniedException") or not is_guess:
                raise failure from None
        self._source = self._open(self._other_name(failure))
        return self.read()

    def _open(self, name: str) -> SecretsManagerSource:
        secret = name or self._secret or self.token_secret
        return SecretsManagerSource(secret, session=self.aws.session)

    def _other_name(self, failure: CommandError) -> str:
        """Return the token secret's name from the stack's outputs, unless it is the one that cannot be read."""
        try:
            name = self.token_secret
        except CommandError as error:
            if error.exit_code == NO_TOKEN and not self._stack:
                raise CommandError(
                    f"account {self.account!r}: neither {self._source} nor stack {self.stack_name!r} is in "
                    f"{self.aws.region}. Check --account, --stack, --region and --profile.",
                    NO_TOKEN,
                ) from None
            raise failure from None
        if name == f"{DEFAULT_PREFIX}/{self.account}/token":
            raise failure
        return name

    def _unreadable(self, source: SecretsManagerSource, error: TokenUnavailable) -> CommandError:
        if error.code == "ResourceNotFoundException":
            return CommandError(
                f"account {self.account!r}: {source} does not exist in {self.aws.region}, or holds no token yet. "
                "Check --account, --stack, --region and --profile, or store credentials: `talend-token credentials`.",
                NO_TOKEN,
            )
        if error.code is None:
            return CommandError(f"account {self.account!r}: {error}", NO_TOKEN)
        return AWSError(f"account {self.account!r}: {source}", error.code)

    def renew(self, rejected_version_id: str) -> Renewal:
        """Invoke the renew function. Raises `RenewalFailed`, or CommandError if the stack cannot be read."""
        secret = self._secret or self.token_secret
        function = self._renew_function or self.output("RenewFunctionName")
        return SecretsManagerSource(secret, function, session=self.aws.session).renew(rejected_version_id)

    def __str__(self) -> str:
        return f"account {self.account!r}: {self._source}"
