"""The anomaly inspector: ranked images, heat maps, the threshold and the analyst's verdicts."""
