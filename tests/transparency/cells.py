"""Every cell of the table: integrations times situations, of both frameworks; and the commonest four's agents."""

from .langchain.agents import AGENTS as AGENTS_OF_LANGCHAIN
from .langchain.deep_agents import DEEP_AGENTS
from .langchain.integrations import INTEGRATIONS as OF_LANGCHAIN
from .langchain.situations import SITUATIONS as IN_LANGCHAIN
from .langchain.watch import LangChain
from .llamaindex.agents import AGENTS as AGENTS_OF_LLAMAINDEX
from .llamaindex.integrations import INTEGRATIONS as OF_LLAMAINDEX
from .llamaindex.situations import SITUATIONS as IN_LLAMAINDEX
from .llamaindex.watch import LlamaIndex
from .table import Cell

__all__ = ["AGENT_CELLS", "CELLS"]

CELLS = (
    *(Cell(row, column, LangChain()) for row in OF_LANGCHAIN for column in IN_LANGCHAIN),
    *(Cell(row, column, LlamaIndex()) for row in OF_LLAMAINDEX for column in IN_LLAMAINDEX),
)

AGENT_CELLS = (
    *(Cell(row, column, LangChain()) for row in OF_LANGCHAIN if row.common for column in AGENTS_OF_LANGCHAIN),
    # Its middleware for Anthropic's cache of prompts asks for the class ChatAnthropic; see test_agents.py.
    *(
        Cell(row, column, LangChain())
        for row in OF_LANGCHAIN
        if row.common and row.name != "ChatAnthropic"
        for column in DEEP_AGENTS
    ),
    *(Cell(row, column, LlamaIndex()) for row in OF_LLAMAINDEX if row.common for column in AGENTS_OF_LLAMAINDEX),
)
