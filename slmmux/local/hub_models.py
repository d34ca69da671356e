"""Small models that people really use, by the address of a file on the hub. Data only.

Their hashes are not pinned: the hub states the hash of the file that it has today, and a download is checked against
that one. The addresses could not be tried where this was written; several public repositories use each of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["HUB_MODELS", "TRIO", "HubModel"]


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the hub.

    Attributes:
        name: The model's name here.
        spec: The address of its file, `hf:owner/repo/file.gguf`.
        megabytes: About the size of the download.
        licence: The licence that its makers state.
    """

    name: str
    spec: str
    megabytes: int
    licence: str


_LLAMA = "Llama 3.2 community licence"
_GEMMA = "Gemma terms of use (ai.google.dev/gemma/terms)"

_MODELS = (
    HubModel("qwen3-1.7b", "hf:Qwen/Qwen3-1.7B-GGUF/Qwen3-1.7B-Q8_0.gguf", 1_834, "Apache-2.0"),
    HubModel("qwen3-4b", "hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf", 2_497, "Apache-2.0"),
    HubModel(
        "llama-3.2-1b-instruct",
        "hf:hugging-quants/Llama-3.2-1B-Instruct-Q4_K_M-GGUF/llama-3.2-1b-instruct-q4_k_m.gguf",
        808,
        _LLAMA,
    ),
    HubModel(
        "llama-3.2-3b-instruct",
        "hf:hugging-quants/Llama-3.2-3B-Instruct-Q4_K_M-GGUF/llama-3.2-3b-instruct-q4_k_m.gguf",
        2_019,
        _LLAMA,
    ),
    HubModel("gemma-3-1b-it", "hf:ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf", 806, _GEMMA),
    HubModel("gemma-3-4b-it", "hf:ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf", 2_490, _GEMMA),
    HubModel(
        "phi-4-mini-instruct", "hf:unsloth/Phi-4-mini-instruct-GGUF/Phi-4-mini-instruct-Q4_K_M.gguf", 2_492, "MIT"
    ),
    HubModel("smollm3-3b", "hf:ggml-org/SmolLM3-3B-GGUF/SmolLM3-Q4_K_M.gguf", 1_915, "Apache-2.0"),
    HubModel(
        "granite-3.3-2b-instruct",
        "hf:ibm-granite/granite-3.3-2b-instruct-GGUF/granite-3.3-2b-instruct-Q4_K_M.gguf",
        1_545,
        "Apache-2.0",
    ),
)

HUB_MODELS: Mapping[str, HubModel] = MappingProxyType({model.name: model for model in _MODELS})

# Three makers, so that their mistakes differ, and none that thinks aloud before it answers. That they complement each
# other on somebody's questions is for `slmmux profile` and `slmmux select` to say.
TRIO = ("llama-3.2-1b-instruct", "gemma-3-1b-it", "granite-3.3-2b-instruct")
