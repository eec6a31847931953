"""`python -m balefire`."""

from balefire.cli import main

main()
