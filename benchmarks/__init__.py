"""Measurements that docs quote; each module is a program: `python -m benchmarks.NAME`."""
