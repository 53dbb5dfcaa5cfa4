//! The one execve(2) of this process, which replaces it by a program.
//!
//! The filter must allow the call to the runner and refuse it to the program, though both are one process to the kernel.
//! What tells them apart is knowledge: the filter allows execve(2) only with three pointers (path, arguments, variables)
//! to random addresses. The runner draws them, puts them into the filter, and calls. The kernel copies what lies there,
//! and then discards this address space with all that knew the addresses. To guess them is to guess 105 random bits, a
//! system call for each guess; and Landlock allows no other program than the same one again.

use crate::program::ProgramError;
use crate::syscalls;
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// The arguments of execve(2), at their addresses.
#[derive(Debug)]
pub(crate) struct Call([usize; 3]);

impl Call {
    /// Places them in memory. The program's first argument is its file's name; it has no others.
    ///
    /// # Errors
    ///
    /// There is no memory for them.
    pub(crate) fn prepare(program: &Path, env: &[(String, String)]) -> Result<Self, ProgramError> {
        let name = program.file_name().unwrap_or(program.as_os_str());
        let variables: Vec<Vec<u8>> =
            env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect();
        let place = || -> Result<Self, Errno> {
            let path = place_text(program.as_os_str().as_bytes())?;
            let arguments = place_list(&[name.as_bytes().to_vec()])?;
            Ok(Self([path, arguments, place_list(&variables)?]))
        };
        place().map_err(ProgramError::Arguments)
    }

    /// The pointers, for the filter.
    pub(crate) fn pointers(&self) -> [u64; 3] {
        self.0.map(|pointer| pointer as u64)
    }

    /// Makes the call. It returns only if it fails.
    ///
    /// A program that was just written may be open for writing for another moment: a process that its writer started
    /// meanwhile has a copy of the descriptor, up to its own execve(2).
    pub(crate) fn make(self) -> Errno {
        const TRIES: u32 = 1000;
        const PAUSE: Duration = Duration::from_millis(1);
        let [path, arguments, variables] = self.0;
        // SAFETY: these must be the addresses of a C string and of two lists of C strings that end in null: `prepare`
        // has placed them there, in memory that is never unmapped.
        let execute = || unsafe { syscalls::execute(path, arguments, variables) };
        for _ in 1..TRIES {
            match execute() {
                Errno::TXTBSY => std::thread::sleep(PAUSE),
                error => return error,
            }
        }
        execute()
    }
}

/// Places a C string.
fn place_text(text: &[u8]) -> Result<usize, Errno> {
    // The mapping is zeroed: the last byte is the string's end.
    let memory = map_anywhere(text.len() + 1)?;
    memory[..text.len()].copy_from_slice(text);
    Ok(memory.as_ptr() as usize)
}

/// Places a list of pointers that ends in null, and behind it the C strings that they point to.
fn place_list(texts: &[Vec<u8>]) -> Result<usize, Errno> {
    const POINTER_BYTES: usize = size_of::<usize>();
    let list_bytes = (texts.len() + 1) * POINTER_BYTES;
    let memory = map_anywhere(list_bytes + texts.iter().map(|text| text.len() + 1).sum::<usize>())?;
    let base = memory.as_ptr() as usize;
    let mut at = list_bytes;
    for (index, text) in texts.iter().enumerate() {
        let pointer = base + at;
        memory[index * POINTER_BYTES..][..POINTER_BYTES].copy_from_slice(&pointer.to_ne_bytes());
        memory[at..at + text.len()].copy_from_slice(text);
        at += text.len() + 1;
    }
    Ok(base)
}

/// Zeroed memory at a random address, among all pages that a process may have.
fn map_anywhere(bytes: usize) -> Result<&'static mut [u8], Errno> {
    /// The lower half of 48 bits is a process's.
    const ADDRESSES: usize = 1 << 47;
    const PAGE_BYTES: usize = 4096;
    /// Nearly all pages are free: a second try is rare.
    const TRIES: usize = 64;
    let mut answer = Err(Errno::NOMEM);
    for _ in 0..TRIES {
        let address = syscalls::random()? % ADDRESSES / PAGE_BYTES * PAGE_BYTES;
        answer = syscalls::map_at(address, bytes);
        if answer.is_ok() {
            break;
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn text_at(address: usize) -> String {
        // SAFETY: a C string must be there, for good: `Call::prepare` has placed it.
        unsafe { CStr::from_ptr(address as *const libc::c_char) }.to_str().unwrap().to_owned()
    }

    fn list_at(address: usize) -> Vec<String> {
        let place = |at: usize| (address + at * size_of::<usize>()) as *const usize;
        // SAFETY: reads up to the null that ends the list, as above.
        let pointer = |at| unsafe { *place(at) };
        (0..).map(pointer).take_while(|pointer| *pointer != 0).map(text_at).collect()
    }

    #[test]
    fn the_arguments_lie_at_the_addresses_as_execve_takes_them() {
        let env = [("A", "1"), ("EMPTY", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let Call([path, arguments, variables]) = Call::prepare("/module/items".as_ref(), &env).unwrap();
        assert_eq!(text_at(path), "/module/items");
        assert_eq!(list_at(arguments), ["items"]);
        assert_eq!(list_at(variables), ["A=1", "EMPTY="]);
    }

    #[test]
    fn no_two_calls_have_an_address_in_common() {
        let calls = [(); 32].map(|()| Call::prepare("/p".as_ref(), &[]).unwrap().0);
        let mut addresses = calls.concat();
        addresses.sort_unstable();
        assert!(addresses.windows(2).all(|pair| pair[0] != pair[1]));
        // Drawn from the whole range: that all 96 are in one half has a chance of 2 to 2^96.
        assert!(addresses[0] < 1 << 46 && addresses[95] >= 1 << 46, "{addresses:x?}");
    }
}
