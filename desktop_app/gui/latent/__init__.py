"""The latent map: every image as a point."""
