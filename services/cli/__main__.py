"""`python -m services.cli` is `cpor`."""

from services.cli import main

main()
