"""TELL: from the store to regulators. Imports only records, sensors and detectors."""
