"""For tests: the script that a scripted member replies by, and the contract that every adapter keeps.

`langchain_slmmux.testing.ScriptedChatModel` and `llamaindex_slmmux.testing.ScriptedLLM` are members without a network
and without chance. `AdapterContract` is for an adapter to a third framework: derive a test class from it, define its
four methods, and pytest runs the claims that every mux keeps, whatever its framework.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from slmmux._errors import ArgumentError, NoAnswerError

__all__ = ["AdapterContract", "Turns"]

M = TypeVar("M")


class Turns(Generic[M]):
    """The calls of a scripted member: shared by its copies, so that a test sees those of a wrapped copy.

    Attributes:
        calls: The messages of every call so far, in order.

    Example:
        >>> turns = Turns()
        >>> [turns.reply(["4", "5"], ["2 + 2?"], {}) for _ in range(3)]
        ['4', '5', '5']
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: list[list[M]] = []

    def __deepcopy__(self, memo: object) -> "Turns[M]":
        return self

    def reply(self, script: Any, messages: Sequence[M], kwargs: Mapping[str, Any]) -> Any:
        """Count a call and return its reply.

        Args:
            script: The replies in turn, of which the last repeats; or a function of (messages, number of this call,
                call arguments) that returns the reply.
            messages: The messages of this call.
            kwargs: Its arguments.

        Raises:
            BaseException: The reply, if it is an exception.
        """
        with self._lock:
            self.calls.append(list(messages))
            turn = len(self.calls) - 1
        reply = script(list(messages), turn, kwargs) if callable(script) else script[min(turn, len(script) - 1)]
        if isinstance(reply, BaseException):
            raise reply
        return reply


