"""A simulated plant that writes a capture and its labels: a water works, a substation or a packaging hall, another one for each seed. No network, no clock but its own."""
