"""The private names of LangChain that one file rests on: a release that renames one of them is named here."""

from langchain_core.language_models import chat_models
from langchain_core.messages import AIMessage, HumanMessage

from langchain_slmmux import _private


def test_runs_show_messages_in_the_form_of_langchains_own(monkeypatch):
    """`_format_for_tracing` forms a picture's block as LangChain's own runs show it; without it messages stay as they are."""
    block = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    (formed,) = _private.traced_form([HumanMessage([block])])
    assert formed.content[0]["type"] == "image_url"
    monkeypatch.delattr(chat_models, "_format_for_tracing")
    assert _private.traced_form([HumanMessage([block])])[0].content == [block]


def test_a_message_is_made_into_events():
    """`message_to_events` makes a message into the events of the v3 protocol, from its start to its finish."""
    events = list(_private.events_of(AIMessage("Oslo", id="1")))
    assert (events[0]["event"], events[-1]["event"]) == ("message-start", "message-finish")
