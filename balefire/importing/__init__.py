"""What the plant knows, from its spreadsheets: sheets to rows, rows to entries, and what disagrees with the wire."""
