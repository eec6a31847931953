"""spool"""

from __future__ import annotations

import os
import re
from hashlib import blake2b
from pathlib import Path


def place_of(where: str) -> Path:
    """The directory of what waits for a store that is elsewhere: below BALEFIRE_SPOOL, else in the user's data directory."""
    import platformdirs

    root = Path(os.environ.get("BALEFIRE_SPOOL") or platformdirs.user_data_path("balefire") / "spool")
    name = re.sub(r"[^a-z0-9]+", "-", where.partition("://")[2].lower()).strip("-")[:60]
    return root / f"{name}-{blake2b(where.encode(), digest_size=4).hexdigest()}"
