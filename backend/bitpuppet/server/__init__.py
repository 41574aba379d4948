"""The service: a broker that answers, workers that compute, a store that remembers. Torch lives in workers only."""
