"""The only writer of ``results/``: one sorted CSV a benchmark, machine and environment records.

A finished row goes to a journal at once, so that nothing measured is lost whatever is killed;
``fold`` moves the journal into the sorted table by an atomic replacement.
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from benchmarks import datapackage, provenance, reproduced
from benchmarks.cells import CELL_COLUMNS, ROOT, Cell, Column, benchmarks
from benchmarks.schema import (
    ROW_COLUMNS,
    columns,
    plain,
    require_known,
    require_types,
    shortest,
    typed,
)

RESULTS = ROOT / "results"

NOTE = ".holder.lock"
"""Holds the number of the process that writes; it lies beside the lock, and git ignores both."""

AT_RISK_S = 0.2
"""Most seconds of measuring that a loss of power may cost."""


ROWS_KEPT = "; rows finished so far are kept and the next run continues from them"
"""What a run that can't go on says of its rows."""

_NEEDED = ["key", "status", "machine"]
"""Columns without which a row is none."""

_ALWAYS = [column.name for column in (*CELL_COLUMNS, *ROW_COLUMNS)]
"""Columns that every table has."""

_FOLDERS = (".journal", "machines", "environments")
"""Folders that a run writes into beside the tables."""


class StoreError(RuntimeError):
    """``results/`` can't be read or written; the message says what to do."""


def row(cell: Cell, values: dict[str, Any], fingerprint: str, **outcome: Any) -> dict[str, Any]:
    """A measured cell with its provenance. ``outcome`` holds status, reason and seconds."""
    return {
        **{c.name: getattr(cell, c.name) for c in CELL_COLUMNS},
        **values,
        "status": "ok",
        "reason": "",
        **outcome,
        "measured_at": provenance.now(),
        "commit": provenance.commit(),
        "dirty": provenance.dirty(),
        "machine": provenance.digest(provenance.machine()),
        "environment": provenance.digest(provenance.environment()),
        "fingerprint": fingerprint,
        "key": cell.key,
    }


