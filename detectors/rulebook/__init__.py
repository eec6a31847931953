"""Sigma rules on activities and points: read, check, match, correlate, load. Sigma 2.1; `rules/FORMAT.md` tells what a file holds."""
