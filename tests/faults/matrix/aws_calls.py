"""The calls of AWS that a healthy run makes."""

from __future__ import annotations

from collections.abc import Callable

from faults.matrix.columns import State, Trigger
from faults.matrix.expected import asks, needs_nothing

READ_TOKEN, READ_STAGED = "GetSecretValue of the token", "GetSecretValue of the token AWSPENDING"
READ_PREVIOUS = "GetSecretValue of the token AWSPREVIOUS"
READ_CREDENTIALS, LIST = "GetSecretValue of the credentials", "ListSecretVersionIds of the token"
STAGE, PROMOTE = "PutSecretValue of the token", "UpdateSecretVersionStage of the token"
LOCK, UNLOCK, LET_GO = "PutItem of the lock", "UpdateItem of the lock", "DeleteItem of the lock"
READ_BREAKER, CLOSE_BREAKER = "GetItem of the breaker", "UpdateItem of the breaker"
# A refusal of the credentials is stored by the call that otherwise forgets one.
OPEN_BREAKER = CLOSE_BREAKER
TABLE = ".* of the (lock|breaker)"
READS = (READ_TOKEN, READ_STAGED, READ_PREVIOUS, READ_CREDENTIALS)
SECRETS = (*READS, LIST, STAGE, PROMOTE)


def calls(trigger: Trigger, state: State) -> list[str]:
    """Return what a healthy run asks of AWS, in order, without `DescribeSecret`, which it needs if nothing is there."""
    if needs_nothing(trigger, state):
        return [READ_TOKEN]
    made = [READ_TOKEN, LOCK]
    if state in (State.ABSENT, State.LEFT_OVER):
        made.append(READ_STAGED)
    # It shows whether the staged version was left over, or published before.
    made += [READ_PREVIOUS] if state is State.LEFT_OVER else []
    if asks(trigger, state):
        made += [LIST] if trigger is Trigger.REJECTED else []
        made.append(READ_CREDENTIALS)
        made += [READ_BREAKER] if trigger.minds_the_breaker else []
        made += [CLOSE_BREAKER] if trigger in (Trigger.MANUAL, Trigger.CREDENTIALS_CHANGED) else []
        made.append(STAGE)
    # A secret's first version becomes the current one by itself.
    made += [PROMOTE] if state is not State.ABSENT else []
    return [*made, UNLOCK]


def makes(name: str) -> Callable[[Trigger, State], bool]:
    return lambda trigger, state: name in calls(trigger, state)
