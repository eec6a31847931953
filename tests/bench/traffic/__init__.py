"""One minute of a plant's traffic, and its repetition without end.

A `Template` records a minute of packets once, in Python; `Repetition` then writes that minute again and again with times, IP identifications, ports,
TCP sequence numbers, counters and measured values moved on, and with checksums that are right. Connections go on over the border of two minutes.
"""
