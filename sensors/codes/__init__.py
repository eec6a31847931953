"""Numbers of protocols and what they mean: data only, shared by the protocols of one family."""
