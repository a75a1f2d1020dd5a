"""An API that a new token is tried on."""

from __future__ import annotations

from rotator.ports import Probed, Verdict
from talend_token.document import TokenDocument


class ScriptedProbe:
    """Accepts every token, unless a verdict is queued. `calls` lists the tokens, paths and deadlines."""

    def __init__(self) -> None:
        self.calls: list[tuple[TokenDocument, str, float]] = []
        self.verdicts: list[Verdict] = []

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        self.calls.append((document, path, deadline))
        verdict = self.verdicts.pop(0) if self.verdicts else Verdict.ACCEPTED
        url = f"{document.api_url}{path}"
        return Probed(verdict, url, f"{url} answered as scripted")
