"""lensor for people who start from pip: the Node program that this package carries, started by `python -m lensor_jupyter`."""
