"""What the add-on does with pictures, keys and texts; numpy alone, so that it can be tested without Blender."""
