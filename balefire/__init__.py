"""RUN: settings, the pipeline and the command line, on top of all other layers."""

import os

# Arrow reads it when it is first imported. Its own allocator keeps what a commit or a merge of files needed for a moment, a large share of a replay.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
