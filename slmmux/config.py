"""`mux.toml`: members by name, where each runs, and the options of the mux.

    samples = 5
    temperature = 0.7
    system_prompt = "Answer in a few words."

    [models.gemma]                      # a small model in this process: a name, hf:owner/repo/file.gguf, a path
    local = "gemma-3-270m"

    [models.qwen]                       # any OpenAI-compatible address: Ollama, vLLM, llama-server, hosted
    url = "http://localhost:11434/v1"
    model = "qwen2.5:0.5b"
    api_key_env = "QWEN_KEY"            # the variable's name; a key itself is refused
    samples = 3
    timeout = 30                        # seconds a call
    price = { input = 0.10, output = 0.40 }  # of a million tokens; or "litellm" for the price in LiteLLM's table
    concurrency = 2                     # calls at once
    requests_per_minute = 60

Instead of choosing members and their number by hand, a saved selection can: its models, k, rank, rule and instruction.

    selection = "selection.json"        # beside this file; the tables say where its models run
    rule = "learned"                    # a rule that was fitted in it
    abstain_below = 0.6                 # no answer below this probability of being right
    escalate_below = 0.4                # or: a bigger model is asked below this one

    [escalate_to]
    url = "https://api.example.org/v1"
    model = "large"
    api_key_env = "LARGE_KEY"

    confidence = "judge"                # instead of self-consistency; or "logprob", "verbalised"

    [judge]                             # the model that rates answers; or judge = "the label of a member"
    url = "https://api.example.org/v1"
    model = "large"
    api_key_env = "LARGE_KEY"

    [embedding]                         # for agreement = "embedding"
    url = "http://localhost:11434/v1"
    model = "nomic-embed-text"

This file does not know the frameworks: each adapter makes its members from a `Config`.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, ValidationError, field_validator, model_validator

from slmmux._decision.budget import MOST_TOKENS
from slmmux._decision.price import Price
from slmmux._decision.race import MOST_SAMPLES, Plan, Wait
from slmmux._decision.rules import UNFITTED_RULES, RuleName
from slmmux._decision.window import MOST_CALLS
from slmmux._errors import ArgumentError, ConfigError, did_you_mean, fault_sentence

__all__ = ["FEW_WORDS", "Config", "MemberConfig", "default_config", "load_config"]

_MOST_BYTES = 1_000_000  # of a file that people write by hand
# Fifty tables in one another: the parser would take hours over a megabyte of them.
_DEEP = re.compile(r"""(?<![\w.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}""")

# Very small models never write the same prose twice; in a few words they can agree with themselves.
FEW_WORDS = "Answer in a few words, with the answer only."


def without_key(values: Any) -> Any:
    """Return what a file says of a member; a key among it is refused, since files are shared.

    Raises:
        ValueError: There is an `api_key`.
    """
    if isinstance(values, dict) and "api_key" in values:
        raise ValueError(
            'api_key would put a key into this file; write api_key_env = "NAME", the variable with the key'
        )
    return values


class MemberConfig(BaseModel):
    """One member: where it runs, and the settings of its requests."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    local: str | None = None
    url: str | None = None
    model: str | None = None
    api_key_env: str | None = None
    samples: int | None = Field(default=None, ge=1, le=MOST_SAMPLES, strict=True)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False, strict=True)
    timeout: float | None = Field(default=None, gt=0, strict=True)
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS, strict=True)
    concurrency: int | None = Field(default=None, ge=1, le=MOST_CALLS, strict=True)
    requests_per_minute: float | None = Field(default=None, gt=0, strict=True)
    accuracy: float | None = Field(default=None, ge=0, le=1, strict=True)
    price: SkipValidation[dict[str, float] | Literal["litellm"] | None] = None

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @field_validator("price", mode="before")
    @classmethod
    def _is_price(cls, price: Any) -> Any:
        if price is None or price == "litellm":
            return price
        try:
            plain = Price.of(price, "price").plain()
        except ArgumentError:
            plain = {}
        if not plain:
            raise ValueError(
                f"price must be that of a million tokens, received {price!r}; write price = {{ input = 0.10, output = "
                '0.40 }, with cached_input or cache_write if the server has one, or price = "litellm"'
            )
        return {name: float(amount) for name, amount in plain.items()}

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.username or parts.password:
                raise ValueError('url contains a password; write api_key_env = "NAME", the variable with the key')
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError('url must be an address; write one such as "http://localhost:11434/v1"')
        return url

    @model_validator(mode="after")
    def _one_place(self) -> "MemberConfig":
        if (self.local is None) == (self.url is None):
            raise ValueError('write either local = "a small model" or url = "http://..."')
        if self.url is not None and self.model is None:
            raise ValueError('url needs a model; write model = "the name that the server knows"')
        return self

    def api_key(self) -> str | None:
        """Return the key from the environment.

        Raises:
            ConfigError: The environment variable is not set.
        """
        if self.api_key_env is None:
            return None
        if key := os.environ.get(self.api_key_env):
            return key
        raise ConfigError(f"the environment variable {self.api_key_env} is not set; set it to the key")


