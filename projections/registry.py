"""All projections by name."""

from collections.abc import Mapping
from types import MappingProxyType

from projections.board_table import ClaimBoard
from projections.open_clock import OpenClocks

PROJECTIONS: Mapping[str, type[ClaimBoard] | type[OpenClocks]] = MappingProxyType(
    {ClaimBoard.name: ClaimBoard, OpenClocks.name: OpenClocks}
)
"""Each keeps its live tables, or with `beside=True` those that a rebuild fills beside them."""
