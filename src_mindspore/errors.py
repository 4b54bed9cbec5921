"""One exception for every mistake a user can make, and the way scripts show it.

A message is one paragraph in four parts: what was wrong, which file or key,
what was expected, what to do next.
"""
import sys
from importlib.util import find_spec


class LabError(Exception):
    """A mistake a person can repair; its text is written for that person."""


def require_package(name, asker):
    """Refuse to begin what would only end in a package that is not there.

    Args:
        name: str, of the package, as it is imported and as pip knows it.
        asker: str, what needs it, for the message.

    Raises:
        LabError: it is not installed.
    """
    if find_spec(name) is None:
        raise LabError(f"{asker} needs the package {name}, which is not installed. `make env` "
                       f"installs it; elsewhere: pip install {name}.")


def run_as_script(main, argv=None):
    """Run `main(argv)` and turn a LabError into one paragraph on stderr and exit code 2.

    Args:
        main: callable taking a list of arguments and returning an exit code or None.
        argv: list of str, default `sys.argv[1:]`. With `--debug` in it the traceback is shown.

    Raises:
        SystemExit: always, with main's code, 2 for a LabError, 130 for Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        code = main([a for a in argv if a != "--debug"])
    except LabError as error:
        if debug:
            raise
        print(f"\nerror: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        if debug:
            raise
        print("\nstopped by Ctrl-C; what was finished is kept, the same command goes on from "
              "there.", file=sys.stderr)
        code = 130
    except PermissionError as error:
        if debug:
            raise
        print(f"\nerror: {error.filename or 'A file'} may not be used: {error.strerror}. Change "
              "its permissions, or those of the folder it is in, or run as a user who may.",
              file=sys.stderr)
        code = 2
    except BrokenPipeError:
        # `... | head` closed our standard output: nothing is wrong.
        sys.stderr.close()
        code = 0
    sys.exit(code or 0)
