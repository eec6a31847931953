"""A small water plant of genuine Modbus/TCP stacks in network namespaces of its own, and an attack on it: where the demo capture comes from."""
