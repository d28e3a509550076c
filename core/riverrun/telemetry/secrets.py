"""Hides what looks like a secret in a finished log line: the second wall, behind never logging one."""

from __future__ import annotations

import re

HIDDEN = "***"

SENSITIVE_FIELDS = frozenset({"args", "task_params", "payload", "password", "token", "secret", "dsn", "database_url"})
"""Fields of a log record whose whole value is hidden."""

_NAMES = "password | passwd | pwd | secret | token | api_?key"
_QUOTED = r""" \\?"(?:[^"\\]|\\[^"])*\\?" | '(?:[^'\\]|\\.)*' """
_PATTERNS = (
    # A password in a database URL may hold any character, an unescaped @ or / too.
    (re.compile(r"(postgres(?:ql)?://[^\s:/@\"]*:)[^\s\"]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(://[^\s:/@\"]*:)[^\s/@\"]+@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+(?!\*\*\*)[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            rf"""(?ix) \b ( [\w-]* (?: {_NAMES} ) (?: \\?["'] )? \s* [=:] \s* ) (?: {_QUOTED} | [^\s"'&,;)}}\]\\]+ )"""
        ),
        rf"\1{HIDDEN}",
    ),
)


def hide_secrets(text: str) -> str:
    """Return ``text`` with passwords and tokens replaced by ``***``."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
