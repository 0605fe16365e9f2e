"""One machine as one file, for a colleague: `export` writes it, `import_` makes a machine of it in another store.

The file is a gzipped tar with `machine/manifest.json`, `machine/config.json` (never a secret), `machine/ca.pem` and
`machine/known_hosts`; with the keys also the client's and the server's pair and the ssh key. Disks and images are not
in it.
"""

from machine.archive.bundle import LARGEST
from machine.archive.receive import AddedSettings, Imported, import_, unpack
from machine.archive.send import Exported, export

__all__ = ["LARGEST", "AddedSettings", "Exported", "Imported", "export", "import_", "unpack"]
