"""What may be a member, what is taken from it, and that it is never changed."""

import threading
import warnings

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage

from langchain_slmmux import SLMMuxChatModel
from langchain_slmmux.testing import ScriptedChatModel

with warnings.catch_warnings():
    # langchain-community is sunset and says so when it is imported; its chat models are welcome members.
    warnings.simplefilter("ignore", DeprecationWarning)
    from langchain_community.chat_models.fake import FakeListChatModel as CommunityChatModel


def labels(mux):
    return [vote["model"] for vote in mux.invoke("q").response_metadata["slmmux"]["votes"]]


def test_a_list_is_labelled_by_the_models_own_names():
    """Members of a list are named by model_name, or by their class where they have none."""
    mux = SLMMuxChatModel(models=[ScriptedChatModel(script=["4"], model_name="A"), FakeListChatModel(responses=["4"])])
    assert labels(mux) == ["A", "FakeListChatModel"]


def test_accuracies_are_the_rank_and_break_ties():
    """The member of higher validation accuracy comes first and wins among equals; equal accuracies keep the order."""
    models = {name: ScriptedChatModel(script=[name]) for name in "abc"}
    mux = SLMMuxChatModel(models=models, samples=2, accuracies={"a": 0.5, "b": 0.9, "c": 0.9}, wait="exhausted")
    message = mux.invoke("q")
    record = message.response_metadata["slmmux"]
    assert [vote["model"] for vote in record["votes"]] == ["b", "c", "a"]
    assert (message.text, record["decided_by"]) == ("b", "tie-break")


def test_one_member_is_plain_self_consistency():
    """A mux of one returns that model's most frequent answer."""
    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=["5", "4", "4"])}, samples=3)
    assert mux.invoke("q").text == "4"


def test_k_may_differ_between_members():
    """Each member is asked its own k times, and `of` is that k."""
    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=["4", "5"]), "b": ScriptedChatModel(script=["6"])},
        samples={"a": 4, "b": 2},
        wait="exhausted",
    )
    assert [vote["of"] for vote in mux.invoke("q").response_metadata["slmmux"]["votes"]] == [4, 2]


def test_a_binding_is_unwrapped_and_its_arguments_reach_the_member():
    """Call arguments bound to a member, even twice, go with each of its samples."""
    got = []

    def script(messages, turn, kwargs):
        got.append(kwargs)
        return "4"

    mux = SLMMuxChatModel(models={"a": ScriptedChatModel(script=script).bind(top_p=0.5).bind(top_k=3)}, samples=2)
    mux.invoke("q", extra="yes")
    assert all((k["top_p"], k["top_k"], k["extra"]) == (0.5, 3, "yes") for k in got)


def test_members_are_never_changed():
    """Sampling changes nothing in a member: no temperature, cache or streaming setting, and no message of the caller."""
    one = ScriptedChatModel(script=["4"], temperature=0.1, cache=None)
    before = dict(one.__dict__)
    question = [HumanMessage("q")]
    SLMMuxChatModel(models={"a": one}, temperature=0.9, max_tokens=7, samples=2).invoke(question)
    assert one.__dict__ == before
    assert question == [HumanMessage("q")]


def test_explicit_settings_reach_the_copies():
    """temperature (for all, or by label) and max_tokens are what the sampled copy has."""
    seen = {}

    class Noting(ScriptedChatModel):
        def _generate(self, messages, stop=None, run_manager=None, **kwargs):
            seen[self.model_name] = (self.temperature, self.max_tokens, self.disable_streaming, self.cache)
            return super()._generate(messages, stop, run_manager, **kwargs)

    models = {name: Noting(script=["4"], model_name=name, temperature=0.2) for name in "ab"}
    SLMMuxChatModel(models=models, temperature={"a": 0.9}, max_tokens=7, samples=1, wait="exhausted").invoke("q")
    assert seen == {"a": (0.9, 7, True, False), "b": (0.2, 7, True, False)}


def test_a_setting_no_member_has_is_said():
    """max_tokens where no member takes it changes nothing, and is said."""
    with pytest.warns(UserWarning, match="max_tokens: no member has this setting"):
        SLMMuxChatModel(models={"a": FakeListChatModel(responses=["4"])}, max_tokens=7)


