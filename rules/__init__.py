"""The rules that come with Balefire: `<area>/<id>.yml`, each with its own tests; FORMAT.md tells how to write one."""
