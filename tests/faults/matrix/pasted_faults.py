"""Rows of the matrix: what operators paste along with credentials. Nothing is sent, and the error names the fix."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable, Iterator

from faults.matrix.credentials_faults import Text, malformed
from faults.matrix.faults import Fault

_CONTROL = "(a control character or line break)"


def _base64(encode: Callable[[str], bytes]) -> Text:
    return lambda pair: base64.b64encode(encode(pair)).decode()


def _lines(form: str, width: int = 76, end: str = "\n") -> Text:
    def wrapped(pair: str) -> str:
        encoded = base64.b64encode(pair.encode()).decode()
        return end.join(textwrap.wrap(form.replace("BASE64", encoded).replace("UNPADDED", encoded.rstrip("=")), width))

    return wrapped


_ENCODED: dict[str, Text] = {
    "the Base64 form": "BASE64",
    "the Base64 form without padding": "UNPADDED",
    "the Base64 form in lines of 76": _lines("BASE64"),
    "the Base64 form in lines of 64, of Windows": _lines("BASE64", 64, "\r\n"),
    "the Base64 form in lines, without padding": _lines("UNPADDED"),
    "the Base64 form for URLs": lambda pair: base64.urlsafe_b64encode(pair.encode()).decode(),
    "the Base64 form of a line": _base64(lambda pair: f"{pair}\n".encode()),
    "the Base64 form of UTF-16": _base64(lambda pair: pair.encode("utf-16-le")),
    "the Base64 form of UTF-16 with its mark": _base64(lambda pair: pair.encode("utf-16")),
    "the Base64 form of a byte order mark too": _base64(lambda pair: f"\ufeff{pair}".encode()),
    "the Base64 form in quotes": '"BASE64"',
    "the Base64 form with a byte order mark": "\ufeffBASE64",
    "the value of a header": "Basic BASE64",
    "the value of a header in small letters": "basic  UNPADDED",
    "a header": "Authorization: Basic BASE64",
    "a header in small letters": "authorization:basic BASE64",
    "a header in lines of 76": _lines("Authorization: Basic BASE64"),
    "a header as JSON has it": '"Authorization": "Basic BASE64"',
    "a header as curl has it": "-H 'Authorization: Basic BASE64'",
    "a header as shells have it": 'AUTHORIZATION="Basic BASE64"',
    "a header with the pair itself": "Authorization: Basic ID:SECRET",
    "the pair itself after Basic": "Basic ID:SECRET",
}
_AROUND = {
    "a byte order mark read as Windows-1252": ("ï»¿ID:SECRET", "U+00EF (LATIN SMALL LETTER I WITH DIAERESIS)"),
    "a byte order mark read as UTF-16": ("\ufffeID:SECRET", f"U+FFFE {_CONTROL}"),
    "a no-break space before": ("\u00a0ID:SECRET", "U+00A0 (NO-BREAK SPACE)"),
    "a no-break space after": ("ID:SECRET\u00a0", "U+00A0 (NO-BREAK SPACE)"),
    "a narrow no-break space after": ("ID:SECRET\u202f", "U+202F (NARROW NO-BREAK SPACE)"),
    "an ideographic space before": ("\u3000ID:SECRET", "U+3000 (IDEOGRAPHIC SPACE)"),
    "a zero-width space before": ("\u200bID:SECRET", "U+200B (ZERO WIDTH SPACE)"),
    "a zero-width space after": ("ID:SECRET\u200b", "U+200B (ZERO WIDTH SPACE)"),
    "a left-to-right mark before": ("\u200eID:SECRET", "U+200E (LEFT-TO-RIGHT MARK)"),
    "a left-to-right mark after": ("ID:SECRET\u200e", "U+200E (LEFT-TO-RIGHT MARK)"),
    "curly quotes": ("\u201cID:SECRET\u201d", "U+201C (LEFT DOUBLE QUOTATION MARK)"),
    "single curly quotes": ("\u2018ID:SECRET\u2019", "U+2018 (LEFT SINGLE QUOTATION MARK)"),
    "low quotes": ("\u201eID:SECRET\u201c", "U+201E (DOUBLE LOW-9 QUOTATION MARK)"),
    "guillemets": ("«ID:SECRET»", "U+00AB (LEFT-POINTING DOUBLE ANGLE QUOTATION MARK)"),
    "a line separator after": ("ID:SECRET\u2028", "U+2028 (LINE SEPARATOR)"),
    "a next line after": ("ID:SECRET\x85", f"U+0085 {_CONTROL}"),
    "a bullet": ("\u2022 ID:SECRET", "U+2022 (BULLET)"),
}
_INSIDE = {
    "a zero-width joiner": ("\u200d", "U+200D (ZERO WIDTH JOINER)"),
    "a word joiner": ("\u2060", "U+2060 (WORD JOINER)"),
    "a byte order mark inside": ("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    "a soft hyphen": ("\u00ad", "U+00AD (SOFT HYPHEN)"),
    "an en dash": ("\u2013", "U+2013 (EN DASH)"),
    "a minus sign": ("\u2212", "U+2212 (MINUS SIGN)"),
    "an ellipsis": ("\u2026", "U+2026 (HORIZONTAL ELLIPSIS)"),
    "a Cyrillic letter": ("\u0430", "U+0430 (CYRILLIC SMALL LETTER A)"),
    "a fullwidth letter": ("\uff21", "U+FF21 (FULLWIDTH LATIN CAPITAL LETTER A)"),
    "a combining accent": ("\u0301", "U+0301 (COMBINING ACUTE ACCENT)"),
    "a replacement character": ("\ufffd", "U+FFFD (REPLACEMENT CHARACTER)"),
    "a tag": ("\U000e0041", "U+E0041 (TAG LATIN CAPITAL LETTER A)"),
    "a tabulator": ("\t", f"U+0009 {_CONTROL}"),
    "a DEL": ("\x7f", f"U+007F {_CONTROL}"),
}
_OTHERS: dict[str, tuple[Text, str]] = {
    "a fullwidth colon": ("ID\uff1aSECRET", "no colon"),
    "UTF-16 read as single bytes": (
        lambda pair: pair.encode("utf-16-le").decode("latin-1"),
        f"U+0000 {_CONTROL} at position 2 of its ID",
    ),
    "a zero-width space in the ID, as JSON": (
        '{"id": "\\u200bID", "secret": "SECRET"}',
        "U+200B (ZERO WIDTH SPACE) at position 1 of its ID",
    ),
    "curly quotes in JSON": ("{“id”: “ID”, “secret”: “SECRET”}", "not a JSON object"),
}


def rows() -> Iterator[Fault]:
    for name, text in _ENCODED.items():
        yield malformed(f"pasted: {name}", text, "Store the plain text 'ID:secret'")
    for name, (value, says) in _AROUND.items():
        # Secrets of the simulator have 64 characters.
        where = "65 of its secret" if value.startswith("ID") else "1 of its ID"
        yield malformed(f"pasted: {name}", value, f"{says} at position {where}")
    for name, (character, says) in _INSIDE.items():
        yield malformed(f"pasted: {name}", f"ID:BEGIN{character}END", f"{says} at position 10 of its secret")
    for name, (other, says) in _OTHERS.items():
        yield malformed(f"pasted: {name}", other, says)
