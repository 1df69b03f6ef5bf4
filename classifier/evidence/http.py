"""What the head of an HTTP message proves.

In: a `Message`. Out: `http_facts`, codes. Next: the collector. Who sent it, the caller knows: a realm or a banner
speaks of the side that replied, a path of the side that was asked.

* `digifort_realm`: the reply asks for a password in the realm "Servidor HTTP Digifort" (nmap-service-probes, 6.5).
* `digifort_api`: a request for `/Interface/...`, the path of the Digifort HTTP API (public API clients); not an
  absolute URL, which a proxy is asked for.
* `rtsp_tunnel`: RTSP inside HTTP; content type or accepted type application/x-rtsp-tunnelled (QuickTime's way).
* `onvif`: a request for `/onvif/...`, where ONVIF devices serve SOAP (ONVIF Core, device service address).
* `mjpeg`: multipart/x-mixed-replace, pictures one after the other: a long stream inside one reply.
* `other_banner`: the reply names a web server that is built into cameras, recorders, routers and printers
  (`EMBEDDED`). General servers (nginx, Apache, IIS, Lighttpd, Microsoft-HTTPAPI) say nothing, since each of them may be
  a proxy before a Digifort server or share its host; nor does a reply that passed a proxy by its own word.
"""

from __future__ import annotations

from classifier.evidence.message import Message

REALM = "servidor http digifort"
API_PATH = "/interface/"

# Banners in public scan data. The first words of camera makers, and servers for small Unix or real-time systems only:
# what also exists for Windows (GoAhead, gSOAP, Mongoose) could stand before a VMS and is left out.
EMBEDDED = (
    "allegro-software-rompager/",
    "app-webs/",
    "boa/",
    "dnvrs-webs",
    "dvrdvs-webs",
    "hikvision-webs",
    "mini_httpd/",
    "rompager/",
    "thttpd/",
    "uc-httpd",
    "virata-emweb/",
)

_TUNNELLED = "application/x-rtsp-tunnelled"
_BY_PROXY = ("via", "x-cache", "x-forwarded-server", "x-varnish")


def http_facts(message: Message) -> tuple[str, ...]:
    """Codes of what the head proves, sorted; empty for an RTSP message."""
    if message.protocol != "HTTP":
        return ()
    facts = set()
    types = [message.header("content-type").lower()]
    if message.kind == "request":
        types.append(message.header("accept").lower())
        path = message.path.lower()
        if path.startswith(API_PATH) and not message.host:  # an absolute URL is asked of a proxy
            facts.add("digifort_api")
        if path.startswith("/onvif/"):
            facts.add("onvif")
    elif any(is_digifort_realm(value) for name, value in message.headers if name == "www-authenticate"):
        facts.add("digifort_realm")
    elif _is_embedded(message):
        facts.add("other_banner")
    if any(kind.startswith(_TUNNELLED) for kind in types):
        facts.add("rtsp_tunnel")
    if message.kind == "reply" and types[0].startswith("multipart/x-mixed-replace"):
        facts.add("mjpeg")
    return tuple(sorted(facts))


def is_digifort_realm(challenge: str) -> bool:
    """Whether a kept WWW-Authenticate value is Basic with the realm of Digifort's web server."""
    return challenge.lower().startswith(f'basic realm="{REALM}')


def _is_embedded(message: Message) -> bool:
    if message.status in (502, 503, 504) or any(name in _BY_PROXY for name, _ in message.headers):
        return False
    return message.header("server").lower().startswith(EMBEDDED)
