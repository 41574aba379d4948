"""The motion prior: what it knows of time, groups and goals, and how it draws."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.prior import MAX_AT_ONCE, MotionPrior, PriorSizes, draw_codewords
from bitpuppet.model.prior_weights import find_prior, load_prior, save_prior

SIZES = PriorSizes(3, 5, width=16, blocks=1, heads=2, window=6, reach=4)


@pytest.fixture(scope="module")
def prior() -> MotionPrior:
    torch.manual_seed(0)
    prior = MotionPrior(SIZES).eval().requires_grad_(False)
    for parameter in prior.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.3)  # so that everything matters
    return prior


def draw_tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(SIZES.codewords, (*shape, SIZES.groups), generator=torch.Generator().manual_seed(seed))


def test_frames_know_the_past_alone(prior: MotionPrior) -> None:
    tokens, goal, left = draw_tokens(2, 6), draw_tokens(2), torch.zeros(2, 6, dtype=torch.int64)
    known = prior(tokens, goal, left)
    assert known.shape == (2, 6, 16)
    changed = tokens.clone()
    changed[:, 4] = (changed[:, 4] + 1) % SIZES.codewords
    after = prior(changed, goal, left)
    torch.testing.assert_close(after[:, :4], known[:, :4])
    assert (after[:, 4:] - known[:, 4:]).abs().amax(dim=-1).min() > 1e-3


def test_groups_know_the_groups_before_them(prior: MotionPrior) -> None:
    known, drawn = torch.randn(2, 16), draw_tokens(2)
    logits = prior.score_groups(known, drawn)
    assert logits.shape == (2, 3, 5)
    changed = drawn.clone()
    changed[:, 1] = (changed[:, 1] + 1) % SIZES.codewords
    after = prior.score_groups(known, changed)
    torch.testing.assert_close(after[:, :2], logits[:, :2])
    assert (after[:, 2] - logits[:, 2]).abs().max() > 1e-3


def test_goal_counts_where_frames_are_left(prior: MotionPrior) -> None:
    tokens, left = draw_tokens(1, 4), torch.tensor([[3, 2, 1, 0]])
    one, other = (prior(tokens, draw_tokens(1, seed=seed), left) for seed in (1, 2))
    assert (one[:, 0] - other[:, 0]).abs().max() > 1e-3
    none = torch.zeros_like(left)
    torch.testing.assert_close(*(prior(tokens, draw_tokens(1, seed=seed), none) for seed in (1, 2)), rtol=0, atol=0)


def test_bits_are_those_of_the_distribution_that_is_drawn_from(prior: MotionPrior) -> None:
    tokens, left = draw_tokens(1, 3), torch.zeros(1, 2, dtype=torch.int64)
    total = 0.0
    for code in range(SIZES.codewords**SIZES.groups):
        last = torch.tensor([code // SIZES.codewords**group % SIZES.codewords for group in range(SIZES.groups)])
        whole = torch.cat([tokens[:, :2], last[None, None]], dim=1)
        total += 2 ** -float(prior.count_bits(whole, tokens[:, 0], left)[0, -1])
    assert total == pytest.approx(1, abs=1e-4)
    goal = tokens[0, 2].numpy()
    bits = float(prior.count_bits(tokens, tokens[:, 0], left)[0, -1])
    assert prior.measure_arrival(tokens[0, :2].numpy(), goal) == pytest.approx(bits, abs=1e-4)


def test_what_is_drawn_is_what_the_bits_promise(prior: MotionPrior) -> None:
    past = draw_tokens(2).numpy()
    drawn = np.concatenate(
        [
            prior.continue_motion(past, 1, seeds=[(number, batch) for number in range(MAX_AT_ONCE)])[:, 0]
            for batch in range(20)
        ]
    )
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    best = found[counts.argmax()]
    share = counts.max() / len(drawn)
    assert share == pytest.approx(2 ** -prior.measure_arrival(past, best), abs=0.05)


def test_seed_alone_decides_a_continuation(prior: MotionPrior) -> None:
    past = draw_tokens(9).numpy()
    both = prior.continue_motion(past, 8, seeds=[3, 4])
    assert both.shape == (2, 8, 3)
    np.testing.assert_array_equal(prior.continue_motion(past, 8, seeds=[4])[0], both[1])
    assert not np.array_equal(both[0], both[1])


def test_only_the_window_is_looked_at(prior: MotionPrior) -> None:
    past = draw_tokens(40).numpy()
    whole = prior.continue_motion(past, 5, seeds=[1])
    np.testing.assert_array_equal(prior.continue_motion(past[-SIZES.window :], 5, seeds=[1]), whole)


def test_low_temperature_and_small_top_p_draw_the_likeliest(prior: MotionPrior) -> None:
    past = draw_tokens(4).numpy()
    cold = prior.continue_motion(past, 3, temperature=1e-300, seeds=[1, 2])
    np.testing.assert_array_equal(cold[0], cold[1])
    narrow = prior.continue_motion(past, 3, top_p=1e-9, seeds=[5])
    np.testing.assert_array_equal(narrow[0], cold[0])


def test_callback_can_cancel(prior: MotionPrior) -> None:
    seen: list[tuple[int, int]] = []

    def stop(frame: int, frames: int) -> None:
        seen.append((frame, frames))
        if frame == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prior.continue_motion(draw_tokens(2).numpy(), 5, callback=stop)
    assert seen == [(1, 5), (2, 5)]


@pytest.mark.parametrize(
    "options",
    [{"frames": 0}, {"temperature": 0.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"seeds": []}, {"temperature": float("nan")}],
)
def test_arguments_out_of_range(prior: MotionPrior, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"frames to continue|must be above 0"):
        prior.continue_motion(draw_tokens(2).numpy(), **({"frames": 2} | options))  # type: ignore[arg-type]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-50, 50), min_size=1, max_size=9),
    st.floats(0, 1, exclude_max=True),
    st.floats(1e-3, 10),
    st.floats(1e-6, 1),
)
def test_codewords_are_drawn_from_the_smallest_set_that_is_likely_enough(
    logits: list[float], share: float, temperature: float, top_p: float
) -> None:
    array = np.array([logits])
    (code,) = draw_codewords(array, np.array([share]), temperature, top_p)
    weights = np.exp((array[0] - array[0].max()) / temperature)
    likelier = weights[weights > weights[code]].sum() / weights.sum()
    assert likelier < top_p * (1 + 1e-9)


def test_shares_reach_every_codeword_in_proportion() -> None:
    logits = np.log(np.array([[0.2, 0.5, 0.3]]))
    shares = (np.arange(1000) + 0.5) / 1000
    drawn = draw_codewords(np.repeat(logits, 1000, axis=0), shares, 1.0, 1.0)
    assert np.bincount(drawn).tolist() == [200, 500, 300]
    kept = draw_codewords(np.repeat(logits, 1000, axis=0), shares, 1.0, 0.6)
    assert np.bincount(kept, minlength=3).tolist() == [0, 625, 375]


def test_broken_prior_is_told(prior: MotionPrior) -> None:
    with pytest.raises(BitpuppetError, match="the motion prior drew no numbers; name another --prior"):
        draw_codewords(np.array([[np.nan, 1.0]]), np.array([0.5]), 1.0, 1.0)


TINY = PRESETS["tiny"]


@pytest.fixture(scope="module")
def model() -> BitrateControlledDiffusion:
    torch.manual_seed(0)
    model = BitrateControlledDiffusion(TINY)
    state = {name: value.bfloat16().float() for name, value in model.state_dict().items() if value.is_floating_point()}
    model.load_state_dict(model.state_dict() | state)
    return model


@pytest.fixture(scope="module")
def saved(model: BitrateControlledDiffusion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("prior") / "tiny-prior.safetensors"
    torch.manual_seed(1)
    sizes = PriorSizes(TINY.groups, TINY.codewords, width=16, blocks=1, heads=2, window=6, reach=4)
    save_prior(path, MotionPrior(sizes), model, {"steps": "0"})
    return path


def test_saved_prior_is_read_again(model: BitrateControlledDiffusion, saved: Path) -> None:
    prior = load_prior(model, saved)
    assert (prior.sizes.window, prior.sizes.groups) == (6, TINY.groups)
    state = load_file(saved)
    assert {value.dtype for value in state.values()} == {torch.bfloat16}
    for name, value in prior.state_dict().items():
        torch.testing.assert_close(value, state[name].float())
    assert not any(parameter.requires_grad for parameter in prior.parameters())
    assert [file.name for file in saved.parent.iterdir()] == [saved.name]


def test_shipped_name_is_told_where_there_is_none(model: BitrateControlledDiffusion) -> None:
    assert find_prior("tiny").name == "tiny-prior.safetensors"
    with pytest.raises(BitpuppetError, match=r"no motion prior for preset tiny here; name one with --prior or train"):
        load_prior(model)


Header = dict[str, str]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda header: header | {"prior_of": "sprite64"}, "a motion prior of preset sprite64, not of tiny"),
        (lambda header: header | {"codebooks": "00"}, "a motion prior of other weights of preset tiny; train one"),
        (
            lambda header: header | {"sizes": json.dumps(json.loads(header["sizes"]) | {"groups": 9})},
            f"of 9 groups of {TINY.codewords} codewords, the model has {TINY.groups} of {TINY.codewords}",
        ),
        (
            lambda header: header | {"sizes": json.dumps(json.loads(header["sizes"]) | {"width": 4096, "blocks": 64})},
            "tensors do not fit",
        ),
        (
            lambda header: header | {"sizes": json.dumps(json.loads(header["sizes"]) | {"width": 1 << 40})},
            "width is 1099511627776, it must be from 1 to 4096",
        ),
        (lambda header: header | {"sizes": '{"new": 1}'}, "not a readable motion prior"),
        (lambda header: header | {"sizes": "[]"}, "not a readable motion prior"),
        (lambda header: header | {"sizes": "{"}, "not a readable motion prior"),
        (lambda header: {"preset": "{}"}, "not a readable motion prior"),
    ],
)
def test_prior_of_something_else(
    model: BitrateControlledDiffusion, saved: Path, tmp_path: Path, change: Callable[[Header], Header], match: str
) -> None:
    with safe_open(saved, framework="pt") as file:
        header = file.metadata()
    path = tmp_path / "bad.safetensors"
    save_file(load_file(saved), path, change(header))
    with pytest.raises(BitpuppetError, match=match) as info:
        load_prior(model, path)
    assert str(info.value).startswith(f"{path}: ")


@pytest.mark.parametrize("spoil", [lambda data: b"", lambda data: data[:100], lambda data: data[:-1]])
def test_damaged_prior(
    model: BitrateControlledDiffusion, saved: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(spoil(saved.read_bytes()))
    with pytest.raises(BitpuppetError, match="not a readable motion prior of bitpuppet"):
        load_prior(model, path)


def test_prior_that_cannot_be_written_leaves_nothing(model: BitrateControlledDiffusion, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="cannot be written"):
        save_prior(tmp_path / "missing" / "p.safetensors", MotionPrior(SIZES), model)
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(BitpuppetError, match="cannot be written"):
        save_prior(tmp_path / "folder.safetensors", MotionPrior(SIZES), model)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.safetensors"]