class Config(BaseModel):
    """A whole `mux.toml`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, MemberConfig] = {}
    selection: str | None = None
    samples: int = Field(default=5, ge=1, le=MOST_SAMPLES, strict=True)
    temperature: float | None = Field(default=0.7, ge=0, allow_inf_nan=False, strict=True)
    system_prompt: str | None = None
    extract: str = "auto"
    agreement: Literal["canonical", "math", "embedding"] = "canonical"
    tau: float = Field(default=0.9, gt=0, le=1, strict=True)
    embedding: MemberConfig | None = None
    plan: Plan = "parallel"
    wait: Wait = "settled"  # or { risk = 0.01 }
    rule: RuleName = "self-consistency"
    confidence: Literal["consistency", "logprob", "verbalised", "judge"] = "consistency"
    judge: str | MemberConfig | None = None  # a member's label, or a model in a table of its own
    abstain_below: float | None = Field(default=None, gt=0, le=1, strict=True)
    abstain_with: str = "I do not know."
    escalate_to: MemberConfig | None = None
    escalate_below: float | None = Field(default=None, gt=0, le=1, strict=True)
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS, strict=True)
    max_concurrency: int = Field(default=64, ge=1, le=MOST_CALLS, strict=True)
    timeout: float | None = Field(default=None, gt=0, strict=True)
    deadline: float | None = Field(default=None, gt=0, strict=True)
    no_answer: list[str] = []
    budget: dict[Literal["calls", "tokens", "cost"], Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None

    @field_validator("budget")
    @classmethod
    def _is_budget(cls, budget: dict[str, float] | None) -> dict[str, Any] | None:
        """Return the budget with whole numbers of calls and tokens."""
        whole = {unit: limit if unit == "cost" else int(limit) for unit, limit in (budget or {}).items()}
        for unit, limit in whole.items():
            if limit != (budget or {})[unit] or (unit != "cost" and limit < 1):
                raise ValueError(f"{unit} must be a whole number of at least 1, received {(budget or {})[unit]:g}")
        return whole or budget

    @model_validator(mode="after")
    def _settings_fit_each_other(self) -> "Config":
        if not self.models and self.selection is None:
            raise ValueError("no [models.NAME] table; write one for each member")
        if self.agreement == "embedding" and self.embedding is None:
            raise ValueError('agreement = "embedding" needs an [embedding] table, with url and model or with local')
        if self.rule not in UNFITTED_RULES and self.selection is None:
            raise ValueError(f'rule = "{self.rule}" is fitted in a selection; write selection = "selection.json"')
        if (self.escalate_to is None) != (self.escalate_below is None):
            raise ValueError("escalate_below and an [escalate_to] table belong together; write both or neither")
        return self

    def samples_of(self, label: str) -> int:
        """Return a member's k."""
        return self.models[label].samples or self.samples

    def temperature_of(self, label: str) -> float | None:
        """Return a member's temperature; `None` leaves the server's own."""
        own = self.models[label].temperature
        return self.temperature if own is None else own

    def concurrency_of(self, label: str) -> int:
        """Return a member's requests at once during a profile: one if it runs on this machine, else four."""
        return self.models[label].concurrency or (4 if self.models[label].local is None else 1)

    def accuracies(self) -> dict[str, float] | None:
        """Return the validation accuracies; `None` if the file has none.

        Raises:
            ConfigError: Only some of the members have one.
        """
        accuracies = {label: m.accuracy for label, m in self.models.items() if m.accuracy is not None}
        if accuracies and len(accuracies) < len(self.models):
            absent = ", ".join(repr(label) for label in self.models if label not in accuracies)
            raise ConfigError(f"accuracy is missing for {absent}; give it for every member or for none")
        return accuracies or None

    def prices(self) -> dict[str, Any] | None:
        """Return the prices; `None` if the file has none. A member in this process costs nothing unless it says so.

        A bigger model and a judge of their own are named as their tables are.

        Raises:
            ConfigError: Only some of the members by address have one.
        """
        members = dict(self.models)
        if self.escalate_to is not None:
            members["escalate_to"] = self.escalate_to
        if isinstance(self.judge, MemberConfig):
            members["judge"] = self.judge
        prices: dict[str, Any] = {}
        for label, member in members.items():
            if member.price is not None:
                prices[label] = member.price
        if not prices:
            return None
        prices |= {
            label: {"input": 0.0, "output": 0.0}
            for label, member in members.items()
            if label not in prices and member.local is not None
        }
        if absent := ", ".join(repr(label) for label in members if label not in prices):
            raise ConfigError(
                f"price is missing for {absent}; give it for every member that has an address, or for none "
                "(price = { input = 0, output = 0 } for a server of your own)"
            )
        return prices


