//! Objects that processes share by name, and that outlive them: removed at once.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::ffi::CString;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("shared-memory-segment", "make a System V shared memory segment", |_| {
        let made = sys::call(libc::SYS_shmget, &[0, 4096, CREATE]);
        Found::achieved("shmget", made.and_then(|id| sys::call(libc::SYS_shmctl, &[id, REMOVE, 0])))
    }),
    Attempt::new("semaphore-set", "make a System V semaphore set", |_| {
        let made = sys::call(libc::SYS_semget, &[0, 1, CREATE]);
        Found::achieved("semget", made.and_then(|id| sys::call(libc::SYS_semctl, &[id, 0, REMOVE, 0])))
    }),
    Attempt::new("message-queue", "make a System V message queue", |_| {
        let made = sys::call(libc::SYS_msgget, &[0, CREATE]);
        Found::achieved("msgget", made.and_then(|id| sys::call(libc::SYS_msgctl, &[id, REMOVE, 0])))
    }),
    Attempt::new("posix-message-queue", "make a POSIX message queue", posix_message_queue),
    Attempt::new("list-shared-memory", "ask for the System V shared memory of all", |_| {
        let mut info = [0_u64; 16];
        Found::achieved("shmctl", sys::call(libc::SYS_shmctl, &[0, SHM_INFO, sys::at_mut(&mut info)]))
    }),
];

/// `IPC_CREAT` with rights for the owner.
pub(crate) const CREATE: usize = libc::IPC_CREAT as usize | 0o600;
/// `IPC_RMID`.
pub(crate) const REMOVE: usize = libc::IPC_RMID as usize;
const SHM_INFO: usize = 14;

fn posix_message_queue(params: &Params<'_>) -> Found {
    let Ok(name) = CString::new(params.text("marker")) else {
        return Found::Untried("the marker has a NUL".to_owned());
    };
    let flags = (libc::O_CREAT | libc::O_RDWR) as usize;
    let made = sys::open(libc::SYS_mq_open, &[sys::at(name.as_c_str()), flags, 0o600, 0]);
    if made.is_ok() {
        sys::call(libc::SYS_mq_unlink, &[sys::at(name.as_c_str())]).ok();
    }
    match made {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Found::NoSuchCall("mq_open"),
        made => Found::achieved("mq_open", made),
    }
}
