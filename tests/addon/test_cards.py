"""What a model's card says."""

from __future__ import annotations

from bitpuppet_addon.core.cards import list_facts

FACTS = {
    "animations": 56,
    "base": "sprite64",
    "base_digest": "09ec0d248e4e6725",
    "before": 0.31326,
    "best": 0.5836,
    "characters": "scout, monk",
    "data": "ninjas",
    "date": "2026-11-28T09:08:32+00:00",
    "learning_rate": 0.00012341,
    "seconds": 1469,
    "set_digest": "f77a688e34c649f4",
    "set_name": "ninjas",
    "steps": 800,
    "tokens_kept": 0.9731,
}


def test_figures_are_told_in_words_and_digests_left_out() -> None:
    assert list_facts(FACTS) == [
        ("Base", "sprite64"),
        ("Set", "ninjas"),
        ("Characters", "scout, monk"),
        ("Animations", "56"),
        ("Steps", "800"),
        ("Trained for", "24 min 29 s"),
        ("Held out, before", "31.3%"),
        ("Held out, now", "58.4%"),
        ("Tokens kept", "97.3%"),
        ("Date", "2026-11-28 09:08"),
        ("Learning rate", "0.0001234"),
    ]


def test_card_of_a_model_that_was_not_tuned_keeps_what_it_says() -> None:
    assert list_facts({"steps": "60000", "data": "lpc", "ema": True, "loss": None}) == [
        ("Steps", "60000"),
        ("Data", "lpc"),
        ("Ema", "True"),
        ("Loss", "None"),
    ]
