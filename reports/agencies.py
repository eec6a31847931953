"""The agencies towards which a plant may have duties. Accounts are bound to them, and the command line names those in its help: nothing heavy stands here."""

from typing import Final

AGENCIES: Final = ("cyberspace", "police", "protection", "industry", "telecommunications", "bigdata", "csirt", "eisac", "cisa")
