"""Why an account of its own: PostgreSQL refuses to run as root, so a root daemon lends its server another identity."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from riverrun.errors import ConfigError

ACCOUNT = "riverrun"
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Identity:
    """The identity of a child process, in the words of `subprocess`; all ``None`` keeps that of this process."""

    user: int | None = None
    group: int | None = None
    extra_groups: tuple[int, ...] | None = None

    @property
    def owner(self) -> int:
        """User id that the child's files belong to."""
        return os.geteuid() if self.user is None else self.user

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run ``command`` to its end, within a minute, with a bare environment, and return what it printed.

        The environment is bare because PGDATA, LANG and their like would change what PostgreSQL's programs do.
        """
        return subprocess.run(
            command,
            user=self.user,
            group=self.group,
            extra_groups=self.extra_groups,
            cwd="/",
            env=BARE_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )

    def can_enter(self, folder: Path) -> bool:
        """Return whether this identity may pass through all parents of ``folder`` and into it."""
        return self.user is None or self.run(["/bin/sh", "-c", 'cd "$0"', str(folder)]).returncode == 0


BARE_ENVIRONMENT = {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"}


def server_identity() -> Identity:
    """Return whom the embedded server runs as: this user, or for root the account `riverrun`, made when missing.

    Raises:
        ConfigError: This process is root, and the account neither exists nor can be made.
    """
    if os.geteuid() != 0:
        return Identity()
    account = _account() or _make_account()
    return Identity(user=account.pw_uid, group=account.pw_gid, extra_groups=())


def _account() -> pwd.struct_passwd | None:
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return None
    if account.pw_uid == 0:
        raise ConfigError([f"the account {ACCOUNT} is root; PostgreSQL needs one that is not"])
    return account


def _make_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path=_SYSTEM_PATH)
    reason = "this system has no useradd"
    if useradd is not None:
        options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        done = Identity().run([useradd, *options, "--shell", "/bin/false", ACCOUNT])
        account = _account()  # another process may have been faster, so the exit code alone decides nothing
        if account is not None:
            return account
        reason = done.stderr.strip() or f"useradd ended with code {done.returncode}"
    problem = (
        f"PostgreSQL cannot run as root, and the system account {ACCOUNT} could not be created ({reason}); "
        "create it, run as another user, or name a database with DATABASE_URL"
    )
    raise ConfigError([problem])