def test_max_retries_reaches_the_clients_of_openai_members():
    """The OpenAI SDK takes max_retries when its client is built: the copy gets a client of its own, the member keeps its."""
    openai = pytest.importorskip("langchain_openai")
    one = openai.ChatOpenAI(model="m", api_key="none", base_url="http://127.0.0.1:9/v1", max_retries=5)
    mux = SLMMuxChatModel(models={"a": one}, max_retries=0)
    assert mux._members["a"].model.root_client.max_retries == 0
    assert mux._members["a"].model.client._client.max_retries == 0
    assert one.root_client.max_retries == 5


def test_a_fixed_seed_with_several_samples_is_said():
    """A seed makes all samples equal like temperature 0 does."""

    class Seeded(ScriptedChatModel):
        seed: int | None = None

    with pytest.warns(UserWarning, match="fixed seed 7"):
        SLMMuxChatModel(models={"a": Seeded(script=["4"], seed=7)}, samples=2)


def test_sync_members_run_beside_each_other_under_invoke():
    """Six samples are in flight at once: each waits for all others."""
    barrier = threading.Barrier(6, timeout=30)

    def script(messages, turn, kwargs):
        barrier.wait()
        return "4"

    mux = SLMMuxChatModel(models={n: ScriptedChatModel(script=script) for n in "ab"}, samples=3, wait="exhausted")
    assert mux.invoke("q").response_metadata["slmmux"]["samples"]["used"] == 6


def test_max_concurrency_bounds_a_whole_batch():
    """No more calls than max_concurrency are in flight over all questions of a batch."""
    lock, now, most = threading.Lock(), [0], [0]

    def script(messages, turn, kwargs):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.002)  # long enough for others to overlap, were they let in
        with lock:
            now[0] -= 1
        return "4"

    mux = SLMMuxChatModel(
        models={"a": ScriptedChatModel(script=script)}, samples=4, wait="exhausted", max_concurrency=3
    )
    mux.batch(["q"] * 6)
    assert 1 < most[0] <= 3


@pytest.mark.filterwarnings("ignore::DeprecationWarning:langchain_community")
async def test_members_from_langchain_community_work():
    """A chat model of langchain-community is a member like any other, sync-only though it is."""
    mux = SLMMuxChatModel(
        models={"c": CommunityChatModel(responses=["4"]), "a": ScriptedChatModel(script=["4"])}, samples=2
    )
    assert mux.invoke("q").text == "4"
    assert (await mux.ainvoke("q")).text == "4"


def test_the_packages_never_import_langchain_community():
    """A user who has no langchain-community is never asked for it."""
    import subprocess
    import sys

    code = (
        "import langchain_slmmux, slmmux, sys; assert not any(m.startswith('langchain_community') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_mux_is_a_member_of_a_mux():
    """A mux inside a mux samples its own members and its cost is counted."""
    inner = SLMMuxChatModel(models={"x": ScriptedChatModel(script=["4"], tokens=(1, 1))}, samples=2, wait="exhausted")
    outer = SLMMuxChatModel(models={"in": inner}, samples=3, wait="exhausted")
    message = outer.invoke("q")
    assert message.text == "4"
    assert message.usage_metadata["total_tokens"] == 3 * 2 * 2


def test_the_message_is_the_winner_s_own():
    """The winner's blocks and provider fields leave with it, under the id of the mux's run; others get its text alone."""
    reply = AIMessage(
        content=[{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "4"}],
        additional_kwargs={"reasoning_content": "hm"},
        id="provider-id",
    )
    asked = {"a": [], "b": []}

    def listening(label, text):
        def script(messages, turn, kwargs):
            asked[label].append(messages[-2].content if len(messages) > 1 else None)
            return text

        return ScriptedChatModel(script=script)

    mux = SLMMuxChatModel(models={"a": listening("a", reply), "b": listening("b", "5")}, samples=2, wait="exhausted")
    message = mux.invoke("q")
    assert (message.content, message.additional_kwargs) == (reply.content, reply.additional_kwargs)
    assert message.id.startswith("lc_run--")
    mux.invoke(["q", message, "and then?"])
    assert (asked["a"][-1], asked["b"][-1]) == (reply.content, "4")


def test_a_mux_has_the_name_of_its_members_model_if_it_is_one():
    """LangChain looks up by the name what a model can do: that of one model, however often sampled; of several, none."""
    one, other = (ScriptedChatModel(script=["4"], model_name=name) for name in ("gemini-2.5-flash", "qwen"))
    assert SLMMuxChatModel(models={"a": one}, samples=3).model_name == "gemini-2.5-flash"
    assert SLMMuxChatModel(models={"a": one, "b": one.bind(temperature=0.7)}).model_name == "gemini-2.5-flash"
    assert SLMMuxChatModel(models={"a": one, "b": other}).model_name is None
