"""The public API as a type checker sees it: checked, never run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, assert_type

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from llama_index.core.llms import LLM, ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel
from starlette.applications import Starlette

import langchain_slmmux
import llamaindex_slmmux
from langchain_slmmux import SLMMuxChatModel
from llamaindex_slmmux import SLMMuxLLM
from slmmux import (
    Answer,
    Budget,
    Decision,
    Draw,
    LearnedRule,
    NoAnswerError,
    Pool,
    Race,
    Recording,
    Row,
    Sample,
    SampleError,
    Selection,
    Vote,
    adrive,
    aprofile,
    choose,
    drive,
    profile,
    replay,
    select_complementary,
    vote,
)
from slmmux.baselines import Baseline, baselines
from slmmux.config import Config, MemberConfig, default_config, load_config
from slmmux.learned import fit
from slmmux.local import Entry, Server, fetch, listing, serve
from slmmux.plots import Complement, complement_of
from slmmux.profiling import Functions
from slmmux.readers import read, read_inspect, read_lm_eval
from slmmux.recording import Arrays, arrays_of
from slmmux.report import Recorded, recorded, report
from slmmux.rereading import reread
from slmmux.scaling import Point, expected_right, scaling
from slmmux.selection import ConfidenceResult, HeldOut, Subset, compare_confidences
from slmmux.serve import create_app
from slmmux.store import Store, pull, put_plan, status, work


def the_race(read: Callable[[str], Answer | None]) -> None:
    race = Race({"qwen": 3, "phi": 5}, read, plan="cascade", wait="exhausted")
    assert_type(race, Race[str])
    assert_type(race.ask(), list[Draw])
    race.tell(Draw("qwen", 0), "4")
    race.fail(Draw("qwen", 1), TimeoutError())
    race.stop("deadline")
    Race({"qwen": 3}, read, group="classes")
    Race({"qwen": 3}, read, group=lambda alike: (len(alike), min(alike)))
    assert_type(race.errors, tuple[SampleError, ...])
    assert_type(race.decision, Decision[str] | None)


def the_drivers(race: Race[str], call: Callable[[tuple[Draw, ...]], list[str]]) -> None:
    decision = drive(race, call, pool=Pool(8), timeout=30, deadline=60.0)
    samples: list[Sample[str]] = []
    drive(
        race,
        call,
        pool=Pool(8),
        group=lambda draws: [tuple(draws)],
        compare=lambda answer, earlier: {index: 1.0 for index, other in earlier.items() if other == answer},
        budget=Budget({"calls": 10}, reserve=lambda draw: draw.index, spent=len),
        pace=lambda draws: 0.5 * len(draws),
        observe=samples.append,
        late=lambda draws, replies: samples.clear(),
    )
    assert_type(decision.abandoned, tuple[tuple[Draw, ...], ...])
    assert_type(decision, Decision[str])
    assert_type(decision.winner, Vote)
    assert_type(decision.reply, str)
    assert_type(decision.winner.confidence, float)


async def on_tasks(race: Race[str], call: Callable[[tuple[Draw, ...]], Awaitable[Sequence[str]]]) -> None:
    assert_type(await adrive(race, call, slots=asyncio.Semaphore(8)), Decision[str])
    assert_type(await adrive(race, call, slots=Pool(8)), Decision[str])


def the_rule(votes: list[Vote]) -> None:
    winner, decided_by = choose(votes)
    assert_type(winner, Vote)
    assert decided_by in {"confidence", "tie-break", "rank"}
    assert_type(vote("qwen", [], k=3), Vote)


def recordings() -> None:
    recording = Recording.load("samples.jsonl.gz")
    assert_type(recording.models, tuple[str, ...])
    assert_type(recording.questions, tuple[str, ...])
    assert_type(recording.rows, tuple[Row, ...])
    assert_type(len(Recording.load("samples.parquet")), int)
    assert_type(recording.by_question["q1"]["qwen"], Sequence[Row])
    decisions = replay(recording, models=["qwen", "phi"], samples={"qwen": 3, "phi": 5}, plan="parallel")
    assert_type(decisions, dict[str, Decision[Row | None]])
    assert_type(decisions["q1"].winner.answer, Any)
    replay(recording, ["qwen"], 3, same=lambda a, b: a == b)


def a_campaign_in_a_database() -> None:
    store = Store("postgresql://me@db.example/campaign")
    members = Functions({"a": str.strip}, 3)
    assert_type(put_plan(store, members, "questions.jsonl", requests_per_minute={"a": 60}, texts=False), bool)
    assert_type(work(store, members, ["a"], concurrency={"a": 2}), int)
    assert_type(status(store).members[0].eta, float | None)
    assert_type(pull(store, "samples.parquet"), Recording | int)


def errors(error: NoAnswerError) -> None:
    assert_type(error.errors, tuple[SampleError, ...])
    assert_type(error.errors[0].cause, BaseException)


async def the_chat_model(qwen: BaseChatModel, phi: Runnable[Any, Any]) -> None:
    mux = SLMMuxChatModel(
        models={"qwen": qwen, "phi": phi},
        samples={"qwen": 5, "phi": 3},
        temperature=0.7,
        extract=lambda text: text[:1] or None,
        accuracies={"qwen": 0.75, "phi": 0.7},
        plan="cascade",
        wait="exhausted",
        max_concurrency=8,
        timeout=30,
        deadline=60,
        trace_samples=False,
    )
    SLMMuxChatModel(models=[qwen])
    assert_type(mux.invoke("q"), AIMessage)
    assert_type(await mux.ainvoke("q"), AIMessage)
    assert_type(mux.k, dict[str, int])
    tools: Runnable[Any, AIMessage] = mux.bind_tools([])
    assert_type(await tools.ainvoke("q"), AIMessage)
    assert_type(SLMMuxChatModel.from_config("mux.toml"), SLMMuxChatModel)


class City(BaseModel):
    name: str


async def the_llm(qwen: LLM, phi: LLM, messages: list[ChatMessage]) -> None:
    mux = SLMMuxLLM(
        models={"qwen": qwen, "phi": phi},
        samples={"qwen": 5, "phi": 3},
        temperature={"qwen": 0.7},
        extract="number",
        accuracies={"qwen": 0.75, "phi": 0.7},
        plan="cascade",
        wait="exhausted",
        max_concurrency=8,
        timeout=30,
        deadline=60,
        system_prompt="Be brief.",
    )
    llm: LLM = SLMMuxLLM(models=[qwen])
    assert_type(llm.metadata.is_function_calling_model, bool)
    assert_type(mux.chat(messages), ChatResponse)
    assert_type(mux.k, dict[str, int])
    completion: CompletionResponse = await mux.acomplete("q")
    assert_type(completion.text, str)
    assert_type(mux.structured_predict(City, PromptTemplate("q")), City)
    assert_type(await mux.astructured_predict(City, PromptTemplate("q")), City)
    assert_type(SLMMuxLLM.from_config("mux.toml"), SLMMuxLLM)
    assert_type(SLMMuxLLM.from_dict(mux.to_dict(), llms=[qwen, phi]), SLMMuxLLM)


async def the_offline_half(chat: BaseChatModel, llm: LLM) -> None:
    questions = [{"question_id": "q1", "question": "2 + 2?", "gold": "4"}]
    recording = profile({"a": str.strip}, questions, recording="samples.jsonl", samples=3, concurrency={"a": 2})
    assert_type(recording, Recording)
    assert_type(await aprofile({"a": str.strip}, questions, recording="samples.jsonl", retries=2), Recording)
    assert_type(langchain_slmmux.profile({"a": chat}, questions, recording="samples.jsonl"), Recording)
    assert_type(await llamaindex_slmmux.aprofile([llm], questions, recording="samples.jsonl"), Recording)
    assert_type(Recording.load("a.jsonl", "b.jsonl.gz").rows, tuple[Row, ...])
    assert_type(read_lm_eval("results", extract="number"), Recording)
    assert_type(read_inspect("log.eval"), Recording)
    assert_type(read("outputs.csv", map={"question": "prompt", "answer": ["a", "b"]}, model="qwen"), Recording)
    assert_type(read("results", source="helm", questions="questions.jsonl").history, tuple[Row, ...])
    assert_type(reread(recording, "boxed"), Recording)
    selection = select_complementary(recording, sizes=(1, 2), correct="at_least:2")
    assert_type(selection, Selection)
    assert_type(selection.best, Subset)
    assert_type(selection.by_size[2].held_out, HeldOut | None)
    assert_type(selection.verdict, str)
    assert_type(scaling(recording, ["a", "b"], range(2, 5)), tuple[Point, ...])
    assert_type(baselines(recording), tuple[Baseline, ...])
    assert_type(SLMMuxChatModel.from_selection(selection, models={"a": chat}), SLMMuxChatModel)
    assert_type(SLMMuxLLM.from_selection("selection.json", models={"a": llm}, size=1), SLMMuxLLM)


def the_arrays(recording: Recording) -> None:
    arrays = arrays_of(recording, ["a", "b"], 3)
    assert_type(arrays, Arrays)
    assert_type(arrays.models, tuple[str, ...])
    assert_type(fit(arrays), LearnedRule | None)
    assert_type(complement_of(arrays, ["a", "b"]), Complement)
    assert_type(recorded(recording, arrays), tuple[Recorded, ...])
    expected_right(arrays, [1, 2])


def the_edges(recording: Recording) -> None:
    assert_type(load_config(Path("mux.toml")), Config)
    assert_type(default_config().models["gemma-3-270m"], MemberConfig)
    assert_type(default_config().accuracies(), dict[str, float] | None)
    server = serve("smollm2-135m-instruct", parallel=2, context=512)
    assert_type(server, Server)
    assert_type(server.stop, tuple[str, ...])
    assert_type(fetch("smollm2-135m-instruct"), Path)
    entry = next(iter(listing()))
    assert_type(entry, Entry)
    assert_type(entry.path, Path | None)
    assert_type(report(recording, "report.html", samples=3, missing="drop"), str)


def the_server(mux: SLMMuxChatModel) -> None:
    assert_type(create_app({"mux": mux}, api_key=None, max_questions=8, cors=["https://example.org"]), Starlette)


def other_confidences(recording: Recording, llm: LLM, model: BaseChatModel) -> None:
    """A function, a name or a judge is a confidence, and recorded ones are compared."""

    def reward(text: str) -> float:
        return 1 / (1 + len(text))

    SLMMuxChatModel(models=[model], confidence=reward)
    SLMMuxLLM(models=[llm], confidence="judge", judge=llm)
    assert_type(compare_confidences(recording, ["a"]), tuple[ConfidenceResult, ...])
    replay(recording, ["a"], confidence="logprob")
