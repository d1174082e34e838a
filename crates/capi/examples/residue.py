#!/usr/bin/env python3
"""Residue from Python, by ctypes alone: the memory of a process, and its largest free ranges.

    residue.py LIBRARY [PID]        LIBRARY: libresidue.so or residue.dll
"""

import ctypes
import sys

COUNTERS = """virtual_size working_set peak_working_set private_working_set commit peak_commit paged_pool
    nonpaged_pool page_faults major_faults handles threads proportional swap anonymous file shared""".split()
REGIONS = """committed reserved free_total free_largest free_largest_start free_ranges regions allocations""".split()


class Sample(ctypes.Structure):
    """struct residue_sample: the order is that of residue.h."""

    _fields_ = [("size", ctypes.c_uint32), ("bits", ctypes.c_uint32), ("present", ctypes.c_uint64)]
    _fields_ += [("seconds", ctypes.c_double)] + [(name, ctypes.c_uint64) for name in COUNTERS + REGIONS]

    def known(self):
        """Counters that this system gives: bit by bit of `present`, in the order of the fields."""
        return {name: getattr(self, name) for bit, name in enumerate(COUNTERS) if self.present >> bit & 1}


class Range(ctypes.Structure):
    """struct residue_range."""

    _fields_ = [("start", ctypes.c_uint64), ("size", ctypes.c_uint64)]


def check(library, status):
    """A negative status is a failure, and the library tells why."""
    if status < 0:
        why = ctypes.create_string_buffer(1024)
        library.residue_last_error(why, ctypes.c_size_t(len(why)))
        sys.exit(why.value.decode())


def main():
    library = ctypes.CDLL(sys.argv[1])
    process, count = ctypes.c_void_p(), ctypes.c_size_t()
    sample, holes = Sample(size=ctypes.sizeof(Sample)), (Range * 5)()
    if len(sys.argv) > 2:
        check(library, library.residue_open(ctypes.c_uint32(int(sys.argv[2])), None, ctypes.byref(process)))
    else:
        check(library, library.residue_open_self(None, ctypes.byref(process)))
    check(library, library.residue_sample_and_free(process, ctypes.byref(sample), holes, ctypes.c_size_t(len(holes)),
                                                   ctypes.byref(count)))
    for name, value in sample.known().items():
        print(f"{name:20} {value:>20}")
    for hole in holes[: count.value]:
        print(f"free at {hole.start:#014x}  {hole.size:>16}")
    library.residue_close(process)


if __name__ == "__main__":
    main()
