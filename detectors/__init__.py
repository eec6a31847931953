"""JUDGE: activities to findings to alerts. Imports only records and sensors."""
