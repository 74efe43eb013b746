"""``make scenarios``: a model that takes every text literally, in situations that go wrong.

Whatever such a model does wrong, a text has let it do.
"""
