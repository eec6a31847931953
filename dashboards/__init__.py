"""SHOW: from the store to people. Imports nothing of balefire."""
