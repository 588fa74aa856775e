"""The clusters of the open run: one row per cluster, the most typical images first."""
