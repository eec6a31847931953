"""Numbers of protocols and what they mean, and the layers of those protocols that are more than one file."""
