"""Sigma rules on activities: read, check, match, load. Single-event rules of Sigma 2.1; `rules/FORMAT.md` tells what a file holds."""
