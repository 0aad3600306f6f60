"""Names of before: keys of stored results that are called otherwise now, so that runs of older versions still open."""

# Old field of a stored result -> the field that holds it now.
RESULT_FIELDS = {"spoils": "invalidates", "shows": "diagnostic"}
