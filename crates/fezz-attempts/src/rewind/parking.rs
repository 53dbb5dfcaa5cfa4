//! Other ways to park, which ends a request, than the runner's.

use super::memory::missing;
use super::{killed, stub};
use crate::attempt::Attempt;
use crate::found::Found;
use crate::state::Own;
use crate::sys::NOWHERE;
use fezz_wire::rewind::PARK;
use std::io;

pub(super) const ATTEMPTS: &[Attempt] = &[
    killed(
        "park-elsewhere",
        "park by an instruction of its own, and so go on with the next request",
        &Own { leave: elsewhere, is_there: super::is_control },
    ),
    killed(
        "park-without-response",
        "have the host read a response where no memory is",
        &Own { leave: || at_stub(NOWHERE, 4096), is_there: super::is_control },
    ),
    killed(
        "park-with-kernel-memory",
        "have the host read a response out of the kernel's memory",
        &Own { leave: || at_stub(0xffff_8000_0000_0000, 4096), is_there: super::is_control },
    ),
    killed(
        "park-with-endless-response",
        "have the host read a response larger than all memory",
        &Own { leave: || at_stub(stub::response().0, usize::MAX / 2), is_there: super::is_control },
    ),
];

fn at_stub(address: usize, length: usize) -> io::Result<()> {
    if super::is_control()? { Ok(()) } else { stub::park(address, length) }
}

/// Parks until the host stops it, and tells each request that it has got that one.
fn elsewhere() -> io::Result<()> {
    if super::is_control()? {
        return Ok(());
    }
    let (mut address, mut length) = stub::response();
    loop {
        park_here(address, length)?;
        let found = Found::Worked("the host resumed the process elsewhere than in the runner".to_owned());
        let response = crate::response(200, &found.to_json()).leak();
        (address, length) = (response.as_ptr() as usize, response.len());
    }
}

fn park_here(address: usize, length: usize) -> io::Result<()> {
    let mut result = i64::from(PARK);
    // SAFETY: the kernel reads nothing, and the host only reads what the arguments name.
    unsafe {
        std::arch::asm!(
            "syscall",
            inout("rax") result,
            in("rdi") address,
            in("rsi") length,
            out("rcx") _,
            out("r11") _,
        );
    }
    match result {
        1.. => Ok(()),
        0 => Err(missing("the call returned 0")),
        _ => Err(io::Error::from_raw_os_error(-result as i32)),
    }
}
