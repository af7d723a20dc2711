"""In front of every request: who may ask, by which name of this machine, and what a browser may do with the answer."""

from dataclasses import dataclass
import ipaddress
import secrets
import socket
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "dx2ct_token"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self' data: blob:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_WRITING = ("POST", "PUT", "DELETE", "PATCH")


def is_loopback(host: str) -> bool:
    """True for an address of this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Door:
    """host: what the server listens on; token: None on loopback alone."""

    host: str
    token: str | None

    def knows(self, name: str) -> bool:
        """May a request call this machine so? A page elsewhere can point a name of its own here (DNS rebinding), but
        no number; so names are this machine's own."""
        if is_loopback(name) or name == self.host:
            return True
        if is_loopback(self.host):
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return name.lower() in (socket.gethostname().lower(), socket.getfqdn().lower())
        return True


class Guard:
    """The middleware."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the application's place where it must not be asked."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
        if not self.door.knows(host):
            return PlainTextResponse("this machine is not called so: use its address", 421)
        origin = headers.get("origin")
        if scope["method"] in _WRITING and (_elsewhere(origin, headers["host"]) or _cross_site(headers)):
            return PlainTextResponse("a page of another site must not ask this", 403)
        return self._without_token(scope, headers) if self.door.token else None

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        """None where the token is there; the first visit brings it in the address and takes it away as a cookie."""
        token = self.door.token or ""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and given and secrets.compare_digest(given.encode(), token.encode()):
            response = RedirectResponse("/", 303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return response
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(secrets.compare_digest(one.encode(), token.encode()) for one in (bearer, _cookie(headers))):
            return None
        return PlainTextResponse("the token is missing or wrong: open the address that the server printed", 401)


def _elsewhere(origin: str | None, host: str) -> bool:
    return origin is not None and urlsplit(origin).netloc != host


def _cross_site(headers: Headers) -> bool:
    return headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _cookie(headers: Headers) -> str:
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")
