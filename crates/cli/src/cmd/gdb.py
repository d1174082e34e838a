"""The command `residue` for gdb, printed by `residue gdb`.

Load it with `source FILE` or `gdb -x FILE`; then `help residue`.
"""

import codecs
import os
import re
import select
import signal
import subprocess
import tempfile

import gdb

PRINTED_BY = os.fsdecode(b"residue")

# Seconds between two looks whether somebody has pressed Ctrl-C.
LOOK_EVERY = 0.2

# Registers by the names that gdb has, in the order of the kernel. Residue wants all of one processor.
REGISTERS = {
    "rip": "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
    "fs_base gs_base ds es fs gs".split(),
    "eip": "ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss".split(),
    "pc": ["x%d" % number for number in range(31)] + "sp pc cpsr tpidr".split(),
}


class ResiduePath(gdb.Parameter):
    """The residue program that the command `residue` runs.

    It is the one that printed this script, unless the environment variable RESIDUE named another when the script
    was read."""

    set_doc = "Set the residue program that the command `residue` runs."
    show_doc = "Show the residue program that the command `residue` runs."

    def __init__(self):
        super().__init__("residue-path", gdb.COMMAND_FILES, gdb.PARAM_FILENAME)
        self.value = os.environ.get("RESIDUE") or PRINTED_BY

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return "The command `residue` runs %s." % value


