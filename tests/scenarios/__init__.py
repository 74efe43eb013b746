"""``make scenarios``: a model that takes every text literally, in situations that go wrong.

If such a model does something wrong, the text of a tool has allowed it.
"""
