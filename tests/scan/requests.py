"""Requests, with the options of all their records side by side."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from landscape.scan.request import Request


def asked(**options: Any) -> Request:
    """A request with some options, each in the record that has it."""
    return but(Request(), **options)


def but(request: Request, **options: Any) -> Request:
    """The same request with other options."""
    for name in ("plane", "grid", "evaluation"):
        record = getattr(request, name)
        own = [field.name for field in fields(record) if field.name in options]
        changed = replace(record, **{key: options.pop(key) for key in own})
        request = replace(request, **{name: changed})
    return replace(request, **options)
