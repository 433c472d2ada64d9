"""Merges Celery's settings into one dictionary and refuses a name that Celery does not know."""

import difflib
import json
from collections.abc import Mapping
from types import FunctionType, ModuleType
from typing import Any

from celery.app.defaults import SETTING_KEYS

ENVIRONMENT_PREFIX = "CELERYCONFIG_"
_REDBEAT_KEYS = {
    "redbeat_key_prefix",
    "redbeat_lock_key",
    "redbeat_lock_timeout",
    "redbeat_redis_options",
    "redbeat_redis_url",
    "redbeat_redis_use_ssl",
}
_UNLISTED = {"redis_backend_health_check_interval"}  # read by celery/backends/redis.py, missing in its list
_OURS = {"worker_coroutines"}
KNOWN = frozenset(SETTING_KEYS | _REDBEAT_KEYS | _UNLISTED | _OURS)


class UnknownSetting(ValueError):
    """A setting's name is misspelt; Celery itself would ignore it in silence."""


def merge(*layers: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merge layers of settings; a later layer outranks an earlier one.

    One dictionary, because settings that Celery gets by different ways outrank each other in ways nobody expects.

    Args:
        layers: pairs of where the layer comes from (for the error) and its settings.

    Returns:
        The merged settings. Values that are dictionaries in both layers are merged key by key, so that a service
        can change one transport option and keep the others.

    Raises:
        UnknownSetting: a name is no setting of Celery, RedBeat or this library; the error names the nearest ones.
    """
    merged: dict[str, Any] = {}
    for source, settings in layers:
        for name, value in settings.items():
            _refuse_unknown(name, source)
            both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
            merged[name] = {**merged[name], **value} if both else value
    return merged


def from_module(module: ModuleType) -> dict[str, Any]:
    """Settings of a `celeryconfig` module: its public names but for what it imported or defined as code."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, (ModuleType, type, FunctionType))
    }


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Settings named `CELERYCONFIG_<SETTING>`, such as `CELERYCONFIG_WORKER_CONCURRENCY=4`; JSON or plain text."""
    return {
        name.removeprefix(ENVIRONMENT_PREFIX).lower(): _value(text)
        for name, text in environment.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    }


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _refuse_unknown(name: str, source: str) -> None:
    if name in KNOWN:
        return
    near = difflib.get_close_matches(name.lower(), sorted(KNOWN), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see Celery's configuration reference."
    raise UnknownSetting(f"{source}: {name!r} is no Celery setting; {hint}")
