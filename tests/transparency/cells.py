"""Every cell of the table: integrations times situations, of both frameworks."""

from .langchain.integrations import INTEGRATIONS as OF_LANGCHAIN
from .langchain.situations import SITUATIONS as IN_LANGCHAIN
from .langchain.watch import LangChain
from .llamaindex.integrations import INTEGRATIONS as OF_LLAMAINDEX
from .llamaindex.situations import SITUATIONS as IN_LLAMAINDEX
from .llamaindex.watch import LlamaIndex
from .table import Cell

__all__ = ["CELLS"]

CELLS = (
    *(Cell(row, column, LangChain()) for row in OF_LANGCHAIN for column in IN_LANGCHAIN),
    *(Cell(row, column, LlamaIndex()) for row in OF_LLAMAINDEX for column in IN_LLAMAINDEX),
)
