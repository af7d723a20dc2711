"""Why a source could not give a series. A user sees them together, in one line, when no source is left."""


class SourceError(Exception):
    """Another try would end the same way: what the source has, or says, is not the series of the manifest."""


class PassingError(SourceError):
    """Worth another try: a timeout, a broken connection, HTTP 429 or 5xx, damaged bytes.

    wait_s: the pause that the server asked for.
    """

    def __init__(self, message: str, wait_s: float = 0) -> None:
        super().__init__(message)
        self.wait_s = wait_s
