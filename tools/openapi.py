"""Write docs/openapi.json, the HTTP API's description, from the application itself."""

import argparse
import json
import sys
from collections.abc import Sequence

from services.settings import CHECKOUT, Settings
from services.web import create_app

FILE = CHECKOUT / "docs" / "openapi.json"


def render() -> str:
    """The document's text; the same for the same code, whatever the settings."""
    return json.dumps(create_app(Settings()).openapi(), ensure_ascii=False, indent=1) + "\n"


def is_stale() -> bool:
    """Whether the file is not what the code says now."""
    return not FILE.exists() or FILE.read_text("utf-8") != render()


def main(arguments: Sequence[str]) -> int:
    """Write the document, or with `--check` only say whether it is stale; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when the file is stale")
    if not parser.parse_args(arguments).check:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(render(), "utf-8")
    elif is_stale():
        print(f"{FILE.name} is stale: run python -m tools.openapi")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
