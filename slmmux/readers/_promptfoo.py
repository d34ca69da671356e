"""Samples in promptfoo's output, JSON or JSON Lines: a result for each test, prompt and provider.

From version 3 of its output on, a result holds its own test case; before that, the assertions are in the table that
follows the results. A result whose assertion failed has an `error` too, so only `failureReason` tells a call that
failed from an answer that was wrong.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from slmmux._errors import RecordingError
from slmmux._files.fields import key_of, message_text
from slmmux._files.read import document
from slmmux._files.table import json_items
from slmmux._files.values import json_list, json_value
from slmmux.readers._foreign import Foreign, Request, at_limit
from slmmux.recording._gold import TESTS, accepted, are_tests, gold_of
from slmmux.recording._row import Row

__all__ = ["samples"]

_INSTEAD = "give the file of `promptfoo eval --output results.json` or .jsonl"
_CALL_FAILED = 2  # promptfoo's failureReason; 1 is an assertion that failed
# The assertions whose value is an answer; those by a program or a model have none that could be compared.
_OF_A_VALUE = {"equals", "contains", "icontains", "starts-with"}
_OF_ANY = {"contains-any", "icontains-any"}
_VARIABLE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")
_UNCOMPARED = "no gold answer, since the test has no assertion with a value to compare (equals, contains, icontains)"


def samples(files: Sequence[Path], request: Request) -> Iterator[Foreign]:
    """Yield the samples of files, file by file.

    Raises:
        RecordingError: A file has another form, or no results.
    """
    for path in files:
        empty = True
        for number, (place, result) in enumerate(_results(path)):
            empty = False
            yield _sample(path, place, number, result, request)
        if empty:
            raise RecordingError(f"{path}: the file has no results; {_INSTEAD}")


def _results(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if ".jsonl" in path.name:
        values = [(place, json_value(data, place, _INSTEAD)) for place, data in json_items(path)]
    else:
        content = json_value(document(path), str(path), _INSTEAD)
        evals = content.get("evals") if isinstance(content, dict) else content
        if isinstance(evals, list) and all(isinstance(each, dict) and "results" in each for each in evals):
            parts = [(f"{path} evals.{number}", each) for number, each in enumerate(evals)]
        else:
            parts = [(str(path), content)]
        values = [value for place, part in parts for value in _of_one(place, part)]
    for place, value in values:
        if not (isinstance(value, dict) and "provider" in value and ("prompt" in value or "vars" in value)):
            raise RecordingError(f"{place}: a result has a provider and a prompt; {_INSTEAD}")
        yield place, value


def _of_one(place: str, content: Any) -> list[tuple[str, Any]]:
    """Return the results of one evaluation; a file may have a list of them, of which later ones are further samples."""
    summary = content.get("results") if isinstance(content, dict) else content
    tests: list[Any] = []
    if isinstance(summary, dict):
        tests = _tests(summary)
        summary = summary.get("results")
    if not isinstance(summary, list):
        raise RecordingError(f"{place}: there is no list of results; {_INSTEAD}")
    if len(tests) == len(summary):
        summary = [
            {"testCase": test, **result} if isinstance(result, dict) else result
            for result, test in zip(summary, tests, strict=True)
        ]
    return [(f"{place} results.{number}", result) for number, result in enumerate(summary)]


def _tests(summary: Mapping[str, Any]) -> list[Any]:
    """Return the test case of each result, from the table of an older output: one row a test, one cell a prompt."""
    table = summary.get("table")
    body = table.get("body") if isinstance(table, dict) else None
    return [
        row.get("test") or {}
        for row in (body if isinstance(body, list) else [])
        if isinstance(row, dict)
        for _ in row.get("outputs") or ()
    ]


def _sample(path: Path, place: str, number: int, result: Mapping[str, Any], request: Request) -> Foreign:
    question = _question(result)
    response = result.get("response")
    response = response if isinstance(response, dict) else {}
    output = response.get("output")
    text = output if isinstance(output, str) or output is None else json.dumps(output, ensure_ascii=False)
    error = _failure(result, response, text)
    gold = _gold(result, question, place)
    tests = are_tests(gold)
    usage = response.get("tokenUsage") or result.get("tokenUsage") or {}
    milliseconds = result.get("latencyMs")
    success = result.get("success")
    row = Row(
        question_id=key_of(question),
        model=request.model or _provider(result["provider"]),
        sample_index=number,
        answer=None,
        question=question,
        gold=None if tests else gold,
        text=None if error is not None else text,
        input_tokens=_count(usage.get("prompt")),
        output_tokens=_count(usage.get("completion")),
        latency_s=milliseconds / 1000 if isinstance(milliseconds, int | float) else None,
        error=error,
        score=float(success) if isinstance(success, bool) and error is None else None,
    )
    config = result.get("provider")
    options = config.get("config") if isinstance(config, dict) else None
    settings = {"temperature": options["temperature"]} if isinstance(options, dict) and "temperature" in options else {}
    note = TESTS if tests else _UNCOMPARED if gold is None else None
    return Foreign(path, place, row, settings, note, at_limit(response.get("finishReason")))


def _provider(provider: Any) -> str:
    if isinstance(provider, dict):
        return str(provider.get("label") or provider.get("id") or "provider")
    return str(provider)


def _question(result: Mapping[str, Any]) -> str | None:
    prompt = result.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, dict) else prompt
    if not isinstance(raw, str):
        return message_text(raw) or json.dumps(result.get("vars"), ensure_ascii=False, sort_keys=True)
    chat = json_list(raw) if raw.lstrip()[:1] == "[" else raw  # promptfoo renders a chat as JSON.
    return message_text(chat) or raw


def _failure(result: Mapping[str, Any], response: Mapping[str, Any], text: str | None) -> str | None:
    reason = result.get("failureReason")
    error = response.get("error") or result.get("error")
    if reason == _CALL_FAILED or response.get("error") or (reason is None and text is None and error):
        return str(error or "the call failed")
    if text is None and not response:
        return str(error or "the result has no response")
    return None


def _gold(result: Mapping[str, Any], question: str | None, place: str) -> Any:
    test = result.get("testCase")
    assertions = list(_flat(test.get("assert"))) if isinstance(test, dict) else []
    if not assertions:
        grading = result.get("gradingResult")
        parts = grading.get("componentResults") if isinstance(grading, dict) else None
        assertions = [part["assertion"] for part in parts or () if isinstance(part, dict) and part.get("assertion")]
    values: list[Any] = []
    for assertion in assertions:
        value, kind = assertion.get("value"), assertion.get("type")
        if kind in _OF_A_VALUE:
            values.append(value)
        elif kind in _OF_ANY:
            values += value if isinstance(value, list) else str(value).split(",")
    variables = result.get("vars") or (test.get("vars") if isinstance(test, dict) else None) or {}
    rendered = [_rendered(value, variables) for value in values]
    return accepted(rendered) if are_tests(rendered) else gold_of(rendered, question, place)


def _flat(assertions: Any) -> Iterator[Mapping[str, Any]]:
    for assertion in assertions if isinstance(assertions, list) else ():
        if isinstance(assertion, dict):
            if assertion.get("type") == "assert-set":
                yield from _flat(assertion.get("assert"))
            else:
                yield assertion


def _rendered(value: Any, variables: Any) -> Any:
    """Return an assertion's value with the test's variables in it."""
    if not (isinstance(value, str) and isinstance(variables, dict)):
        return value.strip() if isinstance(value, str) else value
    variable = _VARIABLE.fullmatch(value.strip())
    if variable and variable[1] in variables:
        return variables[variable[1]]
    return _VARIABLE.sub(lambda name: str(variables.get(name[1], name[0])), value).strip()


def _count(value: Any) -> int | None:
    return value if type(value) is int else None