class Stopped:
    """A process that gdb holds, or a core that it reads."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        connection = self.inferior.connection
        kind = connection.type if connection is not None else None
        if self.inferior.pid == 0 or kind in (None, "exec"):
            raise gdb.GdbError("There is no program to look at: run it, attach to it, or load a core.")
        if kind not in ("native", "core"):
            raise gdb.GdbError(
                "Residue reads the memory of this machine, and gdb reaches the program through `%s`." % kind
            )
        self.is_core = kind == "core"
        self.target = core_path() if self.is_core else self.process()

    def process(self):
        """Its number; when the main thread has ended, memory can be read through one of the others only."""
        tids = [thread.ptid[1] for thread in self.inferior.threads()]
        return str(self.inferior.pid if self.inferior.pid in tids else min(tids))

    def registers(self):
        """A line a thread, as Residue reads it."""
        threads = self.inferior.threads()
        running = [thread for thread in threads if thread.is_running()]
        if running:
            raise gdb.GdbError("Thread %d is running: interrupt it first." % running[0].num)
        thread, frame = gdb.selected_thread(), selected_frame()
        try:
            return "".join(line(thread) for thread in threads)
        finally:
            thread.switch()
            if frame is not None:
                frame.select()


def core_path():
    said = gdb.execute("info files", to_string=True)
    found = re.search(r"^Local core dump file:\n\s*`(.*)', file type ", said, re.MULTILINE)
    if found is None:
        raise gdb.GdbError("gdb does not say which file its core is.")
    return found.group(1)


def selected_frame():
    try:
        return gdb.selected_frame()
    except gdb.error:
        return None


def line(thread):
    thread.switch()
    frame = gdb.newest_frame()
    values = {}
    for counter, names in REGISTERS.items():
        if register(frame, counter) is not None:
            values = {name: register(frame, name) for name in names}
            break
    told = ["%s=%#x" % (name, value) for name, value in values.items() if value is not None]
    return " ".join([str(thread.ptid[1])] + told) + "\n"


def register(frame, name):
    """A register as the kernel keeps it; None where the processor has none of that name, or gdb cannot read it."""
    try:
        return int(frame.read_register(name)) & 0xFFFFFFFFFFFFFFFF
    except (ValueError, gdb.error):
        return None


def run(words, told):
    """Runs residue to its end, shows what it says, and gives that and its exit code."""
    path = os.path.expanduser(gdb.parameter("residue-path"))
    environment = dict(os.environ)
    if gdb.parameter("width"):
        environment["COLUMNS"] = str(gdb.parameter("width"))
    with tempfile.TemporaryFile() as threads, tempfile.TemporaryFile() as errors:
        threads.write(told.encode())
        threads.seek(0)
        try:
            # In a session of its own: Ctrl-C reaches it through us, once each time, and the program never.
            child = subprocess.Popen(
                [path] + words,
                stdin=threads,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise gdb.GdbError("Cannot run %s: %s. See `help set residue-path`." % (path, error.strerror))
        try:
            shown = show(child)
        except BaseException:
            child.kill()
            raise
        finally:
            child.stdout.close()
            code = wait(child)
        errors.seek(0)
        said = errors.read().decode(errors="replace").rstrip()
    if code not in (0, 1, 130):
        raise gdb.GdbError(said or "residue ended with %d." % code)
    if said:
        gdb.write(said + "\n", gdb.STDERR)
    return shown, code


def show(child):
    """Writes what residue says when it says it, and gives it all."""
    decoder, shown, pipe = codecs.getincrementaldecoder("utf-8")("replace"), [], child.stdout.fileno()
    is_wanted, is_writing = True, False
    while True:
        try:
            # A read would go on after Ctrl-C: gdb has its signals restart what they interrupt.
            if not select.select([pipe], [], [], LOOK_EVERY)[0]:
                continue
            bytes = os.read(pipe, 65536)
            shown.append(decoder.decode(bytes, not bytes))
            is_writing = is_wanted
            if is_wanted:
                gdb.write(shown[-1])
            is_writing = False
            if not bytes:
                return "".join(shown)
        except KeyboardInterrupt:
            # Ctrl-C; or somebody has left the pager, and seen enough.
            child.send_signal(signal.SIGINT)
            is_wanted, is_writing = not is_writing, False


def wait(child):
    while True:
        try:
            return child.wait(LOOK_EVERY)
        except subprocess.TimeoutExpired:
            pass
        except KeyboardInterrupt:
            child.send_signal(signal.SIGINT)


def number(expression):
    """What an expression of the program means as an address or a length."""
    try:
        value = gdb.parse_and_eval(expression)
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
            value = value.referenced_value()
        code = value.type.strip_typedefs().code
        if code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY):
            raise gdb.GdbError("`%s` is no address but a %s: write &%s" % (expression, value.type, expression))
        if code == gdb.TYPE_CODE_FUNC:
            value = value.address
        return int(value) & 0xFFFFFFFFFFFFFFFF
    except gdb.error as error:
        raise gdb.GdbError("`%s`: %s" % (expression, error))


class Residue(gdb.Command):
    """What the heap of the stopped program holds, what of it is lost, and who points where.

    The program must be stopped, at a breakpoint or wherever, or gdb must read a core. The program is not disturbed
    and not resumed: its memory is read from outside, and its registers are what gdb knows of them.
    The options are those of the program `residue`: its `residue leaks --help` tells them. With --json a document is
    printed.

    `set residue-path` says which residue is run."""

    def __init__(self):
        super().__init__("residue", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError('Undefined residue command: "%s". Try "help residue".' % argument.split()[0])
        gdb.execute("help residue")


class Question(gdb.Command):
    """One of the commands of residue."""

    name = ""
    options = ()
    # Whether the program must stand while it is looked at.
    is_of_one_moment = True
    # How many of the first words are expressions of the program.
    addresses = 0
    required = 0

    def __init__(self):
        super().__init__("residue " + self.name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        stopped = Stopped()
        words = gdb.string_to_argv(argument)
        # Residue ends its answers with what to ask next, and there the target stands first.
        if words and words[0] == stopped.target:
            words = words[1:]
        words = [self.name, stopped.target] + self.evaluated(words)
        told = ""
        if self.is_of_one_moment and not stopped.is_core:
            told = stopped.registers()
            words += ["--stopped-by-debugger", "-"]
        shown, code = run(words, told)
        self.remember(shown, code)
        if code == 130:
            raise gdb.GdbError("Interrupted.")
        if code == 1:
            raise gdb.GdbError("What --fail-on asks for is so.")

    def remember(self, shown, code):
        pass

    def evaluated(self, words):
        given = 0
        while given < min(self.addresses, len(words)) and not words[given].startswith("--"):
            given += 1
        if given < self.required:
            raise gdb.GdbError("Write: residue %s EXPRESSION [LENGTH] [OPTIONS]" % self.name)
        values = [number(words[0])] if given > 0 else []
        told = ["%#x" % value for value in values]
        if given > 1:
            is_size = re.fullmatch(r"[0-9]+[KMG]|0x[0-9a-fA-F]+|[0-9]+", words[1])
            told.append(words[1] if is_size else "%#x" % number(words[1]))
        return told + words[given:]

    def complete(self, text, word):
        begun = "" if not text or text[-1].isspace() else text.split()[-1]
        if self.addresses and not begun.startswith("-"):
            return gdb.COMPLETE_EXPRESSION
        # What gdb takes for the word begins behind the dashes.
        known = len(begun) - len(word)
        return [option[known:] for option in self.options if option.startswith(begun)]


RULES = ("--heuristics", "--tagged", "--kinds", "--min-size")


class Leaks(Question):
    """Blocks that nobody can reach any more, in the kinds of memcheck.

    Usage: residue leaks [OPTIONS]

      residue leaks
      residue leaks --kinds all --limit 50
      residue leaks --json

    Registers of all threads count: what only a register holds is not lost.
    Then $residue_leaked_blocks is the number of blocks that are definitely lost; void when that could not be told."""

    name = "leaks"
    options = RULES + ("--limit", "--all-addresses", "--since", "--changes", "--fail-on", "--json")

    def remember(self, shown, code):
        found = re.search(r"^ *definitely lost .* ([0-9]+(?: [0-9]{3})*) blocks?$", shown, re.MULTILINE)
        found = found or re.search(r'"definite":\s*{\s*"blocks":\s*([0-9]+)', shown)
        count = int(found.group(1).replace(" ", "")) if found and code != 130 else None
        gdb.set_convenience_variable("residue_leaked_blocks", count)


class Heap(Question):
    """What the heaps hold: live, free and cached blocks, sizes, types, and whether it is a leak or fragmentation.

    Usage: residue heap [OPTIONS]

      residue heap --all
      residue heap --malloc-stats"""

    name = "heap"
    options = ("--all", "--malloc-stats", "--json")


class Blocks(Question):
    """The blocks of one record of `residue leaks`.

    Usage: residue blocks RECORD [OPTIONS]

      residue blocks 1 --limit 1000"""

    name = "blocks"
    options = RULES + ("--limit", "--json")


class Refs(Question):
    """Who points at an address: blocks, variables, stacks, registers.

    Usage: residue refs EXPRESSION [LENGTH] [OPTIONS]

    EXPRESSION is one of the program's language, evaluated where gdb stands; in quotes when it holds spaces. Without
    LENGTH, an address in a block means the whole block. LENGTH is a size such as 64 or 4K, or an expression too.

      residue refs session
      residue refs &table sizeof(table)
      residue refs "(char *) session + 16" 8 --to-root"""

    name = "refs"
    options = ("--to-root", "--limit", "--json")
    addresses = 2
    required = 1


class Map(Question):
    """The address space: regions, sums, sizes, free ranges.

    Usage: residue map [OPTIONS]

      residue map --filter usage=heap|arena --all"""

    name = "map"
    options = ("--filter", "--allocations", "--sort", "--all", "--free", "--diff", "--html", "--json")
    is_of_one_moment = False


class Search(Question):
    """Where a text, bytes, a pointer or a pattern stands in memory.

    Usage: residue search PATTERN [OPTIONS]

      residue search password --ignore-case
      residue search --hex "48 8b ?? 05"
      residue search --pointer 0x7f0010402030"""

    name = "search"
    options = ("--ascii", "--utf16", "--hex", "--regex", "--pointer", "--ignore-case", "--limit", "--in", "--json")
    is_of_one_moment = False


class Read(Question):
    """The bytes of memory: shown, or written to files.

    Usage: residue read EXPRESSION [LENGTH] [OPTIONS]

    EXPRESSION and LENGTH are as for `residue refs`.

      residue read buffer 4K
      residue read &session sizeof(session) -o session.bin"""

    name = "read"
    options = ("--output", "--all-matching", "--text", "--min-length", "--json")
    is_of_one_moment = False
    addresses = 2


ResiduePath()
Residue()
for question in (Leaks, Heap, Blocks, Refs, Map, Search, Read):
    question()
