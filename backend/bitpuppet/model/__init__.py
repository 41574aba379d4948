"""The method of "Bitrate-Controlled Diffusion for Disentangling Motion and Content in Video" (arXiv 2509.08376).

`codec` turns frames into tokens, `encoder` finds content and motion, `quantizer` is the bottleneck that keeps content
out of the motion, `denoiser` and `diffusion` rebuild frames from both, and `bcd` joins them.
"""
