# Short names for `cargo xtask`, which does the work and needs no just.

_list:
    @just --list --unsorted

# Install what the tests need
setup:
    cargo xtask setup

# Run every leg of the tests, or one: just test clippy
test leg="":
    cargo xtask test {{ if leg == "" { "" } else { "--leg " + leg } }}

# Check which crate may use which
layers:
    cargo xtask layers

# Measure against the peers
figures *args:
    cargo xtask figures {{ args }}
