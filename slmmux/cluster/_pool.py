"""`pool.toml`: models, the engine that runs each, and how they are sampled.

    samples = 10
    temperature = 0.7
    actors = 2                          # copies of an engine, over the machines of the cluster

    [models.qwen]                       # on GPUs: Ray's vLLM processor
    vllm = "Qwen/Qwen2.5-7B-Instruct"
    engine = { tensor_parallel_size = 2, max_model_len = 8192 }
    accelerator = "H100"

    [models.phi]                        # any OpenAI-compatible address that the machines reach
    url = "http://10.0.0.7:8000/v1"
    model = "phi-4"
    api_key_env = "PHI_KEY"             # the variable's name, on the machines; a key itself is refused

    [models.rules]                      # a function of Python: question -> reply
    function = "my_package.rules:reply"

Nothing here knows Ray.
"""

import tomllib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slmmux._errors import ConfigError, fault_sentence
from slmmux.config import without_key

__all__ = ["ModelConfig", "PoolConfig", "load_pool"]


class ModelConfig(BaseModel):
    """One model: its engine, and the settings of its samples."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    vllm: str | None = None
    url: str | None = None
    function: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    model: str | None = None
    api_key_env: str | None = None
    engine: dict[str, Any] = {}
    accelerator: str | None = None
    samples: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    timeout: float | None = Field(default=None, gt=0)
    actors: int | None = Field(default=None, ge=1)
    concurrency: int = Field(default=16, ge=1)
    retries: int = Field(default=5, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _no_key(cls, values: Any) -> Any:
        return without_key(values)

    @model_validator(mode="after")
    def _one_engine(self) -> "ModelConfig":
        if sum(place is not None for place in (self.vllm, self.url, self.function)) != 1:
            raise ValueError(
                'write one of vllm = "a model on Hugging Face or a folder", url = "http://..." and '
                'function = "package.module:name"'
            )
        if self.url is not None and self.model is None:
            raise ValueError('url needs a model; write model = "the name that the server knows"')
        if self.vllm is None and (self.engine or self.accelerator):
            raise ValueError("engine and accelerator are for vllm; leave them out")
        return self


class PoolConfig(BaseModel):
    """A whole `pool.toml`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, ModelConfig] = Field(min_length=1)
    samples: int = Field(default=5, ge=1)
    temperature: float | None = Field(default=0.7, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    system_prompt: str | None = None
    extract: str = "auto"
    actors: int = Field(default=1, ge=1)
    batch: int = Field(default=64, ge=1)

    def samples_of(self, label: str) -> int:
        """Return a model's k."""
        return self.models[label].samples or self.samples

    def generation_of(self, label: str) -> dict[str, Any]:
        """Return what a model's replies depend on, as its requests state it."""
        own = self.models[label]
        values = {
            "temperature": self.temperature if own.temperature is None else own.temperature,
            "max_tokens": own.max_tokens or self.max_tokens,
        }
        return {name: value for name, value in values.items() if value is not None}

    def settings(self) -> dict[str, Any]:
        """Return the settings of the samples, as a recording states them: no address, and no key."""
        return {
            "extract": self.extract,
            "agreement": "canonical",
            "system_prompt": self.system_prompt,
            "models": {
                label: {
                    "model": own.vllm or own.model or own.function,
                    **self.generation_of(label),
                    **({"engine": own.engine} if own.engine else {}),
                }
                for label, own in self.models.items()
            },
        }


def load_pool(path: str | Path) -> PoolConfig:
    """Read a `pool.toml`.

    Raises:
        ConfigError: The file cannot be read, or a setting cannot be used.
    """
    try:
        return PoolConfig.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path!s:.200} cannot be read: {error}; pass the path of a pool.toml") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        # `from None`: pydantic's own error quotes the value, which may be a key in the wrong place.
        faults = [f"{path}, {'.'.join(map(str, fault['loc']))}: {fault_sentence(fault)}" for fault in error.errors()]
        raise ConfigError("\n".join(faults)) from None
