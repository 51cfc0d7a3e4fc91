"""The DTAC form as data: its questions, how they are routed, and what its documents must show."""
