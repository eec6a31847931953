"""Zones and conduits (IEC 62443): who may do what to whom, as data that becomes rules."""
