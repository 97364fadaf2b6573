"""The small door for people: `open`, `train`, `watch`, `look`, `compare` and `Problem`.

``import landscape as ls`` has them all. They forward to the stages, which stay usable one by one,
and give objects that show themselves: in words at a prompt, as pictures in a notebook.
"""
