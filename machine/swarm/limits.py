"""What an outsider may cost this program: every bound in one place, each with its reason.

Names begin with who is bounded: CLIENT_ (whoever connects to a listener), BODY_ and JSON_ (what is read as a whole),
FILE (what flags name), HOOK_ (the program of the backend `exec`), TOKEN_ (the token service), DISCOVERY_ (what a
discovery answers), ENGINE_ and EVENT_ (what an engine answers), YIELD_ (work between two looks at everybody else),
RESCHEDULE_ (rescheduling). docs/security.md has the same figures, and a test compares them. Bytes and seconds unless
the name says otherwise.
"""

from __future__ import annotations

KIB, MIB = 1 << 10, 1 << 20

CLIENT_HEAD = 64 * KIB  # request line and headers; docker sends less than 4 KiB, with registry credentials
CLIENT_HEADERS = 200  # header lines; docker sends about 10, and each costs a search in every part that looks for one
CLIENT_HANDSHAKE_SECONDS = 10.0  # for TLS; a good one takes three round trips, and nobody is known before its end
CLIENT_FIRST_SECONDS = 30.0  # until the first byte of the first request: clients connect to ask something
CLIENT_HEAD_SECONDS = 30.0  # from the first byte of a request to the end of its head, however few bytes come at a time
CLIENT_IDLE_SECONDS = 600.0  # between two requests, and between two pieces of a body that is passed on
CLIENT_UNREAD_SECONDS = 60.0  # to take each 128 KiB of an answer that is there as a whole: 17 kbit/s
CLIENT_DRAIN = 256 * KIB  # of an unread body that is thrown away so that its connection can be used again
CLIENT_CONNECTIONS = 10_000  # in all; each costs two file descriptors with its engine's
CLIENT_WAITING = 2_048  # connections in all that wait and have shown no certificate: 40 MB of TLS state
CLIENT_WAITING_PER_ADDRESS = 512  # of them from one address (one /64 of IPv6); beyond it the oldest is dropped
CLIENT_BACKLOG = 1_024  # connections that the system has accepted and we have not yet: a burst of clients
CLIENT_SHARE_OF_FILES = 4  # those that wait may take one file in this many, where the system allows few

BODY_SMALL = 64 * KIB  # a body up to this size is read before the pipeline is called: most creates are 2 to 8 KiB
BODY_WHOLE = 16 * MIB  # a body that has to be read as a whole: JSON, never an image
BODY_SECONDS = 60.0  # to send such a body

JSON_DEPTH = 100  # nested arrays and objects of a body; the deepest call of the API, a service, has about 12
JSON_NUMBER = 21  # signs of a whole number: 64 bits have 20 digits, and one for minus
JSON_VALUES = 200_000  # values of a body; each costs 50 to 100 bytes here, however short it is in the text

FILE = 16 * MIB  # a file that a flag or a discovery names; the longest list of engines has some hundred KiB
FILE_SECONDS = 5.0  # for one that is a pipe, until its end

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

ENGINE_HEAD = 64 * KIB  # head of an answer; dockerd's are below 1 KiB
ENGINE_INFORMATIONAL = 16  # answers of status 1xx before the one that counts
ENGINE_HEAD_SECONDS = 60.0  # until the head of an answer to GET; some lists take an engine half a minute
ENGINE_SILENT_SECONDS = 30.0  # between two pieces of an answer that has begun and is no open-ended stream
ENGINE_TRANSFER_SECONDS = 300.0  # the same for an image or a file system, off a disk that may be busy
ENGINE_ANSWER = 16 * MIB  # JSON of one answer: a list of 8,000 containers
ENGINE_VALUES = 600_000  # brackets and commas in it, 60 for each of 10,000 containers; memory goes by these
ENGINE_NESTING = 64  # an inspect nests 8 deep; Python's own encoder gives up near 1,000
ENGINE_ITEMS = 20_000  # entries of one list
ENGINE_CHUNKS = 100_000  # pieces of a chunked answer that is read as a whole: Go's server sends 2 KiB or more in each
ENGINE_ERROR = 1 * MIB  # an error answer, of which a sentence is kept
ENGINE_ERROR_LETTERS = 4_096  # of that sentence, for the client
ENGINE_REASON_LETTERS = 300  # of a reason in `docker info` and in the log
ENGINE_NAME_LETTERS = 255  # a container's, network's or engine's name: as long as a host's or a file's may be
ENGINE_TAG_LETTERS = 1_024  # an image's tag or digest
ENGINE_LABELS = 1_000  # labels of an engine, each compared with every constraint
ENGINE_LABEL_LETTERS = 4_096
ENGINE_PORTS = 100_000  # taken ports of one engine that are told apart; there are 65,536 of each protocol
ENGINE_CONTAINER_PORTS = 70_000  # ports that the bindings of one container span: all of one protocol, and some

EVENT_ONE = 1 * MIB  # the longest have a container's labels in them
EVENT_VALUES = 10_000  # brackets and commas in it
EVENT_DUE = 1_000  # containers to look at again after events, one by one; beyond it all are listed
EVENT_UNREAD = 4 * MIB  # kept for a client that does not read them
EVENT_UNREAD_COUNT = 10_000
EVENT_PAST = 8 * MIB  # what one engine tells of the past; dockerd keeps 256 events

YIELD_PIECES = 256  # pieces of one answer taken from its connection: some milliseconds
YIELD_PARSED = 256 * KIB  # bytes of JSON parsed: some milliseconds
YIELD_VALUES = 2_000  # values of JSON parsed one by one: some milliseconds
YIELD_ENTRIES = 200  # entries of a list taken in: some milliseconds

RESCHEDULE_SIGNED = 256 * KIB  # label with the body of a create: 100 times the usual one
RESCHEDULE_KEY_FILE = 4 * KIB
RESCHEDULE_LEDGER_FILE = 1024 * MIB  # what is remembered; 100,000 containers with their networks are some 100 MiB
RESCHEDULE_REMEMBERED = 100_000  # containers whose removals, names and networks are remembered