def load_config(path: str | Path) -> Config:
    """Read a `mux.toml`.

    Raises:
        ConfigError: The file cannot be read, or a setting cannot be used; the sentence names the line.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "mux.toml"
        >>> _ = file.write_text('[models.gemma]' + chr(10) + 'local = "gemma-3-270m"' + chr(10))
        >>> load_config(file).models["gemma"].local
        'gemma-3-270m'
    """
    try:
        text = _text_of(Path(path))
    except (OSError, ValueError) as error:  # a path with a null byte, or text that is not UTF-8, is a ValueError
        raise ConfigError(f"{path!s:.200} cannot be read: {error!s:.400}; pass the path of a mux.toml") from error
    too_deep = ConfigError(f"{path} is nested too deeply; a mux.toml has tables of settings and no more")
    if _DEEP.search(text):
        raise too_deep
    try:
        config = Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except RecursionError:
        raise too_deep from None
    except ValidationError as error:
        # `from None`: pydantic's own error quotes the value, which may be a key in the wrong place.
        raise ConfigError("\n".join(_sentence(path, text, fault) for fault in error.errors())) from None
    if config.selection is None:
        return config
    return config.model_copy(update={"selection": str(Path(path).parent / config.selection)})  # beside this file


def _text_of(file: Path) -> str:
    if file.exists() and not file.is_file():  # a pipe or a device might never end
        raise ValueError("it is not a file")
    if (size := file.stat().st_size) > _MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, and at most {_MOST_BYTES:,} are read")
    return file.read_text(encoding="utf-8")


def _sentence(path: str | Path, text: str, fault: Any) -> str:
    place = [str(part) for part in fault["loc"]]
    if fault["type"] == "extra_forbidden":
        settings = (MemberConfig if place[:1] == ["models"] else Config).model_fields
        hint = did_you_mean(place[-1], settings) or f"known are {', '.join(settings)}"
        fault = fault | {"msg": f"{place[-1]!r} is not a setting; {hint}"}
    return f"{path}, line {_line(text, place)}: {fault_sentence(fault)}"


def _line(text: str, place: list[str]) -> int:
    """Return the line of a setting, or that of its table, or 1: the standard library's TOML reader has no positions."""
    number, start = 1, 0
    lines = text.splitlines()
    if place[:1] == ["models"] and len(place) > 1:
        header = re.compile(rf"\s*\[\s*models\s*\.\s*[\"']?{re.escape(place[1])}[\"']?\s*\]")
        start = next((i for i, line in enumerate(lines) if header.match(line)), 0)
        number, place = start + 1, place[2:]
    for name in place[:1]:
        key = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
        number = next((i + 1 for i, line in enumerate(lines) if i >= start and key.match(line)), number)
    return number


def default_config() -> Config:
    """Return the pair of models that `slmmux ask` and `slmmux serve` use without a file.

    The larger one has the answers: of the models that can be fetched by name, it alone is right on most everyday
    questions (`bench.everyday`). The other, of another maker, is the one that `slmmux select` puts beside it on the
    questions of the cookbook.
    """
    return Config(
        models={
            "qwen2.5-coder-1.5b": MemberConfig(local="qwen2.5-coder-1.5b-instruct"),
            "gemma-3-270m": MemberConfig(local="gemma-3-270m"),
        },
        system_prompt=FEW_WORDS,
        max_tokens=24,
        wait="exhausted",  # a first try displays every member's answers, and the exact confidence
    )
