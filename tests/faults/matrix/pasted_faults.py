"""Rows of the matrix: what comes along when people paste credentials. Nothing of it is sent, and the fix is named."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable, Iterator

from faults.matrix.credentials_faults import Spell, malformed
from faults.matrix.faults import Fault
from talend_simulator import Account

_HALF = 9
_CONTROL = "(a control character or line break)"


def rows() -> Iterator[Fault]:
    for name, spell in _encoded().items():
        yield malformed(f"pasted: {name}", spell, "Store the plain text 'ID:secret'")
    for name, (spell, says) in (_around() | _inside()).items():
        yield malformed(f"pasted: {name}", spell, says)


def _encoded() -> dict[str, Spell]:
    def of(encode: Callable[[bytes], bytes], form: Callable[[str], str] = str) -> Spell:
        return lambda account: form(encode(account.credentials.encode()).decode())

    def lines(text: str, width: int = 76, end: str = "\n") -> str:
        return end.join(textwrap.wrap(text, width))

    b64 = base64.b64encode
    return {
        "the Base64 form": of(b64),
        "the Base64 form without padding": of(b64, lambda text: text.rstrip("=")),
        "the Base64 form in lines of 76": of(b64, lines),
        "the Base64 form in lines of 64, of Windows": of(b64, lambda text: lines(text, 64, "\r\n")),
        "the Base64 form in lines, without padding": of(b64, lambda text: lines(text.rstrip("="))),
        "the Base64 form for URLs": of(base64.urlsafe_b64encode),
        "the Base64 form of a line": of(lambda pair: b64(pair + b"\n")),
        "the Base64 form of UTF-16": of(lambda pair: b64(pair.decode().encode("utf-16-le"))),
        "the Base64 form of UTF-16 with its mark": of(lambda pair: b64(pair.decode().encode("utf-16"))),
        "the Base64 form of a byte order mark too": of(lambda pair: b64(b"\xef\xbb\xbf" + pair)),
        "the Base64 form in quotes": of(b64, lambda text: f'"{text}"'),
        "the Base64 form with a byte order mark": of(b64, lambda text: f"\ufeff{text}"),
        "the value of a header": of(b64, lambda text: f"Basic {text}"),
        "the value of a header in small letters": of(b64, lambda text: f"basic  {text.rstrip('=')}"),
        "a header": of(b64, lambda text: f"Authorization: Basic {text}"),
        "a header in small letters": of(b64, lambda text: f"authorization:basic {text}"),
        "a header in lines of 76": of(b64, lambda text: lines(f"Authorization: Basic {text}")),
        "a header as JSON has it": of(b64, lambda text: f'"Authorization": "Basic {text}"'),
        "a header as curl has it": of(b64, lambda text: f"-H 'Authorization: Basic {text}'"),
        "a header as shells have it": of(b64, lambda text: f'AUTHORIZATION="Basic {text}"'),
        "a header with the pair itself": lambda account: f"Authorization: Basic {account.credentials}",
        "the pair itself after Basic": lambda account: f"Basic {account.credentials}",
    }


def _around() -> dict[str, tuple[Spell, str]]:
    """What stands before and after the pair."""
    return {
        "a byte order mark read as Windows-1252": _before("ï»¿", "U+00EF (LATIN SMALL LETTER I WITH DIAERESIS)"),
        "a byte order mark read as UTF-16": _before("\ufffe", f"U+FFFE {_CONTROL}"),
        "a no-break space before": _before("\u00a0", "U+00A0 (NO-BREAK SPACE)"),
        "a no-break space after": _after("\u00a0", "U+00A0 (NO-BREAK SPACE)"),
        "a narrow no-break space after": _after("\u202f", "U+202F (NARROW NO-BREAK SPACE)"),
        "an ideographic space before": _before("\u3000", "U+3000 (IDEOGRAPHIC SPACE)"),
        "a zero-width space before": _before("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        "a zero-width space after": _after("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        "a left-to-right mark before": _before("\u200e", "U+200E (LEFT-TO-RIGHT MARK)"),
        "a left-to-right mark after": _after("\u200e", "U+200E (LEFT-TO-RIGHT MARK)"),
        "curly quotes": _before("\u201c", "U+201C (LEFT DOUBLE QUOTATION MARK)", "\u201d"),
        "single curly quotes": _before("\u2018", "U+2018 (LEFT SINGLE QUOTATION MARK)", "\u2019"),
        "low quotes": _before("\u201e", "U+201E (DOUBLE LOW-9 QUOTATION MARK)", "\u201c"),
        "guillemets": _before("«", "U+00AB (LEFT-POINTING DOUBLE ANGLE QUOTATION MARK)", "»"),
        "a line separator after": _after("\u2028", "U+2028 (LINE SEPARATOR)"),
        "a next line after": _after("\x85", f"U+0085 {_CONTROL}"),
        "a bullet": _before("\u2022 ", "U+2022 (BULLET)"),
    }


def _inside() -> dict[str, tuple[Spell, str]]:
    """What stands within the ID or the secret, or in the place of one of their characters."""

    def in_secret(character: str, says: str) -> tuple[Spell, str]:
        def spell(account: Account) -> str:
            return f"{account.client_id}:{account.client_secret[:_HALF]}{character}{account.client_secret[_HALF:]}"

        return spell, f"{says} at position {_HALF + 1} of its secret"

    return {
        "a zero-width joiner": in_secret("\u200d", "U+200D (ZERO WIDTH JOINER)"),
        "a word joiner": in_secret("\u2060", "U+2060 (WORD JOINER)"),
        "a byte order mark inside": in_secret("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        "a soft hyphen": in_secret("\u00ad", "U+00AD (SOFT HYPHEN)"),
        "an en dash": in_secret("\u2013", "U+2013 (EN DASH)"),
        "a minus sign": in_secret("\u2212", "U+2212 (MINUS SIGN)"),
        "an ellipsis": in_secret("\u2026", "U+2026 (HORIZONTAL ELLIPSIS)"),
        "a Cyrillic letter": in_secret("\u0430", "U+0430 (CYRILLIC SMALL LETTER A)"),
        "a fullwidth letter": in_secret("\uff21", "U+FF21 (FULLWIDTH LATIN CAPITAL LETTER A)"),
        "a combining accent": in_secret("\u0301", "U+0301 (COMBINING ACUTE ACCENT)"),
        "a replacement character": in_secret("\ufffd", "U+FFFD (REPLACEMENT CHARACTER)"),
        "a tag": in_secret("\U000e0041", "U+E0041 (TAG LATIN CAPITAL LETTER A)"),
        "a tabulator": in_secret("\t", f"U+0009 {_CONTROL}"),
        "a DEL": in_secret("\x7f", f"U+007F {_CONTROL}"),
        "a fullwidth colon": (lambda account: account.credentials.replace(":", "\uff1a"), "no colon"),
        "UTF-16 read as single bytes": (
            lambda account: account.credentials.encode("utf-16-le").decode("latin-1"),
            f"U+0000 {_CONTROL} at position 2 of its ID",
        ),
        "a zero-width space in the ID, as JSON": (
            lambda account: json.dumps({"id": f"\u200b{account.client_id}", "secret": account.client_secret}),
            "U+200B (ZERO WIDTH SPACE) at position 1 of its ID",
        ),
        "curly quotes in JSON": (
            lambda account: f"{{“id”: “{account.client_id}”, “secret”: “{account.client_secret}”}}",
            "not a JSON object",
        ),
    }


def _before(character: str, says: str, after: str = "") -> tuple[Spell, str]:
    return lambda account: f"{character}{account.credentials}{after}", f"{says} at position 1 of its ID"


def _after(character: str, says: str) -> tuple[Spell, str]:
    # Secrets of the simulator have 64 characters.
    return lambda account: f"{account.credentials}{character}", f"{says} at position 65 of its secret"
