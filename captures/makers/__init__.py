"""Making sample captures whose truth is known because every packet is built with its label.

`site` holds hosts, frames, TCP conversations, the truth and the file writers; `payloads` the application bytes;
`media` RTP and RTCP. One module per site: `digifort`, `digital_sentry`, `neighbours`; `captures/make_samples.py` runs
them.
`varied` makes whole sites that differ by seed, for tests and benchmarks; `accuracy` measures the classifier on them.
Everything is seeded: the same options give the same bytes.
"""
