"""The process that trains and infers: loads plugins, drives generators, answers requests; no Qt."""
