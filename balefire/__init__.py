"""RUN: settings, the pipeline and the command line, on top of all other layers."""
