"""The ledger's one table, in SQLite or PostgreSQL, and transactions that never meet a busy file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool, StaticPool

from drivetrain.core.errors import MissingLibraryError, ResourceError, SettingError

LOCK_KEY = 0x6474_6C65_6467_6572  # any constant: one advisory lock per PostgreSQL database
BUSY_S = 60.0

metadata = MetaData()
entries = Table(
    "drivetrain_entries",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("who", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    UniqueConstraint("name", "kind", "subject", "revision", name="drivetrain_entries_once"),
    sqlite_autoincrement=True,
)


def connect(url: str) -> Engine:
    """Open the ledger's database and make its table if it is new.

    Parameters
    ----------
    url
        ``sqlite:///folder/file.db`` or ``postgresql://user:password@host:port/database``.

    Raises
    ------
    SettingError
        If the URL is not one of these.
    ResourceError
        If the database does not answer.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise _bad_url(url) from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed.database or "")
    elif parsed.get_backend_name() == "postgresql":
        try:
            engine = create_engine(parsed, poolclass=NullPool)
        except (ImportError, NoSuchModuleError) as error:
            raise MissingLibraryError(
                where=f"ledger {parsed.render_as_string(hide_password=True)}",
                expected="the library 'psycopg'",
                got="no such library",
                remedy="Install it: pip install 'drivetrain[serve]'",
            ) from error
    else:
        raise _bad_url(url)
    try:
        with transaction(engine) as connection:
            metadata.create_all(connection)
    except DBAPIError as error:
        raise ResourceError(
            where=f"ledger {parsed.render_as_string(hide_password=True)}",
            expected="a database that answers",
            got=str(error.orig).strip().splitlines()[0],
            remedy="Check the address, the password and that the server runs.",
            code="DT3H0",
        ) from error
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Run a block as one writing transaction; writers wait for each other, none is refused.

    Raises
    ------
    ResourceError
        If the database's file is damaged.
    """
    try:
        with engine.connect() as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            yield connection
    except DatabaseError as error:
        if "malformed" not in str(error.orig):  # SQLite's SQLITE_CORRUPT has no class of its own
            raise
        raise ResourceError(
            where=f"ledger {engine.url.render_as_string(hide_password=True)}",
            expected="a database whose pages are whole",
            got=str(error.orig),
            remedy="Put a copy in its place, or save what is left: sqlite3 FILE .recover",
            code="DT3H2",
        ) from error


def _sqlite(file: str) -> Engine:
    in_memory = file in ("", ":memory:")
    if not in_memory:
        try:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResourceError(
                where=f"ledger {file}",
                expected="a folder that can be written",
                got=str(error),
                remedy="Choose another place with --ledger.",
                code="DT3H1",
            ) from error
    engine = create_engine(
        f"sqlite:///{file}",
        connect_args={"timeout": BUSY_S},
        # A ledger is asked rarely: no connection is kept open, none grows stale.
        poolclass=StaticPool if in_memory else NullPool,
    )

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _: Any) -> None:
        raw.isolation_level = None  # SQLAlchemy's own BEGIN below decides
        raw.execute("pragma synchronous=full")
        if raw.execute("pragma journal_mode").fetchone()[0] != "wal":
            try:
                raw.execute("pragma journal_mode=wal")
            except sqlite3.OperationalError:
                # Another process is making the same change; either journal is correct.
                return

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A write lock from the start: a reader that turns writer could be refused as busy.
        connection.exec_driver_sql("begin immediate")

    return engine


def _bad_url(url: str) -> SettingError:
    return SettingError(
        where="--ledger",
        expected="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
        got=f"'{url.split('@')[-1]}'",
        remedy="Correct the URL, or leave --ledger out to use a file in this folder.",
        code="DT2H0",
    )
