"""Housekeeping of a store: one file a job, found by being here (`balefire.schedule.jobs`)."""
