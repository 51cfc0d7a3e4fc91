"""The NHS kit: the content of the conformance suite, as data. The engine in `mpftconnect` knows no NHS rule."""
