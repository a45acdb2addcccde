"""Open one document, from standard input, and say on standard output what it holds.

`python -m services.inspection MEDIA_TYPE` writes the inspection as JSON, with `PAGE WIDTH` behind
it that page as PNG. When the exit code is REFUSED, the problem's name stands there instead.
"""

import json
import sys
from dataclasses import asdict
from io import BytesIO

from services.inspection import office, plain
from services.inspection.finding import REFUSED, Inspection, NotShown, Problem
from services.inspection.limit import confine

# PDFium and Pillow are imported where they are needed: one's defects are none of the other's.


def main() -> None:
    """Answer, or say why not."""
    confine()
    media_type, *rest = sys.argv[1:]
    try:
        content = sys.stdin.buffer.read()
        answer = (
            _drawn(content, media_type, *map(int, rest)) if rest else _told(content, media_type)
        )
    except NotShown as refusal:
        _refuse(refusal.problem)
    except (MemoryError, RecursionError):
        _refuse(Problem.TOO_LARGE)
    else:
        sys.stdout.buffer.write(answer)


def _refuse(problem: Problem) -> None:
    sys.stdout.buffer.write(problem.encode())
    sys.stdout.flush()
    sys.exit(REFUSED)


def _told(content: bytes, media_type: str) -> bytes:
    return json.dumps(asdict(_inspected(content, media_type)), ensure_ascii=False).encode()


def _inspected(content: bytes, media_type: str) -> Inspection:
    if media_type == "application/pdf":
        from services.inspection import pdf  # noqa: PLC0415 - only where it is needed

        return pdf.inspect(content)
    if media_type.startswith("image/"):
        from services.inspection import picture  # noqa: PLC0415 - only where it is needed

        return picture.inspect(content, media_type)
    return plain.inspect(content) if media_type == "text/plain" else office.inspect(content)


def _drawn(content: bytes, media_type: str, number: int, width: int) -> bytes:
    if media_type == "application/pdf":
        from services.inspection import pdf  # noqa: PLC0415 - only where it is needed

        drawn = pdf.draw(content, number, width)
    else:
        from services.inspection import picture  # noqa: PLC0415 - only where it is needed

        drawn = picture.draw(content, media_type, number, width)
    drawn.info = {}
    written = BytesIO()
    drawn.save(written, "PNG")
    return written.getvalue()


if __name__ == "__main__":
    main()
