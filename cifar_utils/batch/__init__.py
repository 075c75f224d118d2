"""The notebooks in batch: planned, run side by side, here or on a cluster."""

import sys

# nbformat brings jsonschema, which at import makes a grammar of web addresses in all scripts: a
# second of each process, for a check that no notebook needs. Without that package it skips it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
