"""What payloads prove.

In: the few packets per flow that the flow kernel hands over as candidates. Out: facts (an announced SQL port, a group
joined or left) that the engine collects and attribution uses. Each parser is bounded, takes cut payloads and never
raises.
"""
