"""LangChain's own standard suites, over members that answer by rule, with samples untraced and traced."""

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_slmmux import SLMMuxChatModel

from .rules import RuleChatModel

pytestmark = [
    # The suites build a model with temperature=0: that k samples at temperature 0 are equal is worth a warning.
    pytest.mark.filterwarnings("ignore:.* temperature 0 makes its 2 samples equal:UserWarning"),
    # ... and with an api_key, which a mux has no use for and says so.
    pytest.mark.filterwarnings("ignore:SLMMuxChatModel uses no api_key:UserWarning"),
    # The v3 event stream is beta in langchain-core and warns of it.
    pytest.mark.filterwarnings("ignore:The (method|function) .* is in beta:langchain_core._api.LangChainBetaWarning"),
]

ONE_START = (
    "asserts exactly one on_chat_model_start; with traced samples there is one for the mux and one for each sample"
)


class Mux:
    """What both suites are told about the model."""

    trace_samples = False

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return SLMMuxChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "models": {"a": RuleChatModel(model_name="A"), "b": RuleChatModel(model_name="B")},
            "samples": 2,
            "trace_samples": self.trace_samples,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return False  # model= would turn every member into that model; test_bad_input shows the refusal


class TestUnit(Mux, ChatModelUnitTests):
    """Every unit test passes."""


class TestUntraced(Mux, ChatModelIntegrationTests):
    """Every integration test passes where only the mux's own run is traced."""


class TestTraced(Mux, ChatModelIntegrationTests):
    """With each sample a run of its own, only the tests that count the runs fail."""

    trace_samples = True

    @pytest.mark.xfail(reason=ONE_START, raises=AssertionError, strict=True)
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    def test_structured_output(self, model: BaseChatModel, schema_type: Any) -> None:
        super().test_structured_output(model, schema_type)

    @pytest.mark.xfail(reason=ONE_START, raises=AssertionError, strict=True)
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    async def test_structured_output_async(self, model: BaseChatModel, schema_type: Any) -> None:
        await super().test_structured_output_async(model, schema_type)
