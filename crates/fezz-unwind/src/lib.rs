//! Has no code: its build script links the unwinder of libgcc statically into the runner and into modules, so that a
//! process has one shared library less to find, map and relocate. `use fezz_unwind as _;` is all it takes.
#![no_std]
