"""The mux itself, without a framework: its options, their checks, and the flow of one question.

`SLMMuxChatModel(Mux, BaseChatModel)` and `SLMMuxLLM(Mux, FunctionCallingLLM)` add what only their framework has. Both
frameworks' base classes are pydantic models, and so is this one, so a mux of either is one object with one set of
fields. A subclass defines the five hooks below `# --- hooks`. They raise instead of being abstract, because LlamaIndex
wraps every implementation of an abstract method in a span of its own.
"""

import logging
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SkipValidation,
    ValidationError,
    field_validator,
    model_validator,
)

from slmmux._decision.budget import Budget
from slmmux._decision.clock import Clock
from slmmux._decision.labels import by_label
from slmmux._decision.pool import Pool
from slmmux._decision.price import Price
from slmmux._decision.race import Plan, Race, Wait, check_wait
from slmmux._decision.record import Escalation, compact, record
from slmmux._decision.rules import RuleLike, WeightedRule
from slmmux._decision.types import Answer, Decision, Draw
from slmmux._errors import ArgumentError, NoAnswerError, quote
from slmmux._mux.agreement import Agreement, AgreementName, agreement_of
from slmmux._mux.engine import Flow, Limits, Question, Result, Sampling, answer_flow, arun, run
from slmmux._mux.generation import longest_reply
from slmmux._mux.kept import kept_alive
from slmmux._mux.labelled import Labelled
from slmmux._mux.members import Member
from slmmux._mux.observe import Observe, count_abandoned, taken_observer
from slmmux._mux.options import (
    argument_error,
    label_models,
    member_options,
    no_bool,
    warn_if_equal,
    warn_if_unbounded,
    warn_unknown,
)
from slmmux._mux.prices import PriceTable, prices_of
from slmmux._mux.replies.reading import QUICK, is_longer, number_too_long, read_within
from slmmux._mux.rest import Rest, note_failures, note_outage, resting
from slmmux._mux.rule import ESCALATION, LateError, Policy, own_embedding, policy_of
from slmmux._mux.scoring.confidence import (
    CONSISTENCY,
    ConfidenceLike,
    Scores,
    check_confidence,
    confidence_name,
    mean_probability,
    reward_of,
)
from slmmux._mux.scoring.judging import JUDGE, Judging
from slmmux._mux.usage import COST, DETAILS, Account, no_usage, priced
from slmmux.answers import reader
from slmmux.answers._no_answer import NoAnswers

if TYPE_CHECKING:
    # Whoever writes no `mux.toml` needs none of its models, which take as long to build as those of a mux.
    from slmmux._mux.from_config import Endpoint
    from slmmux.config import Config
    from slmmux.selection import Selection

__all__ = ["Mux"]

R = TypeVar("R")

_log = logging.getLogger("slmmux")


