"""LISTEN: from the wire to activities. Imports only records."""