class AdapterContract:
    """The claims that a mux of any framework keeps, as tests.

    Example:
        >>> from langchain_slmmux import SLMMuxChatModel
        >>> from langchain_slmmux.testing import ScriptedChatModel
        >>> class TestOurAdapter(AdapterContract):
        ...     def member(self, script):
        ...         return ScriptedChatModel(script=script)
        ...
        ...     def mux(self, models, **options):
        ...         return SLMMuxChatModel(models=models, **options)
        ...
        ...     def ask(self, mux, question):
        ...         message = mux.invoke(question)
        ...         return message.text, message.response_metadata["slmmux"]
        ...
        ...     async def aask(self, mux, question):
        ...         message = await mux.ainvoke(question)
        ...         return message.text, message.response_metadata["slmmux"]
        >>> TestOurAdapter().test_the_most_self_consistent_member_speaks()
    """

    def member(self, script: Any) -> Any:
        """Return a member that replies by a script, as `Turns.reply` takes it."""
        raise NotImplementedError

    def mux(self, models: Any, **options: Any) -> Any:
        """Return a mux of some members, by label or as a list."""
        raise NotImplementedError

    def ask(self, mux: Any, question: str) -> tuple[str, Mapping[str, Any]]:
        """Ask a mux on this thread, and return the answer's text and the record."""
        raise NotImplementedError

    async def aask(self, mux: Any, question: str) -> tuple[str, Mapping[str, Any]]:
        """Ask a mux on the event loop, and return the answer's text and the record."""
        raise NotImplementedError

    def test_the_most_self_consistent_member_speaks(self) -> None:
        """The reply is one of the member whose samples agree most often, though more samples say something else."""
        models = {
            "steady": self.member(["It is 4.", "It is 4.", "It is 5."]),
            "wavering": self.member(["It is 5.", "It is 6.", "It is 7."]),
        }
        text, record = self.ask(self.mux(models, samples=3, wait="exhausted"), "2 + 2?")
        assert (text, record["model"]) == ("It is 4.", "steady")
        assert record["confidence"] == 2 / 3

    def test_threads_and_event_loops_give_the_same_record(self) -> None:
        """Asked on a thread and on an event loop, the same samples give the same record, but for its seconds."""

        def new() -> Any:
            models = {"a": self.member(["4", "5"]), "b": self.member(["6", "6"])}
            # One call at a time: scripts are read in the order of the calls, which two threads may change.
            return self.mux(models, samples=2, wait="exhausted", max_concurrency=1)

        text, record = self.ask(new(), "2 + 2?")
        atext, arecord = asyncio.run(self.aask(new(), "2 + 2?"))
        assert (text, {**record, "seconds": 0}) == (atext, {**arecord, "seconds": 0})

    def test_the_plans_give_the_same_answer(self) -> None:
        """Asked in parallel, in a cascade or one sample after another, the mux gives the same model and answer."""
        replies: dict[str, list[str]] = {"a": ["4", "4", "4"], "b": ["5", "5", "6"], "c": ["7", "8", "9"]}
        spoken = set()
        for plan in ("parallel", "cascade", "adaptive"):
            mux = self.mux({label: self.member(script) for label, script in replies.items()}, samples=3, plan=plan)
            text, record = self.ask(mux, "2 + 2?")
            spoken.add((text, record["model"], record["answer"]))
        assert spoken == {("4", "a", "4")}

    def test_equal_confidence_falls_to_the_accuracy(self) -> None:
        """Members with equal confidence are told apart by their validation accuracy, else by their order."""
        models = {"first": self.member(["4"]), "better": self.member(["5"])}
        _, record = self.ask(self.mux(models, samples=1, wait="exhausted"), "2 + 2?")
        assert (record["model"], record["decided_by"]) == ("first", "tie-break")
        mux = self.mux(models, samples=1, wait="exhausted", accuracies={"first": 0.4, "better": 0.6})
        assert self.ask(mux, "2 + 2?")[1]["model"] == "better"

    def test_a_failing_member_loses_its_votes_only(self) -> None:
        """The answer comes from the others, and the record names the member that failed on all its samples."""
        models = {"down": self.member([ConnectionError("refused")]), "up": self.member(["4"])}
        text, record = self.ask(self.mux(models, samples=2, wait="exhausted"), "2 + 2?")
        assert (text, record["model"], record["lost"]) == ("4", "up", ["down"])
        assert [vote["failed"] for vote in record["votes"]] == [2, 0]

    def test_if_all_fail_the_error_has_every_cause(self) -> None:
        """The error is a NoAnswerError and of the class that the causes share, and has each of them."""
        models = {label: self.member([ConnectionRefusedError(label)]) for label in ("a", "b")}
        error: BaseException | None = None
        try:
            self.ask(self.mux(models, samples=1), "2 + 2?")
        except ConnectionRefusedError as raised:
            error = raised
        assert isinstance(error, NoAnswerError)
        assert {cause.model for cause in error.errors} == {"a", "b"}

    def test_two_members_of_one_name_are_refused(self) -> None:
        """In a list the models' own names are the labels, so two of one name raise a sentence."""
        message = ""
        try:
            self.mux([self.member(["4"]), self.member(["5"])], samples=1)
        except ArgumentError as error:
            message = str(error)
        assert "pass a dict" in message

    def test_each_member_is_sampled_k_times(self) -> None:
        """`samples` is k for all members, or k by label."""
        models = {"a": self.member(["4"]), "b": self.member(["4"])}
        for samples, k in ((2, {"a": 2, "b": 2}), ({"a": 1, "b": 3}, {"a": 1, "b": 3})):
            mux = self.mux(models, samples=samples, wait="exhausted")
            assert mux.k == k
            assert {vote["model"]: vote["of"] for vote in self.ask(mux, "2 + 2?")[1]["votes"]} == k

    def test_a_wrong_option_is_one_sentence(self) -> None:
        """K of 0 raises an ArgumentError that names the option and the value."""
        message = ""
        try:
            self.mux({"a": self.member(["4"])}, samples=0)
        except ArgumentError as error:
            message = str(error)
        assert "samples" in message
        assert "0" in message

    def test_the_members_stay_as_they_were(self) -> None:
        """A mux never changes the models of its user: alone they reply as before."""
        member = self.member(["4", "5"])
        self.ask(self.mux({"a": member}, samples=1, temperature=None), "2 + 2?")
        assert self.ask(self.mux([member], samples=1), "2 + 2?")[0] == "5"

    def test_the_usage_is_that_of_every_reply(self) -> None:
        """The record counts the tokens of all samples, those of the winner as well as those of the others."""
        models = {label: self.member(["4"]) for label in ("a", "b")}
        alone = self.ask(self.mux({"a": models["a"]}, samples=1), "2 + 2?")[1]["usage"]
        usage = self.ask(self.mux(models, samples=2, wait="exhausted"), "2 + 2?")[1]["usage"]
        assert {name: usage[name] for name in ("input_tokens", "output_tokens")} == {
            name: 4 * alone[name] for name in ("input_tokens", "output_tokens")
        }
