"""Why the embedded stack cannot run. Each is one line with its remedy, never a stack trace.

StackError
├── PortTaken        another program listens where we must
├── NoNetwork        something must be fetched once and nothing answers
├── DiskFull         the state folder cannot be written
├── NoJava           neither the system nor a package has a Java that Kafka runs on
├── NotTheLockedJar  what was fetched is not what the lock file names
├── AlreadyUp        this state folder has a running stack
└── DidNotStart      a part ended or stayed silent; its log has the reason
"""

from libs.common.errors import RelanceError


class StackError(RelanceError):
    """The embedded stack cannot run."""

    code = "stack_error"


class PortTaken(StackError):
    """Another program uses a port that the stack needs."""

    code = "port_taken"
    remedy = "Stop that program, or choose other ports: RELANCE_BASE_PORT=9100 make up."


class NoNetwork(StackError):
    """A package must be fetched once and the network does not answer."""

    code = "no_network"
    remedy = "Connect to the network once and run the command again; afterwards none is needed."


class DiskFull(StackError):
    """The disk has no room left."""

    code = "disk_full"
    remedy = "Free some space, or put the data elsewhere: RELANCE_STATE=/another/folder make up."


class NoJava(StackError):
    """No Java of version 17 or later was found."""

    code = "no_java"
    remedy = "Run `make setup` again, or install any Java from 17 on."


class NotTheLockedJar(StackError):
    """A fetched file differs from the one that the lock file names."""

    code = "not_the_locked_jar"
    remedy = "It was deleted again. Check the proxy or mirror in between, then run the command again."


class AlreadyUp(StackError):
    """A stack runs on this state folder already."""

    code = "already_up"
    remedy = "Use it, or stop it with `make down`."


class DidNotStart(StackError):
    """A part of the stack did not start."""

    code = "did_not_start"
