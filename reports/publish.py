"""Copy a site to any fsspec address: only what changed, and so that no reader sees a half of it.

The manifest that every site carries tells what each side has. Files go up in an order in which nothing links
to what is not there yet: downloads and pages first, then lists and feeds, the front page, the manifest last.
While files are on their way a journal names them, so that a publish that was cut off is known to the next
one, which sends those files again. What the new site does not have any more goes last, after the manifest.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warehouse.errors import GpufareError

MANIFEST, JOURNAL = "manifest.json", "publishing.json"
LATE = ("archive/index.html", "gpu/index.html", "provider/index.html", "feed.xml", "feed.json", "sitemap.xml")
LAST = ("index.html", MANIFEST)
EXTRAS = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
TYPES = {".parquet": "application/vnd.apache.parquet", ".xml": "application/xml", ".json": "application/json"}
Step = Callable[[str], None]


class PublishError(GpufareError):
    """The site cannot be published there; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did: files sent and their bytes, files removed, files that were the same already."""

    sent: int
    bytes: int
    removed: int
    same: int


def publish(
    site: Path, address: str, *, step: Step = lambda name: None, options: Mapping[str, Any] | None = None
) -> Published:
    """Bring `address` to what `site` holds.

    Args:
        site: a folder that `write_site` wrote.
        address: ``s3://bucket/prices``, ``gs://...``, ``/srv/www/prices``, ``sftp://host/...``: anything
            fsspec knows.
        step: told the name of every file that is sent.
        options: for the file system (fsspec's storage options).

    Raises:
        PublishError: `site` is none, the address is unknown, cannot be written, or holds something else.
    """
    local = _local_files(site)
    system, root = _open(address, options or {})
    try:
        remote = _remote_files(system, root, address)
        wanted = [name for name, entry in local.items() if remote.get(name) != entry["sha256"]]
        gone = sorted(set(remote) - set(local))
        if wanted or gone:
            _write(system, f"{root}/{JOURNAL}", json.dumps({"sending": wanted}).encode())
            for name in sorted(wanted, key=_turn):
                step(name)
                _write(system, f"{root}/{name}", (site / name).read_bytes())
            _write(system, f"{root}/{MANIFEST}", (site / MANIFEST).read_bytes())
            for name in gone:
                if system.exists(f"{root}/{name}"):
                    system.rm_file(f"{root}/{name}")
            system.rm_file(f"{root}/{JOURNAL}")
    except PublishError:
        raise
    except Exception as error:  # every file system has errors of its own
        raise PublishError(
            f"publishing to {_plain(address)} stopped: {type(error).__name__}: {str(error)[:200]};"
            " the front page there is whole, publish again to go on"
        ) from error
    size = sum(int(local[name]["bytes"]) for name in wanted)
    return Published(len(wanted), size, len(gone), len(local) - len(wanted))


def _local_files(site: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads((site / MANIFEST).read_text("utf-8"))
        files = {str(name): dict(entry) for name, entry in found["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise PublishError(f"{site} holds no site; run gpufare report first") from None
    missing = next((name for name in files if not (site / name).is_file()), None)
    if missing is not None or found.get("generator") != "gpufare":
        raise PublishError(
            f"the site in {site} is not whole ({missing} is missing); run gpufare report again"
        )
    return files


def _open(address: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The file system and the root in it."""
    import fsspec

    scheme = address.split("://", 1)[0] if "://" in address else "file"
    try:
        system, root = fsspec.core.url_to_fs(address, **options)
    except (ImportError, ValueError) as error:
        extra = EXTRAS.get(scheme)
        hint = f"install {extra}: pip install 'gpufare[{scheme}]'" if extra else str(error)[:160]
        raise PublishError(f"{_plain(address)} cannot be opened: {hint}") from None
    except Exception as error:
        raise PublishError(f"{_plain(address)} cannot be opened: {type(error).__name__}") from error
    return system, str(root).rstrip("/")


def _remote_files(system: Any, root: str, address: str) -> dict[str, str]:
    """Names and hashes of what is there; files whose last sending was cut off count as unknown."""
    system.invalidate_cache()
    known = _read_json(system, f"{root}/{MANIFEST}")
    cut_off = _read_json(system, f"{root}/{JOURNAL}")
    if known is None and cut_off is None:
        if system.exists(root) and system.ls(root):
            raise PublishError(
                f"{_plain(address)} holds files that are not a gpufare site; name an empty place"
            )
        return {}
    files = (known or {}).get("files")
    found = {str(name): str(entry["sha256"]) for name, entry in files.items()} if files else {}
    for name in (cut_off or {}).get("sending", ()):
        found[name] = ""
    return {name: sha for name, sha in found.items() if ".." not in name and not name.startswith("/")}


def _read_json(system: Any, path: str) -> dict[str, Any] | None:
    try:
        found = json.loads(system.cat_file(path))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _write(system: Any, path: str, body: bytes) -> None:
    """One whole file. Object stores show it at once or not at all; elsewhere it is renamed into place."""
    protocols = {system.protocol} if isinstance(system.protocol, str) else set(system.protocol)
    if protocols & {"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"}:
        system.pipe_file(path, body, **_content_type(protocols, path))
        return
    system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    beside = f"{path}.new"
    system.pipe_file(beside, body)
    if "file" in protocols or "local" in protocols:
        Path(beside).replace(path)
    else:
        if system.exists(path):
            system.rm_file(path)
        system.mv(beside, path)


def _content_type(protocols: set[str], path: str) -> dict[str, str]:
    suffix = Path(path).suffix
    kind = TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    if protocols & {"s3", "s3a"}:
        return {"ContentType": kind}
    return {"content_type": kind} if protocols & {"gs", "gcs"} else {}


def _turn(name: str) -> tuple[int, str]:
    """Where a file stands in the order of sending."""
    return (2 if name in LAST else 1 if name in LATE else 0, name)


def _plain(address: str) -> str:
    """The address without a user name or password in it."""
    scheme, found, rest = address.partition("://")
    if not found:
        return address
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.split('?')[0]}"
