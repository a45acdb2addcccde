"""All projections by name."""

from collections.abc import Mapping
from types import MappingProxyType

from projections.board_table import ClaimBoard
from projections.open_clock import OpenClocks
from projections.stage_table import ClaimStages

PROJECTIONS: Mapping[str, type[ClaimBoard] | type[OpenClocks] | type[ClaimStages]] = (
    MappingProxyType(
        {
            ClaimBoard.name: ClaimBoard,
            OpenClocks.name: OpenClocks,
            ClaimStages.name: ClaimStages,
        }
    )
)
"""Each keeps its live tables, or with `beside=True` those that a rebuild fills beside them."""
