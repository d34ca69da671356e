"""What the catalogue says agrees with itself."""

import re

import pytest

from slmmux.local import CATALOGUE, HUB_MODELS, TRIO, listing, weights

_HASH = re.compile(r"[0-9a-f]{64}")


@pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE)
def test_the_parts_make_the_whole(model):
    """The sizes of the parts add up to the model's, and every hash and revision is a whole one."""
    assert sum(part.size for part in model.parts) == model.size
    assert _HASH.fullmatch(model.sha256)
    assert all(_HASH.fullmatch(part.sha256) for part in model.parts)
    assert model.hub is None or re.fullmatch(r"[0-9a-f]{40}", model.hub.revision)


@pytest.mark.parametrize("model", CATALOGUE.values(), ids=CATALOGUE)
def test_no_wheel_stands_twice(model):
    """Each part is a package of its own and a file of its own, numbered upwards: their order is the order of joining."""
    numbers = [int((re.search(r"part(\d+)$", part.package) or [0, 0])[1]) for part in model.parts]
    assert numbers == sorted(set(numbers))
    assert len({part.sha256 for part in model.parts}) == len(model.parts)


def test_a_base_model_has_a_template_and_its_stop():
    """Gemma-3-270M brings no chat template, so the catalogue has one, with where its answers end."""
    gemma = CATALOGUE["gemma-3-270m"]
    assert "Question: " in gemma.chat_template
    assert gemma.stop == ("\n", "Question:")


def test_the_listing_says_what_is_here(tmp_path):
    """`slmmux models` shows every model once, and a file of the right size counts as here, one of another does not."""
    assert [entry.path for entry in listing()] == [None] * len(CATALOGUE)
    small, *_ = CATALOGUE.values()
    folder = tmp_path / "cache" / "models"
    folder.mkdir(parents=True)
    with (folder / small.filename).open("wb") as file:
        file.truncate(small.size)
    assert [entry.name for entry in listing() if entry.path] == [small.name]
    with (folder / small.filename).open("wb") as file:
        file.truncate(small.size - 1)
    assert [entry.name for entry in listing() if entry.path] == []


def test_models_on_the_hub_are_named_apart():
    """Each has an address that `fetch` takes, a name that is no other model's, and the trio is of three of them."""
    assert not {*HUB_MODELS} & {*CATALOGUE}
    assert all(weights._HUB_SPEC.fullmatch(model.spec) for model in HUB_MODELS.values())
    assert len({HUB_MODELS[name].spec.partition("/")[0] for name in TRIO}) == 3
