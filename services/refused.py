"""What stops a start and can be mended by whoever started it."""


class StartRefused(Exception):  # noqa: N818 - a refusal, named after what it is
    """A start is refused; the text is one sentence that says why and what to do."""
