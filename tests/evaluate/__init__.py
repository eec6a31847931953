"""How well detectors do on labelled captures and on plants: `make evaluate` writes docs/evaluation.md."""
