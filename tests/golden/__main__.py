"""`python -m tests.golden`."""

from tests.golden import week, write

write()
week.write()