class Mux(BaseModel):
    """What a mux of any framework is made of: the options, the members made of them, and how a question is answered.

    The fields are the options, each with its documentation below it.

    Attributes:
        k: The samples of each member, by label in rank order.
    """

    # Only a framework's class is ever validated, and builds its own schema of these fields. It does so when it is
    # defined (`defer_build=False`): older releases of pydantic do not let two threads build one schema at once.
    model_config = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

    models: SkipValidation[dict[str, Any] | list[Any]] = Field(exclude=True, repr=False)
    """The members by label; or a list, labelled by the models' own names."""

    samples: int | dict[str, int] = 3
    """k, the samples a member; one number or {label: k}."""

    temperature: float | dict[str, float] | None = None
    """`None` leaves the members' own; a number or {label: number} is set on copies of them."""

    extract: str | Callable[[str], Any] = Field(default="auto", exclude=True, repr=False)
    """How an answer is read: an extractor's name ("auto", "boxed", "number", "choice", "json", "code", "text"),
    `answers.regex(...)`, `answers.first_of(...)`, or a callable: text -> answer; `None` means no answer."""

    agreement: AgreementName = "canonical"
    """When two answers of a member agree: "canonical" by their canonical form; "math" also as mathematics (extra
    `math`); "embedding" if the replies' vectors are alike, for prose and code."""

    embedding: Any = Field(default=None, exclude=True, repr=False)
    """For agreement="embedding", and for a rule by question fitted on embeddings: a LangChain `Embeddings`, a
    LlamaIndex `BaseEmbedding`, or a function: text -> vector."""

    tau: float = 0.9
    """For agreement="embedding": the least cosine similarity of answers that agree."""

    accuracies: dict[str, float] | None = None
    """Validation accuracy by label, 0 to 1: the tie-break. Without it the given order is the rank."""

    plan: Plan = "parallel"
    """"parallel" asks for all samples at once; "cascade" asks the best-ranked member first and the next one only while
    the outcome is open; "adaptive" asks for one sample after another while the outcome is open, and "cheapest" does so
    by what samples cost (`prices`). None of these changes (model, answer). "first_round", the paper's stop, can: if the
    members' first samples all give one answer, that is the answer."""

    wait: SkipValidation[Wait] = "settled"
    """"settled" answers as soon as no outstanding sample can change (model, answer); "exhausted" waits for all samples,
    which gives the exact confidence; {"risk": 0.01} answers as soon as the chance that outstanding samples change the
    answer is below 1 %. Without this option a fitted rule waits for all, and thresholds always do."""

    rule: SkipValidation[RuleLike] = Field(default="self-consistency", exclude=True, repr=False)
    """What decides among the answers: "self-consistency", Algorithm 1; "pooled", one vote of all samples (Agent
    Forest); or a rule fitted on a recording, which `from_selection` brings along."""

    confidence: SkipValidation[ConfidenceLike] = Field(default=CONSISTENCY, exclude=True, repr=False)
    """How sure a member is of its answer. "consistency": the share of its samples that give it, Algorithm 1. With any
    other confidence each sample counts by its score: "logprob", the mean probability of the reply's tokens, for members
    whose server reports them; "verbalised", what the model says when it is asked, which is kept out of its text;
    "judge", the rating of a model; or a function of the reply's text, such as a reward model: a number from 0 to 1. All
    samples are then waited for."""

    judge: Any = Field(default=None, exclude=True, repr=False)
    """For confidence="judge": the label of the member that rates, or another model; `None`: the best-ranked member."""

    abstain_below: float | None = None
    """With a fitted rule: the mux gives no answer if the probability of being right is below this."""

    abstain_with: str = "I do not know."
    """The text that is returned if the mux abstains."""

    escalate_to: Any = Field(default=None, exclude=True, repr=False)
    """With a fitted rule: a bigger model that is asked once if the probability is below `escalate_below`."""

    escalate_below: float | None = None
    """The bigger model is asked if the probability is below this, or if no member replied. If it fails too, the mux
    answers itself. Escalation comes before `abstain_below`."""

    max_concurrency: int = 64
    """Calls at once over the whole mux, batches included."""

    timeout: float | None = None
    """Seconds a call may take before its votes are lost."""

    deadline: float | None = None
    """Seconds until the mux answers with the best of what has arrived."""

    budget: SkipValidation[dict[str, int | float] | None] = None
    """What one answer may cost: {"calls": 10}, never exceeded, {"tokens": 2000}, or {"cost": 0.01} in the currency of
    `prices`. Each call in flight has its prompt and its max_tokens set aside from the tokens or the cost; the first
    call goes alone and tells the prompt's size."""

    prices: SkipValidation[PriceTable | None] = None
    """What a million tokens of each member cost: {label: {"input": 0.10, "output": 0.40}}, with "cached_input" for what
    a server reads from its cache and "cache_write" for what it writes into it; or "litellm" in place of a price, or for
    all members, for the price in LiteLLM's table (extra `litellm`). The usage in the record then has the `cost`. With
    `escalate_to`, the bigger model's price is named "escalate_to"."""

    trace_samples: bool = True
    """Whether each sample is a traced run of its own below the mux's run."""

    system_prompt: str | None = None
    """Put in front of every request that has no system message."""

    max_tokens: int | None = None
    """Set on copies of the members that have it."""

    max_retries: int | None = None
    """Set on copies of the members that have it. Calls of the others are made again by the mux, this often (`None`:
    twice), if their fault passes: 429, 502, 503, or a connection that broke off."""

    stop: list[str] | None = None
    """Stop sequences for calls that give none."""

    vote_on: list[str] | None = None
    """The fields of an object that are voted on: of a schema's value, or of the JSON in a reply. `None` votes on all
    but free-text explanations (`reason`, `explanation` and the like), how sure a model says it is, and what a schema
    marks with `json_schema_extra={"decisive": False}`. The record names the fields in `voted_on`."""

    no_answer: list[str] = []
    """Answers that are none, such as ["unknown", "I don't know"]: a sample with one of them abstains. Compared with the
    whole answer, in any case."""

    record: Literal["compact", "full"] = "compact"
    """"compact" shortens long answers in the record and marks them, so that it stays below 2 kB for three members of
    five samples; "full" keeps them whole."""

    on_abandoned: Callable[[str, dict[str, Any]], Any] | None = Field(default=None, exclude=True, repr=False)
    """Called with the label of a member and the tokens of its replies that no record counts: a reply arrives after the
    record was written, as a call on a thread cannot be stopped, or the question ends in an error or is cancelled. What
    it raises is logged."""

    # What the sentences of the checks call a member, and an example of one.
    _kind: ClassVar[str] = "model"
    _example: ClassVar[str] = "..."

    _members: dict[str, Any] = PrivateAttr(default_factory=dict)
    _bigger: dict[str, Any] = PrivateAttr(default_factory=dict)  # the model escalated to: one or none
    _judges: dict[str, Any] = PrivateAttr(default_factory=dict)  # the judge, if it is no member
    _agreement: Agreement = PrivateAttr()
    _policy: Policy = PrivateAttr()
    _no_answers: NoAnswers = PrivateAttr()
    _prices: dict[str, Price] = PrivateAttr(default_factory=dict)
    _pool: Pool = PrivateAttr()

    # --- hooks: what a framework alone knows ----------------------------------------------------------------------

    @classmethod
    def _own_name(cls, label: str, model: Any) -> str:
        """Return the name that a model of a list goes by; raises MemberError if it cannot be a member."""
        raise NotImplementedError

    @classmethod
    def _check_member(cls, label: str, model: Any) -> None:
        """Raise MemberError if a model cannot be a member."""
        raise NotImplementedError

    @classmethod
    def _new_members(
        cls,
        models: Mapping[str, Any],
        *,
        samples: Mapping[str, int],
        temperature: Mapping[str, float],
        settings: Mapping[str, Any],
    ) -> Mapping[str, Member]:
        """Return a member for each model, ready to be sampled, in the given order."""
        raise NotImplementedError

    @classmethod
    def _model_at(cls, endpoint: "Endpoint") -> Any:
        """Return the framework's model that asks an endpoint of a `mux.toml`."""
        raise NotImplementedError

    def _plain_question(self, text: str) -> Question[Any]:
        """Return a text as the question that the mux would ask, for a profile."""
        raise NotImplementedError

    def _judge_question(self, prompt: str, account: Account) -> Question[Any]:
        """Return a prompt as a question for a judge, whose tokens are counted in an account."""
        raise NotImplementedError

    # --- construction ---------------------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # type checkers derive the signature from the fields

        def __init__(self, **options: Any) -> None:
            cls = type(self)
            aliases = {field.alias for field in cls.model_fields.values() if field.alias}
            warn_unknown(cls._public_name(), options, {*cls.model_fields, *aliases})
            fault = None
            try:
                super().__init__(**{"models": {}, **options})
            except ValidationError as error:
                fault = argument_error(error)
            if fault is not None:  # raised out here, or it would carry the error that quotes the values passed
                raise fault

    @classmethod
    def _public_name(cls) -> str:
        """Return the class's name as people import it, also for a subclass of theirs."""
        return cls.__name__

    @field_validator("models", mode="before")
    @classmethod
    def _label(cls, models: Any) -> dict[str, Any]:
        if isinstance(models, Labelled):  # of a mux that was made before: checked, and shared with it
            return models
        labelled = label_models(models, cls._own_name, what=cls._kind, example=cls._example)
        for label, model in labelled.items():
            cls._check_member(label, model)
        return Labelled(labelled)

    _no_bool = field_validator(
        "samples", "temperature", "tau", "abstain_below", "escalate_below", "max_tokens", "max_retries",
        "max_concurrency", "timeout", "deadline", mode="before",
    )(no_bool)  # fmt: skip

    @field_validator("no_answer", mode="before")
    @classmethod
    def _check_no_answer(cls, texts: Any) -> Any:
        NoAnswers(texts)
        return list(texts)

    @field_validator("extract")
    @classmethod
    def _check_extract(cls, extract: str | Callable[[str], Any]) -> str | Callable[[str], Any]:
        reader(extract)
        return extract

    @model_validator(mode="after")
    def _prepare(self) -> Self:
        if not self._labelled.unset:
            self._labelled.unset = frozenset(Mux.model_fields) - self.model_fields_set
        self._make_members()
        return self

    def _make_members(self) -> None:
        """Make everything that follows from the options: members, agreement, rule and the places for calls."""
        options = member_options(self, self._labelled)
        check_confidence(self, options.rank)
        settings: dict[str, Any] = dict(options.settings)
        if self.confidence == "logprob":
            settings["logprobs"] = True
        members = self._new_members(
            self._labelled, samples=options.samples, temperature=options.temperature, settings=settings
        )
        self._pool = self._labelled.window(self.max_concurrency)
        for label, member in members.items():
            member.memory = self._labelled.memory(label)
            if self.max_retries is not None:
                member.most_retries = self.max_retries
        self._members = {label: members[label] for label in options.rank}
        warn_if_unbounded(self.budget, {label: longest_reply(m.model, m.kwargs) for label, m in members.items()})
        bigger = {} if self.escalate_to is None else {ESCALATION: self.escalate_to}
        self._bigger = dict(self._new_members(bigger, samples={ESCALATION: 1}, temperature={}, settings={}))
        self._judges = {}
        if self.judge is not None and not isinstance(self.judge, str):
            self._check_member(JUDGE, self.judge)
            if JUDGE in self._labelled:
                raise ArgumentError(f"a member is labelled {JUDGE!r}, as the judge is; give the member another name")
            self._judges = dict(self._new_members({JUDGE: self.judge}, samples={JUDGE: 1}, temperature={}, settings={}))
        for member in self._callable_members.values():
            member.pace = kept_alive(member.model, member.memory.rest, member.pace, self._pool.readers)
        self._prices = prices_of(self.prices, self._callable_members, optional=ESCALATION, budget=self.budget)
        self._agreement = agreement_of(self.agreement, own_embedding(self), self.tau)
        self._policy = policy_of(self, options.rank, explicit=self._is_set("wait"))
        if self.confidence != CONSISTENCY:  # a score of some samples is none of the answer
            self._policy = replace(self._policy, wait="exhausted")
        is_algorithm_1 = self.rule == "self-consistency" and self._agreement.group is None
        check_wait(self._policy.wait, is_algorithm_1=is_algorithm_1)
        self._no_answers = NoAnswers(self.no_answer)

    def _is_set(self, name: str) -> bool:
        """Return whether an option was chosen; a mux that was configured from another has all of them as fields."""
        is_default = getattr(self, name) == type(self).model_fields[name].default
        return name in self.model_fields_set and not (name in self._labelled.unset and is_default)

    @property
    def _labelled(self) -> Labelled:
        return cast("Labelled", self.models)  # a list was labelled when it was validated

    @property
    def _callable_members(self) -> dict[str, Any]:
        """Every member that may be called, the bigger model and the judge included."""
        return {**self._members, **self._bigger, **self._judges}

    @property
    def k(self) -> dict[str, int]:
        """The samples of each member, by label in rank order."""
        return by_label("samples", self.samples, self._members or self._labelled)

    @property
    def _is_one(self) -> bool:
        """Whether the mux has one member and draws one sample of it: then it is its member, to whoever listens."""
        return not self._bigger and self.confidence == CONSISTENCY and list(self.k.values()) == [1]

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an option as if it had been passed at first: it is checked, and what depends on it follows."""
        if name in Mux.model_fields:
            self._take({name: value})
        else:
            super().__setattr__(name, value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy whose changed options are checked as if they had been passed at first."""
        options = {name: value for name, value in (update or {}).items() if name in Mux.model_fields}
        others = {name: value for name, value in (update or {}).items() if name not in Mux.model_fields}
        copied = super().model_copy(update=others, deep=deep)
        if options:
            copied._take(options)
        return copied

    def _take(self, options: Mapping[str, Any]) -> None:
        """Take some options from a twin made with them.

        The twin is validated without `__init__`, so a subclass may have one of its own; and from what was set alone, so
        a default stays one.
        """
        twin = _validated(type(self), {name: getattr(self, name) for name in self.model_fields_set} | dict(options))
        for name in options:
            super().__setattr__(name, getattr(twin, name))
        self._members, self._bigger, self._prices = twin._members, twin._bigger, twin._prices
        self._judges = twin._judges
        self._agreement, self._policy, self._no_answers = twin._agreement, twin._policy, twin._no_answers
        if "max_concurrency" in options:  # calls under way hold places, which no other option changes
            self._pool = twin._pool

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the options, members included: a pickle holds what the members' own pickles hold, keys too."""
        options = {name: getattr(self, name) for name in self.model_fields_set if self._pickles(name)}
        return _unpickled, (type(self), options, self._own_state)

    def _pickles(self, name: str) -> bool:  # noqa: ARG002 - of the framework's own options, some may not
        """Return whether an option goes into a pickle."""
        return True

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Return a mux of deep copies of the options, with places for calls of its own, since locks are not copied."""
        options = {name: getattr(self, name) for name in self.model_fields_set}
        return _unpickled(type(self), deepcopy(options, memo), deepcopy(self._own_state, memo))

    @property
    def _own_state(self) -> dict[str, Any]:
        """What an instance holds beside its options and what follows from them."""
        return {name: value for name, value in (self.__pydantic_private__ or {}).items() if name not in _DERIVED}

    def __repr__(self) -> str:
        k = self.k
        return f"{type(self).__name__}({', '.join(f'{label} x {count}' for label, count in k.items())})"

    __str__ = __repr__

    @classmethod
    def from_config(cls, source: "str | Path | Config", **options: Any) -> Self:
        """Return the mux that a `mux.toml` describes.

        Args:
            source: The file, or a configuration that was loaded from one.
            options: This class's own arguments, which replace those of the file.

        Raises:
            ConfigError: The file cannot be read; names the line.
        """
        # Imported here because it brings the local models with it.
        from slmmux._mux.from_config import arguments  # noqa: PLC0415

        return cls(**{**arguments(source, cls._model_at), **options})

    @classmethod
    def from_selection(
        cls,
        selection: "Selection | str | PathLike[str]",
        models: Mapping[str, Any],
        *,
        size: int | None = None,
        **options: Any,
    ) -> Self:
        """Return the mux that `select_complementary()` chose: its models, k, rank, rule, extractor and instruction.

        Args:
            selection: A selection, or the path of a saved one.
            models: The framework's models by the labels they were profiled under; those of the whole pool will do.
            size: The size of the subset to serve; `None` serves the best of all sizes.
            options: This class's own arguments, which replace those of the selection.

        Raises:
            ArgumentError: A chosen model is not among `models`, or the selection has no subset of this size.

        Warns if a setting differs from the one that was profiled.
        """
        # Imported here because the offline half brings numpy with it.
        from slmmux._mux.from_selection import selected_arguments  # noqa: PLC0415

        return cls(**selected_arguments(selection, models, size, options))

    # --- one question ---------------------------------------------------------------------------------------------

    def _answer(self, question: Question[R]) -> Result[R]:
        """Ask one question on threads."""
        clock = Clock(self.deadline)
        try:
            rule, name = self._policy.at(self.k, question.text, self._pool.readers, clock), None
        except LateError:
            rule, name = None, "self-consistency"
        limits = self._limits(question, clock, name)
        with taken_observer() as observe, self._noting_outages(limits), _dropping(question.account):
            scoring = _Scoring(self, question)
            flow = self._flow(question, rule, scoring)
            result = run(flow, scoring.sampling, limits, self._pool, scoring.observing(observe))
        return self._with_resting(result, limits)

    async def _aanswer(self, question: Question[R]) -> Result[R]:
        """Ask one question on the event loop."""
        clock = Clock(self.deadline)
        try:
            rule, name = await self._policy.aat(self.k, question.text, self._pool.readers, clock), None
        except LateError:
            rule, name = None, "self-consistency"
        limits = self._limits(question, clock, name)
        with taken_observer() as observe, self._noting_outages(limits), _dropping(question.account):
            scoring = _Scoring(self, question)
            flow = self._flow(question, rule, scoring)
            result = await arun(flow, scoring.sampling, limits, self._pool, scoring.observing(observe))
        return self._with_resting(result, limits)

    def _with_resting(self, result: Result[R], limits: Limits) -> Result[R]:
        """Note which members failed and which replied."""
        note_failures(result.decision, self._rests, self._members.keys() - limits.resting)
        count_abandoned(result.decision.abandoned)
        return replace(result, resting=tuple(limits.resting), rule=limits.rule)

    @contextmanager
    def _noting_outages(self, limits: Limits) -> Iterator[None]:
        """Note that no member replied, if that is how the question ends."""
        try:
            yield
        except NoAnswerError as failure:
            note_outage(failure, self._rests, self._members.keys() - limits.resting)
            raise

    @property
    def _rests(self) -> dict[str, Rest]:
        return {label: member.memory.rest for label, member in self._members.items()}

    def _warn_of_equal_samples(self, kwargs: Mapping[str, Any]) -> None:
        """Warn of call arguments that make a member's samples equal, as is done for its own settings."""
        for label, k in self.k.items():
            warn_if_equal(label, k, temperature=kwargs.get("temperature"), seed=kwargs.get("seed"))

    def _priced(self, label: str, usage: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tokens of a member's reply with their cost, if it has a price."""
        return priced(usage, self._prices.get(label))

    def _account(self) -> Account:
        """Return where the tokens and the cost of one question are counted."""
        return Account(self.on_abandoned, self._prices)

    def _flow(self, question: Question[R], rule: WeightedRule | None, scoring: "_Scoring[R]") -> Flow[R]:
        race = Race(
            self.k,
            self._reading(question, scoring),
            plan=self.plan,
            wait=self._policy.wait,
            group=self._agreement.group,
            rule=rule,
            has_content=question.has_content,
            # The prompt's length is not known yet: a sample counts as much input as output.
            costs={label: price.input + price.output for label, price in self._prices.items() if label in self.k}
            if self._prices.keys() >= self.k.keys()
            else None,
        )
        bigger = Race({ESCALATION: 1}, question.read) if self._bigger else None
        return answer_flow(race, self._policy, bigger, None if self.confidence == CONSISTENCY else scoring.settle)

    def _reading(self, question: Question[R], scoring: "_Scoring[R] | None" = None) -> Callable[[R], Answer | None]:
        """Return how replies are read for the vote: too long ones, and answers that are none, abstain."""
        no_answers = self._no_answers

        def read(reply: R) -> Answer | None:
            answer = read_within(question, reply)
            if no_answers and no_answers.holds(answer):
                return None
            if answer is not None and scoring is not None:
                scoring.note(reply)
            return answer

        return read

    def _score(self, question: Question[R], reply: R) -> float | None:
        """Return the score that a reply has by itself; a judge's comes later."""
        if callable(self.confidence):
            return reward_of(self.confidence, question.text_of(reply))
        if self.confidence == "logprob":
            return mean_probability(question.logprobs_of(reply))
        return question.stated_by(reply) if self.confidence == "verbalised" else None

    @property
    def _judge_label(self) -> str:
        """The label under which the judge is called."""
        return next(iter(self._judges), self.judge or next(iter(self._members)))

    def _may_take_long(self, question: Question[R]) -> Callable[[R], bool]:
        """Return whether a reply may take long to read: it is long itself, or code of the user's reads it."""
        if not isinstance(self.extract, str) or callable(self.confidence) or question.extractor == "structured":
            return lambda _: True
        return lambda reply: is_longer(question.content_of(reply), QUICK)

    def _limits(self, question: Question[R], clock: Clock, rule: str | None) -> Limits:
        budget = None
        if self.budget is not None:
            longest = question.longest
            budget = Budget(
                self.budget,
                lambda draw: longest[draw.model],
                lambda reply: question.usage_of(reply)["total_tokens"],
                lambda reply: question.usage_of(reply)["input_tokens"],
                cost=lambda label, reply: float(
                    priced(question.usage_of(reply), self._prices.get(label)).get(COST, 0.0)
                ),
                prices=self._prices,
            )
        return Limits(
            self._agreement.compare,
            self.timeout,
            clock,
            budget,
            resting(self._rests),
            self._may_take_long(question),
            rule,
            # A mux of one is its member, whose user said how often it tries.
            {} if self._is_one else {label: m.retries for label, m in self._callable_members.items()},
        )

    def _record(self, result: Result[R], question: Question[R]) -> dict[str, Any]:
        """Return the record of an answered question."""
        usage = question.account.usage
        full = record(
            result.decision,
            plan=self.plan,
            extractor=question.extractor,
            usage=usage,
            equality=self._agreement.name,
            rule=result.rule or self._policy.name,
            outcome=result.outcome,
            escalation=self._escalation(result, question),
            abandoned_usage=question.account.close(),
            calls=question.account.calls,
            resting=result.resting,
            too_long=number_too_long(question, result.decision.samples),
            confidence_by=None if self.confidence == CONSISTENCY else confidence_name(self.confidence),
        )
        full["usage"] |= {name: usage[name] for name in DETAILS if name in usage}
        if self._prices:
            full["usage"].setdefault(COST, 0.0)  # nothing arrived
        self._warn_of_lost(result.decision, [*full["lost"], *result.decision.silent])
        return compact(full) if self.record == "compact" else full

    def _escalation(self, result: Result[R], question: Question[R]) -> Escalation | None:
        name = str(self._bigger_name)
        if result.bigger is not None:
            bigger = result.bigger
            usage = priced(question.usage_of(bigger.reply), self._prices.get(ESCALATION))
            return Escalation(name, usage, answer=bigger.winner.answer)
        return None if result.fault is None else Escalation(name, no_usage(), error=str(result.fault))

    def _warn_of_lost(self, decision: Decision[Any], lost: Collection[str]) -> None:
        """Tell the user once of each member of which nothing came: the pool is smaller than it looks."""
        for label in lost:
            memory = self._members[label].memory
            if memory.lost:
                continue
            memory.lost = True
            if label in decision.silent:
                _log.warning("member %r brought no reply by the deadline and has no vote", label)
                continue
            cause = next(s.error for s in decision.samples if s.draw.model == label and s.error is not None)
            _log.warning("member %r failed on all of its samples and has no vote: %s", label, quote(cause))

    @property
    def _bigger_name(self) -> str | None:
        return self._own_name(ESCALATION, self.escalate_to) if self._bigger else None


@contextmanager
def _dropping(account: Account) -> Iterator[None]:
    """Let an account end without a record, if that is how the question ends: by an error, or cancelled."""
    try:
        yield
    except BaseException:
        account.drop()
        raise


class _Scoring(Generic[R]):
    """The scores of one question's samples, by the mux's confidence.

    Args:
        mux: The mux.
        question: The question.
    """

    def __init__(self, mux: Mux, question: Question[R]) -> None:
        self._mux = mux
        self._question = question
        self._scores = Scores[R]()
        self._judging: Judging[R] | None = None

    def note(self, reply: R) -> None:
        """Keep the score that a reply has by itself."""
        if self._mux.confidence != CONSISTENCY:
            self._scores.note(reply, self._mux._score(self._question, reply))

    def sampling(self, race: Race[R]) -> Sampling[R]:
        """Return the calls of a race: the members', or the judge's."""
        return self._question.sampling(race) if self._judging is None else self._judging.sampling(race)

    def observing(self, observe: Observe | None) -> Observe | None:
        """Return an observer of the members' samples that is not told of the judge's."""
        if observe is None or self._mux.confidence != "judge":
            return observe
        return lambda sample: None if self._judging is not None else observe(sample)

    def settle(self, decision: Decision[R]) -> Generator[Race[R], Decision[R], Decision[R]]:
        """Yield the judge's race, if there is one, and return the decision by the scores."""
        judged: Mapping[Draw, float] = {}
        if self._mux.confidence == "judge":
            account = self._question.account
            judging = Judging(
                decision,
                self._question,
                self._mux._judge_label,
                lambda prompt: self._mux._judge_question(prompt, account),
            )
            if (race := judging.race()) is not None:
                self._judging = judging
                try:
                    judged = judging.scores((yield race))
                except NoAnswerError as failure:  # without a rating the members' own agreement decides
                    _log.warning("the judge rated nothing, so self-consistency decides: %s", failure)
        return self._scores.settle(decision, judged)


M = TypeVar("M", bound=Mux)

# What follows from the options.
_DERIVED = {"_members", "_bigger", "_judges", "_agreement", "_policy", "_no_answers", "_prices", "_pool"}


def _validated(cls: type[M], options: Mapping[str, Any]) -> M:
    """Return a mux of a class, validated from its options alone: a subclass may have an `__init__` of its own."""
    mux = cls.__new__(cls)
    fault = None
    try:
        cls.__pydantic_validator__.validate_python(
            {cls.model_fields[name].alias or name: value for name, value in options.items()}, self_instance=mux
        )
    except ValidationError as error:
        fault = argument_error(error)
    if fault is not None:  # raised out here, or it would carry the error that quotes the values passed
        raise fault
    return mux


def _unpickled(cls: type[M], options: Mapping[str, Any], own: Mapping[str, Any]) -> M:
    mux = _validated(cls, options)
    for name, value in own.items():
        setattr(mux, name, value)
    return mux
