"""A trained generator's latents, by torch: the nearest one of an image, and directions in which images change."""
