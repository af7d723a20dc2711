"""The one exception a user is meant to read."""


class InputError(Exception):
    """Bad input from outside: the message is one line that names the file and the value, and says what to do."""
