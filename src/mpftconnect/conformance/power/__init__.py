"""Detection power: whether checks catch the faults that they name, and which changes of an answer none of them sees."""
