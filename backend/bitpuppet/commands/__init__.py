"""The commands, one module each. They import torch only once they need it, so that --help is quick."""