class Store:
    """The tables under one folder (``results/`` of the checkout unless told otherwise)."""

    def __init__(self, root: Path | str = RESULTS) -> None:
        try:
            self.root = Path(root).expanduser()
        except RuntimeError as error:
            raise StoreError(f"--results {root}: there is no such home folder ({error})") from error
        self._unsynced: dict[str, tuple[float, float]] = {}
        """Of each journal: seconds that its unsynced rows took, and when it was last synced."""

    def table_path(self, name: str) -> Path:
        """Where the table of a benchmark lies."""
        return self.root / f"{name}.csv"

    def _journal_path(self, name: str) -> Path:
        return self.root / ".journal" / f"{name}.jsonl"

    def codes(self, name: str) -> reproduced.Codes:
        """Which code of a benchmark is known to give the same values as other code."""
        found = self.reproduced()
        return reproduced.Codes(found[found["benchmark"] == name])

    def reproduced(self) -> pd.DataFrame:
        """The table of `reproduced`."""
        try:
            return reproduced.read(self.root)
        except (ValueError, OSError) as error:
            raise self._unreadable(self.root / reproduced.FILE, error) from error

    def table(self, name: str) -> pd.DataFrame:
        """All rows of a benchmark, those of the journal included; typed, sorted, no duplicates."""
        schema = columns(benchmarks()[name])
        journal = self._read_journal(name, schema)  # first: a run may fold it into the table now
        frames = [frame for frame in (self._read_csv(name, schema), journal) if len(frame)]
        if not frames:
            return typed(pd.DataFrame(columns=[c.name for c in schema]), schema)
        rows = typed(pd.concat([f.astype(object) for f in frames], ignore_index=True), schema)
        rows = rows.drop_duplicates(["key", "machine"], keep="last")
        order = [c.name for c in CELL_COLUMNS] + ["machine"]
        return rows.sort_values(order, kind="stable", na_position="first", ignore_index=True)

    def by_code(self, name: str) -> pd.DataFrame:
        """`table` with one fingerprint for all code that is known to give equal values."""
        return self.codes(name).named(self.table(name))

    def _read_csv(self, name: str, schema: tuple[Column, ...]) -> pd.DataFrame:
        path = self.table_path(name)
        if not path.exists():
            return pd.DataFrame()
        try:
            with open(path, encoding="utf-8") as file:
                reproduced.require_merged(file)
            frame = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""])
            if not isinstance(frame.index, pd.RangeIndex):
                raise ValueError("a line has more fields than there are columns")
            missing = [column for column in _ALWAYS if column not in frame]
            if missing:
                raise ValueError(f"it lacks the columns {', '.join(missing)}")
            broken = frame.index[frame[_NEEDED].isna().any(axis=1)]
            if len(broken):
                raise ValueError(f"row {broken[0] + 1} lacks its key, status or machine")
            cut = frame.index[~frame["key"].str.fullmatch("[0-9a-f]{12}")]
            if len(cut):
                raise ValueError(f"the key of row {cut[0] + 1} is none: it was cut or edited")
            twice = frame.index[frame.duplicated(["key", "machine"])]
            if len(twice):
                raise ValueError(f"row {twice[0] + 1} has the key and machine of an earlier one")
            require_known(frame, schema)
            return typed(frame, schema)
        except (ValueError, OSError) as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: Exception) -> StoreError:
        other = "or choose another folder with --results"
        if isinstance(error, OSError):
            return StoreError(f"can't read {path} ({error.strerror or error}); mend that, {other}")
        return StoreError(
            f"{path} is not a readable table ({error}); mend it, {other}{_back(path)}"
        )

    def _read_journal(self, name: str, schema: tuple[Column, ...]) -> pd.DataFrame:
        path = self._journal_path(name)
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return pd.DataFrame()
        except OSError as error:
            raise self._unreadable(path, error) from error
        rows = []
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
            except ValueError:
                continue  # only a line cut off by a kill or a full disk: it was never whole
            if not isinstance(row, dict) or not all(row.get(column) for column in _NEEDED):
                raise StoreError(
                    f"line {number} of {path} is no row: it lacks its key, status or machine; "
                    "delete that line, then run again"
                )
            rows.append(row)
        try:
            frame = pd.DataFrame(rows, dtype=object)
            require_known(frame, schema)
            return typed(frame, schema)
        except ValueError as error:
            raise StoreError(
                f"{path} holds a row of another version of the suite ({error}); "
                "finish that run with its version, or move the file away"
            ) from error

    def append(self, name: str, row: dict[str, Any]) -> None:
        """Write one finished row to the journal before returning.

        A kill of this process takes no row from then on: it is in the system's hands. A loss of
        power takes only rows not yet synced, and those are worth little: a row is synced at once
        when the rows since the last sync took `AT_RISK_S` to measure, this one included, or when
        that sync was as long ago. A sync takes up to some milliseconds, so thousands of cells that
        take no time share them.

        Raises ValueError, and writes nothing, if a value is not of its column's type.
        """
        values = {column: plain(value) for column, value in row.items()}
        require_types(values, columns(benchmarks()[name]))
        line = json.dumps(values).encode() + b"\n"
        path = self._journal_path(name)
        self._records()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "ab") as file:
                if file.tell() and not _ends_with_newline(path):
                    file.write(b"\n")
                file.write(line)
                file.flush()
                if self._must_sync(name, values.get("seconds")):
                    os.fsync(file.fileno())
                    self._unsynced[name] = (0.0, time.monotonic())
        except OSError as error:
            raise self._unwritable(error, ROWS_KEPT) from error

    def _must_sync(self, name: str, seconds: float | None) -> bool:
        """Whether the rows since the last sync, one of `seconds` now among them, are worth one."""
        at_risk, since = self._unsynced.get(name, (0.0, -math.inf))
        at_risk += math.inf if seconds is None else seconds
        self._unsynced[name] = (at_risk, since)
        return at_risk >= AT_RISK_S or time.monotonic() - since >= AT_RISK_S

    def fold(self) -> list[Path]:
        """Move every journal into its table and describe the tables; returns the files written."""
        written = []
        for name in benchmarks():
            journal = self._journal_path(name)
            if not journal.exists():
                continue
            frame = self.table(name)
            path = self.table_path(name)
            text = frame.to_csv(index=False, lineterminator="\n", float_format=shortest)
            self._replace(path, text)
            journal.unlink()
            written.append(path)
        if any(self.table_path(name).exists() for name in benchmarks()):
            written += self.write(datapackage.NAME, datapackage.text(self.root))
        return written

    def write(self, name: str, text: str) -> list[Path]:
        """Replace a file of the folder if its text differs; returns the files written."""
        path = self.root / name
        if path.exists() and path.read_bytes() == text.encode():
            return []
        self._replace(path, text)
        return [path]

    def confirm(self, found: dict[str, Any]) -> None:
        """Add a row to the table of `reproduced`."""
        frame = pd.concat([self.reproduced().astype(object), pd.DataFrame([found], dtype=object)])
        frame = typed(frame, reproduced.COLUMNS)
        self.write(reproduced.FILE, frame.to_csv(index=False, lineterminator="\n"))

    def _records(self) -> None:
        """Write down this machine and environment, which the rows of this run name."""
        for folder, record in (
            ("machines", provenance.machine()),
            ("environments", provenance.environment()),
        ):
            path = self.root / folder / f"{provenance.digest(record)}.json"
            if not path.exists():
                self._replace(path, json.dumps(record, indent=2, sort_keys=True) + "\n")

    def _replace(self, path: Path, text: str) -> None:
        path = path.resolve() if path.is_symlink() else path
        part = path.with_name(f".{path.name}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise self._unwritable(error, ROWS_KEPT) from error

    def _unwritable(self, error: OSError, what_of_rows: str = "") -> StoreError:
        if error.errno == errno.ENOSPC:
            advice = "the disk is full: free some space"
        elif isinstance(error, FileExistsError | NotADirectoryError):
            advice = f"{error.filename} is a file and no folder: move it away"
        else:
            where = f" at {error.filename}" if error.filename else ""
            advice = f"{error.strerror or error}{where}: make the folder writable"
        return StoreError(
            f"can't write to {self.root} ({advice}), or choose another folder with "
            f"--results{what_of_rows}"
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the folder for one run: checks that it can be written, folds at the end.

        Raises StoreError, before any work, if it can't be written or another run holds it; the
        message names the process of that.
        """
        try:
            for folder in (self.root, *(self.root / name for name in _FOLDERS)):
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / ".probe"
                probe.write_bytes(b"x" * 4096)
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        lock = FileLock(self.root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreError(
                f"{self._holder()}another run is writing to {self.root}; wait for it, stop it, "
                "or choose another folder with --results"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        note = self.root / NOTE
        try:
            note.write_text(str(os.getpid()))
            self.fold()
            yield
        finally:
            try:
                self.fold()
            finally:
                note.unlink(missing_ok=True)
                lock.release()

    def _holder(self) -> str:
        """The process that noted itself; "" where none did."""
        with suppress(OSError, ValueError):
            return f"process {int((self.root / NOTE).read_text())} holds the folder: "
        return ""


def read_record(path: Path) -> dict[str, Any]:
    """The JSON object of a file, {} where there is none. StoreError if it can't be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise StoreError(f"can't read {path} ({error.strerror or error}); mend that") from error
    except ValueError as error:
        raise StoreError(f"{path} is no JSON ({error}); mend it{_back(path)}") from error
    if not isinstance(found, dict):
        raise StoreError(f"{path} holds no JSON object; mend it{_back(path)}")
    return found


def _back(path: Path) -> str:
    """How a file of the clone comes back; "" for one elsewhere."""
    if not path.resolve().is_relative_to(ROOT.resolve()):
        return ""
    return f". `git checkout -- {path}` brings back what is committed, without what is in no commit"


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
