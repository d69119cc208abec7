"""The rules of segmentation as data, and what follows from them: stages, tiers, strategies, experiments."""
