"""RUN: settings, the pipeline and the command line, on top of all other layers."""

import os

# Arrow reads it when it is first imported. Its own allocator keeps what a commit or a merge of files needed for a moment, a large share of a replay.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
# … and numpy. Tables are large and little of them is used: with pages of 2 MiB a replay took 57 MiB more, and was no faster.
os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
