"""Hides what looks like a secret in a finished log line: the second wall, behind never logging one.

Every repetition is bounded, so that no text of a stranger makes a pattern slow.
"""

from __future__ import annotations

import re

HIDDEN = "***"

SENSITIVE_FIELDS = frozenset({"args", "task_params", "payload", "password", "token", "secret", "dsn", "database_url"})
"""Fields of a log record whose whole value is hidden."""

# A password in a database URL may hold any character, an unescaped @ or / too.
_DATABASE_URL = re.compile(r"(postgres(?:ql)?://[^\s:/@\"]{0,256}:)[^\s\"]{0,512}@")
_URL = re.compile(r"(://[^\s:/@\"]{0,256}:)[^\s/@\"]{1,512}@")
_AUTHORIZATION = re.compile(r"(?i)\b(bearer|basic)\s{1,3}[\w.~+/=-]{8,}")
_NAMED = re.compile(
    r"""(?ix)
    ( (?: password | passwd | pwd | secret | token | api_?key ) (?P<name_quote> \\?["'] )? \s{0,3} [=:] \s{0,3} )
    (?: (?P<json_in_json> \\" ) (?: \\\\\\?. | (?!\\"). ){0,1024} (?: \\" )?
      | (?P<double> " )         (?: [^"\\] | \\. ){0,1024} "?
      | (?P<single> ' )         (?: [^'\\] | \\. ){0,1024} '?
      | [^\s"'&,;(){}\[\]\\]+ )
    """
)


def hide_secrets(text: str) -> str:
    """Return ``text`` with passwords and tokens replaced by ``***``; JSON stays JSON."""
    text = _DATABASE_URL.sub(rf"\1{HIDDEN}@", text)
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    text = _AUTHORIZATION.sub(rf"\1 {HIDDEN}", text)
    return _NAMED.sub(_hide_named, text)


def _hide_named(found: re.Match[str]) -> str:
    quote = found["json_in_json"] or found["double"] or found["single"] or found["name_quote"] or ""
    return f"{found[1]}{quote}{HIDDEN}{quote}"
