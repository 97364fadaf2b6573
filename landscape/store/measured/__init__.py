"""What a diagnosis measures: one record a part, which is stored, judged and drawn as it is.

`whole.Measured` has them all; its fields are the parts' names, the groups of analysis.h5.
"""
