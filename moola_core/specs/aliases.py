"""Names of before: settings, and keys and words of stored results, that are called otherwise now, so that older runs and commands still work."""

# Old setting -> the setting that holds it now, and its old words -> those of now.
SETTINGS = {"reference": "estimator"}
SETTING_VALUES = {"estimator": {"none": "network"}}

# Old field of a stored result -> the field that holds it now.
RESULT_FIELDS = {
    "spoils": "invalidates",
    "shows": "diagnostic",
}
# Field -> its old words -> those of now.
RESULT_VALUES = {"severity": {"blocks": "critical", "harms": "error", "note": "info"}}
