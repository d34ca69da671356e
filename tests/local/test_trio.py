"""`slmmux models trio`: three models from a hub, here one on loopback, and a `mux.toml` of them."""

import pytest
from typer.testing import CliRunner

from slmmux.cli import app
from slmmux.config import load_config
from slmmux.local import HUB_MODELS, TRIO, ModelNotFoundError, fetch


def run(*words):
    """Run the command, and return its exit code and its output, also of errors."""
    result = CliRunner().invoke(app, ["models", "trio", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def place_of(name):
    """Return the repository and the file of a model on the hub."""
    owner, repo, file = HUB_MODELS[name].spec.removeprefix("hf:").split("/")
    return f"{owner}/{repo}", file


def test_one_command_sets_up_a_trio(hub, gguf, tmp_path):
    """The three files are fetched and checked, and the configuration that is written names them and can be loaded."""
    for name in TRIO:
        hub.add(*place_of(name), gguf())
    out = tmp_path / "mux.toml"
    code, output = run("--out", out)
    assert code == 0, output
    assert "slmmux ask QUESTION" in output
    config = load_config(out)
    assert {label: member.local for label, member in config.models.items()} == {name: name for name in TRIO}
    for name in TRIO:
        assert fetch(name, offline=True).is_file()
    assert run("--out", out)[0] == 2  # an existing file is not replaced


def test_other_models_can_be_named(hub, gguf, tmp_path):
    """Names and addresses of one's own are taken, and a member is labelled by its file."""
    hub.add("maker/model", "own.gguf", gguf())
    out = tmp_path / "mux.toml"
    assert run("--names", "hf:maker/model/own.gguf", "--out", out)[0] == 0
    assert list(load_config(out).models) == ["own"]


def test_without_the_hub_nothing_is_written(tmp_path, closed, monkeypatch):
    """Where the hub cannot be reached, the command says so, and leaves no configuration of models that are not here."""
    monkeypatch.setenv("HF_ENDPOINT", closed)
    out = tmp_path / "mux.toml"
    code, output = run("--out", out)
    assert code == 1
    assert "cannot be fetched" in output
    assert not out.exists()


@pytest.mark.parametrize(("words", "sentence"), [(("--names", ","), "has no name"), (("--names", "qwen3"), "qwen3-4b")])
def test_names_that_are_none_are_said(tmp_path, words, sentence):
    """No name at all, and one that is unknown, are refused with what to write."""
    code, output = run(*words, "--out", tmp_path / "mux.toml")
    assert code != 0
    assert sentence in output


def test_a_place_that_cannot_be_written_is_said(hub, gguf, tmp_path):
    """A folder that does not exist is named."""
    hub.add("maker/model", "own.gguf", gguf())
    code, output = run("--names", "hf:maker/model/own.gguf", "--out", tmp_path / "no" / "mux.toml")
    assert (code, "cannot be written" in output) == (2, True)


def test_a_misspelt_name_has_a_hint():
    """The names of models on the hub are among those that a misspelt one is compared with."""
    with pytest.raises(ModelNotFoundError, match="did you mean 'gemma-3-1b-it'"):
        fetch("gemma3-1b-it")
