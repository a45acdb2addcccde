"""Pictures, by Pillow: drawn anew, so that nothing but what is seen is left of them."""

from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from services.inspection.finding import MAX_PAGES, Inspection, NotShown, Page, Problem, fitted

MOST_PIXELS: Final = 40_000_000
"""Of a picture that is unpacked whole: an A4 page at 600 dots an inch has 35 million."""
MOST_PIXELS_OF_JPEG: Final = 200_000_000
"""JPEG is unpacked at a part of its size."""

_TIFF = "image/tiff"
_ORIENTATION = 0x0112
_TURNED = 5
"""From this orientation on, width and height change places."""


def inspect(content: bytes, media_type: str) -> Inspection:
    """Its pages, of which only a TIFF has several. There is no text. Raises NotShown."""
    most = MAX_PAGES + 1 if media_type == _TIFF else 1
    with _opened(content, media_type) as picture:
        pages = list[Page]()
        for number in range(most):
            try:
                picture.seek(number)
            except EOFError:
                break
            pages.append(Page(*_upright(picture, picture.size), ""))
        return Inspection(tuple(pages[:MAX_PAGES]), len(pages))


def draw(content: bytes, media_type: str, number: int, width: int) -> Image.Image:
    """A page, by its number from 1 on. Raises NotShown."""
    with _opened(content, media_type) as picture:
        picture.seek(number - 1)
        size = _upright(picture, fitted(*_upright(picture, picture.size), width))
        if isinstance(picture, JpegImageFile):
            picture.draft("RGB", size)
        elif picture.width * picture.height > MOST_PIXELS:
            raise NotShown(Problem.TOO_LARGE)
        whole: Any = _on_white(picture)  # Pillow leaves a type open here
        small: Image.Image = whole.resize(size, reducing_gap=2.0)
        small.info = {key: value for key, value in picture.info.items() if key == "exif"}
        return ImageOps.exif_transpose(small)


@contextmanager
def _opened(content: bytes, media_type: str) -> Generator[Image.Image]:
    kind = media_type.removeprefix("image/").upper()
    Image.MAX_IMAGE_PIXELS = None  # what is too large is decided here
    try:
        with Image.open(BytesIO(content), formats=[kind]) as picture:
            if picture.width * picture.height > MOST_PIXELS_OF_JPEG:
                raise NotShown(Problem.TOO_LARGE)
            yield picture
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise NotShown(Problem.DAMAGED) from error


def _upright(picture: Image.Image, size: tuple[int, int]) -> tuple[int, int]:
    """A size as it is when the picture stands as its camera was held, and back again.

    Pillow turns a TIFF by itself.
    """
    width, height = size
    is_turned = picture.format != "TIFF" and picture.getexif().get(_ORIENTATION, 1) >= _TURNED
    return (height, width) if is_turned else (width, height)


def _on_white(picture: Image.Image) -> Image.Image:
    """The picture without transparency, which would be black."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    opaque = picture.convert("RGBA")
    paper = Image.new("RGB", opaque.size, "white")
    paper.paste(opaque, mask=opaque.getchannel("A"))
    return paper
