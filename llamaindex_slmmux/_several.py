"""Several completions of one request, for members of OpenAI's class: the prompt is read, and paid for, once.

The member reports the request as one call, so the other samples' events are reported here: each sample has its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMChatStartEvent
from llama_index.core.llms import LLM
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from llama_index_instrumentation.span import active_span_id

from slmmux._mux.scoring.confidence import logprobs_in

__all__ = ["choices_of", "logprobs_of", "report", "split", "takes_several"]

dispatcher = get_dispatcher(__name__)


def takes_several(llm: LLM) -> bool:
    """Return whether one request may ask for several completions; an `n` of the user's own says no."""
    # By name: whoever has a member of this class has its package, and nobody else needs it.
    openai = any((c.__module__, c.__name__) == ("llama_index.llms.openai.base", "OpenAI") for c in type(llm).__mro__)
    return openai and llm.metadata.is_chat_model and "n" not in (getattr(llm, "additional_kwargs", None) or {})


def split(llm: LLM, response: ChatResponse) -> list[ChatResponse]:
    """Return a response for each completion of a request; its usage stays with the first."""
    choices: Sequence[Any] = getattr(response.raw, "choices", None) or []
    if len(choices) <= 1:
        return [response]
    from llama_index.llms.openai.utils import from_openai_message  # noqa: PLC0415 - it is here: see takes_several

    modalities = getattr(llm, "modalities", None) or ["text"]
    others = [ChatResponse(message=from_openai_message(choice.message, modalities)) for choice in choices[1:]]
    return [response, *others]


def choices_of(response: ChatResponse, count: int) -> Sequence[Any] | None:
    """Return the choices of a request, one for each of some completions; `None` if the raw response has other ones."""
    choices: Sequence[Any] = getattr(response.raw, "choices", None) or []
    return choices if len(choices) == count else None


def logprobs_of(response: ChatResponse, count: int) -> list[list[float] | None]:
    """Return the tokens' log-probabilities of each of some completions; `None` where the server reported none.

    Args:
        response: The response of the request.
        count: The number of its completions.
    """
    choices = choices_of(response, count)
    if choices is not None:
        reports = [getattr(choice, "logprobs", None) for choice in choices]
        return [None if each is None else logprobs_in(each.model_dump()) for each in reports]
    # Of other classes, those of a lone completion: a list of the candidates at each place, the chosen one first.
    tokens = [each[0].logprob for each in response.logprobs or () if each]
    return [tokens or None, *[None] * (count - 1)]


def report(
    llm: LLM,
    messages: Sequence[ChatMessage],
    tags: Mapping[str, Any],
    outcome: ChatResponse | BaseException,
) -> None:
    """Report a sample that came with another's request.

    Args:
        llm: Who was asked.
        messages: What was asked.
        tags: The sample's own.
        outcome: What came of it.
    """
    span = active_span_id.get()
    with instrument_tags(dict(tags)):
        dispatcher.event(
            LLMChatStartEvent(model_dict=llm.to_payload(), messages=list(messages), additional_kwargs={}, span_id=span)
        )
        if isinstance(outcome, BaseException):
            dispatcher.event(ExceptionEvent(exception=outcome, span_id=span))
        else:
            dispatcher.event(LLMChatEndEvent(messages=list(messages), response=outcome, span_id=span))
