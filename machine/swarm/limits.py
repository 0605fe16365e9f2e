"""What an outsider may cost this program: every bound in one place, each with its reason.

Names begin with who is bounded: CLIENT_ (whoever connects to a listener), BODY_ and JSON_ (what is read as a whole),
HOOK_ (the program of the backend `exec`), TOKEN_ (the token service), DISCOVERY_ (what a discovery answers).
docs/security.md has the same figures, and a test compares them. Bytes and seconds unless the name says otherwise.
"""

from __future__ import annotations

KIB, MIB = 1 << 10, 1 << 20

CLIENT_HEAD = 64 * KIB  # request line and headers; docker sends less than 4 KiB, with registry credentials
CLIENT_HEADERS = 200  # header lines; docker sends about 10, and each costs a search in every part that looks for one
CLIENT_HANDSHAKE_SECONDS = 10.0  # for TLS; a good one takes three round trips, and nobody is known before its end
CLIENT_FIRST_SECONDS = 30.0  # until the first byte of the first request: clients connect to ask something
CLIENT_HEAD_SECONDS = 30.0  # from the first byte of a request to the end of its head, however few bytes come at a time
CLIENT_IDLE_SECONDS = 600.0  # between two requests, and between two pieces of a body that is passed on
CLIENT_DRAIN = 256 * KIB  # of an unread body that is thrown away so that its connection can be used again
CLIENT_CONNECTIONS = 10_000  # in all; each costs two file descriptors with its engine's
CLIENT_WAITING = 2_048  # connections in all that wait and have shown no certificate: 40 MB of TLS state
CLIENT_WAITING_PER_ADDRESS = 512  # of them from one address (one /64 of IPv6); beyond it the oldest is dropped
CLIENT_SHARE_OF_FILES = 4  # those that wait may take one file in this many, where the system allows few

BODY_SMALL = 64 * KIB  # a body up to this size is read before the chain is asked: most creates are 2 to 8 KiB
BODY_WHOLE = 16 * MIB  # a body that has to be read as a whole: JSON, never an image
BODY_SECONDS = 60.0  # to send such a body

JSON_DEPTH = 100  # nested arrays and objects of a body; the deepest call of the API, a service, has about 12
JSON_NUMBER = 20  # digits of a whole number: 64 bits have no more

HOOK_BODY = 1 * MIB  # of a body that the program gets to see; what is longer it must let pass by name
HOOK_LINE = 8 * MIB  # one line that it writes: a body of HOOK_BODY in base64 and its headers, with room
HOOK_SECONDS = 30.0  # that it may think about one call
HOOK_NOISE_SECONDS = 2.0  # from a line that is no answer to an answer; then all calls that wait are refused

TOKEN_BODY = 4 * KIB  # a registration is one address
TOKEN_CLUSTERS = 100_000  # tokens that one registry keeps
TOKEN_ENTRIES = 10_000  # engines under one token
TOKEN_UNUSED_SECONDS = 3_600.0  # until a token that nobody used ends: long enough to type a create, not to fill a disk
TOKEN_UNUSED_PER_ADDRESS = 20  # tokens of one address that nobody has used yet
TOKEN_PER_ADDRESS = 200  # tokens of one address in all, so that one client cannot take them all
TOKEN_IDLE_SECONDS = 90 * 86_400.0  # until a token that was used once is forgotten

DISCOVERY_ANSWER = 4 * MIB  # one answer: 10,000 engines are 2 MiB in etcd's JSON
DISCOVERY_ENGINES = 10_000  # addresses of one discovery
DISCOVERY_SECONDS = 10.0  # for one answer
