"""Ways that reports leave by: one file a channel, found by being here. Nothing else of Balefire sends, and no sensor imports this."""
