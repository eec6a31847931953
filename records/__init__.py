"""KNOW: what is recorded, what it is called, where it is kept. Imports nothing of the other layers."""
