"""The tab "Bitpuppet" in the sidebars of Image Editor and 3D View."""
