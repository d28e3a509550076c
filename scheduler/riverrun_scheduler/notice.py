"""A notice as each kind of channel wants it: the address, the headers and the body, with a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from urllib.parse import quote_plus

from riverrun.settings.notifications import ChannelSettings


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is told: one sentence, and the same for programs."""

    rule: str
    event: str
    subject: str
    sentence: str
    server_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A request to make, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def message(notice: Notice, channel: ChannelSettings, *, now: float | None = None) -> Message:
    """Return the request that tells ``notice`` over ``channel``, which is any but e-mail."""
    moment = time.time() if now is None else now
    url = channel.url.get_secret_value()
    secret = channel.secret.get_secret_value() if channel.secret else None
    text = f"[Riverrun {notice.server_id}] {notice.sentence}"
    match channel.type:
        case "dingtalk":
            return _request(_signed_for_dingtalk(url, secret, moment), {"msgtype": "text", "text": {"content": text}})
        case "wecom":
            return _request(url, {"msgtype": "text", "text": {"content": text}})
        case "feishu":
            body = {"msg_type": "text", "content": {"text": text}}
            return _request(url, {**body, **_signature_of_feishu(secret, moment)})
        case _:
            return _webhook(notice, url, secret, moment)


def mail(notice: Notice, channel: ChannelSettings) -> EmailMessage:
    """Return the e-mail that tells ``notice``; what a stranger chose stands in no header."""
    letter = EmailMessage()
    letter["Subject"] = f"[Riverrun {notice.server_id}] {notice.event}"
    letter["From"] = channel.sender
    letter["To"] = ", ".join(channel.to)
    letter.set_content(f"{notice.sentence}\n\n{notice.subject}\n{notice.at.isoformat(timespec='seconds')}\n")
    return letter


def _webhook(notice: Notice, url: str, secret: str | None, moment: float) -> Message:
    document = {
        "rule": notice.rule,
        "event": notice.event,
        "subject": notice.subject,
        "message": notice.sentence,
        "server_id": notice.server_id,
        "at": notice.at.isoformat(timespec="milliseconds"),
    }
    request = _request(url, document)
    if secret is None:
        return request
    signed = f"{int(moment)}.".encode() + request.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    stamped = {"Riverrun-Timestamp": str(int(moment)), "Riverrun-Signature": f"sha256={digest}"}
    return Message(url, {**request.headers, **stamped}, request.body)


def _signed_for_dingtalk(url: str, secret: str | None, moment: float) -> str:
    if secret is None:
        return url
    stamp = str(int(moment * 1000))
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}timestamp={stamp}&sign={quote_plus(base64.b64encode(digest))}"


def _signature_of_feishu(secret: str | None, moment: float) -> dict[str, str]:
    if secret is None:
        return {}
    stamp = str(int(moment))
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": stamp, "sign": base64.b64encode(digest).decode()}


def _request(url: str, document: Mapping[str, object]) -> Message:
    body = json.dumps(document, ensure_ascii=False).encode()
    return Message(url, {"Content-Type": "application/json; charset=utf-8"}, body)
