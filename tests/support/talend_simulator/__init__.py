"""A simulator of Talend Cloud's token endpoint and API: a real HTTP server on a loopback port.

```python
with TalendSimulator(settings=Settings(speed=60)) as talend:
    account = talend.add_account()
    talend.faults.add(Answer(503, headers={"Retry-After": "2"}), times=2)
    ...  # POST {talend.url}/security/oauth/token, GET {talend.url}/account/users
    assert [call.status for call in talend.token_calls()] == [503, 503, 200]
```
"""

from talend_simulator.endpoints import TOKEN_LIFE_SECONDS, TOKEN_PATH, Settings
from talend_simulator.faults import (
    Amend,
    Answer,
    Close,
    Drip,
    HtmlAnswer,
    Huge,
    JsonAnswer,
    Redirect,
    Reset,
    SameToken,
    Stall,
    Truncate,
)
from talend_simulator.server import Broken
from talend_simulator.simulator import TalendSimulator
from talend_simulator.tokens import Account, fingerprint

__all__ = [
    "TOKEN_LIFE_SECONDS",
    "TOKEN_PATH",
    "Account",
    "Amend",
    "Answer",
    "Broken",
    "Close",
    "Drip",
    "HtmlAnswer",
    "Huge",
    "JsonAnswer",
    "Redirect",
    "Reset",
    "SameToken",
    "Settings",
    "Stall",
    "TalendSimulator",
    "Truncate",
    "fingerprint",
]
