"""What is normal on a network, as it was learned and as people edit it."""
