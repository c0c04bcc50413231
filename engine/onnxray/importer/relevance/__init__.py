"""Relevance in place of gradients: what takes the place of each node's derivative in LRP and DeepLIFT."""
