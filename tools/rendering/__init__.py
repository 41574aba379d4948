"""Characters for tools/render_characters.py: looks, shapes, bodies and motion without Blender, and `scene` with it."""
