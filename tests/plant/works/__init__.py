"""A simulated plant that writes a capture and its labels; another seed is another plant. No network, no clock but its own."""
