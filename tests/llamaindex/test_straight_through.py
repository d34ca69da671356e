"""LlamaIndex: members that complete texts, and the places of streams that go straight through."""

from typing import Any

from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, PrivateAttr

from llamaindex_slmmux import SLMMuxLLM
from llamaindex_slmmux.testing import ScriptedLLM


class Town(BaseModel):
    """A town."""

    name: str


class Base(CustomLLM):
    """A completion-only LLM with a template of its own."""

    _prompts: list[str] = PrivateAttr(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="base", context_window=2048, num_output=64)

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **_: Any) -> CompletionResponse:
        self._prompts.append(prompt if formatted else self.completion_to_prompt(prompt))
        return CompletionResponse(text='{"name": "Oslo"}')

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        def responses() -> CompletionResponseGen:
            yield self.complete(prompt, formatted, **kwargs)

        return responses()


def _base() -> Base:
    return Base(completion_to_prompt=lambda prompt: f"[T]{prompt}[/T]")


def test_a_text_program_asks_a_completion_only_member_as_it_would_alone():
    """A program that looks at `is_chat_model` gives each completion-only member the prompt it gets alone."""
    alone, members = _base(), [_base(), _base()]
    mux = SLMMuxLLM(models=dict(zip("ab", members, strict=True)), samples=1, wait="exhausted")
    for llm in (alone, mux):
        parser = PydanticOutputParser(Town)
        program = LLMTextCompletionProgram.from_defaults(parser, prompt=PromptTemplate("Capital?"), llm=llm)
        assert program().name == "Oslo"
    assert members[0]._prompts == members[1]._prompts == alone._prompts


def test_one_member_that_chats_makes_the_mux_chat():
    """`is_chat_model` is false for completion-only members alone."""
    assert not SLMMuxLLM(models={"a": _base()}).metadata.is_chat_model
    assert SLMMuxLLM(models={"a": _base(), "b": ScriptedLLM(script=["x"])}).metadata.is_chat_model


def test_a_stream_that_is_dropped_leaves_its_place():
    """Streams that were never read, or not to their end, hold no place in the window of the next."""
    mux = SLMMuxLLM(models={"a": _base()}, samples=1, max_concurrency=1)
    mux.stream_complete("?")
    next(mux.stream_complete("?"))
    assert [chunk.text for chunk in mux.stream_complete("?")] == ['{"name": "Oslo"}']
