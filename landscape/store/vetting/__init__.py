"""Files are looked at before they are used: checksums, what they declare, others' by a child."""
