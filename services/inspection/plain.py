"""Plain text in UTF-8."""

from services.inspection.finding import MAX_PAGE_TEXT, MAX_TEXT, Inspection, Page, readable


def inspect(content: bytes) -> Inspection:
    """What it says, cut into pages where it is long."""
    whole = content.decode("utf-8-sig", "replace")
    text = readable(whole, MAX_TEXT)
    pages = [text[at : at + MAX_PAGE_TEXT] for at in range(0, len(text), MAX_PAGE_TEXT)]
    return Inspection(
        tuple(Page(0, 0, page) for page in pages), max(-(-len(whole) // MAX_PAGE_TEXT), 1)
    )
