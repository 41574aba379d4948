"""What a model's card says, for people: the figures first and in words, and what is for programs alone left out."""

from __future__ import annotations

from collections.abc import Mapping

from .texts import describe_time

_FIRST = {
    "base": "Base",
    "set_name": "Set",
    "characters": "Characters",
    "animations": "Animations",
    "steps": "Steps",
    "seconds": "Trained for",
    "before": "Held out, before",
    "best": "Held out, now",
    "tokens_kept": "Tokens kept",
    "date": "Date",
}
"""Names that `bitpuppet train` writes, and what they are called here, in this order."""
_SHARES = ("before", "best", "tokens_kept")


def list_facts(facts: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs of a name and its value, as they are shown one under the other."""
    named = {name: label for name, label in _FIRST.items() if name in facts}
    others = {name: name.replace("_", " ").capitalize() for name in sorted(facts) if name not in _FIRST}
    return [
        (label, _describe(name, facts[name]))
        for name, label in (named | others).items()
        if not name.endswith("_digest") and not (name == "data" and facts[name] == facts.get("set_name"))
    ]


def _describe(name: str, value: object) -> str:
    if name == "date":
        return str(value)[:16].replace("T", " ")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if name in _SHARES:
        return f"{value:.1%}"
    if name == "seconds":
        return describe_time(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
