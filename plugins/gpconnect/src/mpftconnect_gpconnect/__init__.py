"""GP Connect: Access Record Structured and Access Document, FHIR STU3 over the Spine Secure Proxy."""
