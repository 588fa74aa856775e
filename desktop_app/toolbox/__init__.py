"""Torch parts that methods share: training steps, inference, networks, backbones, neighbours."""
