"""Style sheets, modules and icons, in a folder whose name changes with their content: browsers keep them for ever.

Modules import each other by relative names, so the folder carries the version for all of them.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

_TYPES = {"css": "text/css", "svg": "image/svg+xml", "js": "text/javascript"}
_FAVICON = "favicon.svg"
_FAVICON_FILL = "#0b6e8f"
_COLOURS = {
    "blue": _FAVICON_FILL,
    "green": "#1b6e37",
    "amber": "#a86400",
    "red": "#b3261e",
    "violet": "#5b46b0",
    "grey": "#56636d",
}


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """Return the files by name: content and type; the icon of the site once for each colour of a fleet."""
    found = {}
    for file in (files("riverrun_admin") / "static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            found[file.name] = (file.read_bytes(), kind)
    icon, kind = found.pop(_FAVICON)
    for name, fill in _COLOURS.items():
        found[f"favicon-{name}.svg"] = (icon.replace(_FAVICON_FILL.encode(), fill.encode()), kind)
    return found


@cache
def version() -> str:
    """Return 12 hexadecimal digits that change when any file does."""
    digest = hashlib.sha256()
    for name, (content, _) in sorted(static_files().items()):
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


@cache
def modules() -> tuple[str, ...]:
    """Return the names of the modules, which a page asks for at once instead of one after the other."""
    return tuple(sorted(name for name in static_files() if name.endswith(".js")))
