"""The shipped models: ``.fly`` texts, their data, and what each must show."""
