"""The NHS kit: content of the conformance suite, as data. The engine is `mpftconnect.conformance`; it knows no NHS rule."""
