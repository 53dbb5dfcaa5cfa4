//! Parks by the runner's own instructions: the host looks at the address from which a process parks, and takes this for
//! the end of a request. With any registers, and without returning to the runner.

use super::memory::missing;
use super::registers::{AREA, COMPONENTS, CONTROL, FS_BASE, GS_BASE, Place, STACK_POINTER, capture};
use super::setters::{self, Setter};
use fezz_wire::rewind::PARK;
use std::arch::naked_asm;
use std::io;
use std::ops::Range;

/// Sets registers and parks with a response. In the step `control` it writes down the registers instead, and returns.
pub(super) fn park_with(setter: &Setter) -> io::Result<()> {
    setter.check()?;
    if super::is_control()? {
        leave(setter.set, capture_and_return as *const () as usize, 0, 0);
        return Ok(());
    }
    let (address, length) = response();
    leave(setter.set, instructions()?, address, length);
    Err(missing("the host has resumed the process at another place"))
}

/// Parks with that response. Doesn't return, and needs no stack afterwards.
pub(super) fn park(address: usize, length: usize) -> io::Result<()> {
    let nothing = setters::NOTHING;
    nothing.check()?;
    leave(nothing.set, instructions()?, address, length);
    Err(missing("the host has resumed the process at another place"))
}

/// The response of a step `mark`, as address and length.
pub(super) fn response() -> (usize, usize) {
    let response = crate::response(200, &crate::found::Found::Worked(super::LEFT.to_owned()).to_json());
    let response = response.leak();
    (response.as_ptr() as usize, response.len())
}

/// The state that [`leave`] saves for [`capture_and_return`].
static SAVED: Place = Place::new();

/// Calls `set`, which jumps to `then` with `address` and `length` as its arguments.
#[unsafe(naked)]
extern "C" fn leave(set: extern "C" fn(), then: usize, address: usize, length: usize) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov r10, rdi",
        "mov r11, rsi",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "lea rcx, [rip + {saved}]",
        "mov [rcx + {stack_pointer}], rsp",
        "rdfsbase rax",
        "mov [rcx + {fs_base}], rax",
        "rdgsbase rax",
        "mov [rcx + {gs_base}], rax",
        "mov eax, {components}",
        "xor edx, edx",
        "xsave64 [rcx + {area}]",
        "jmp r10",
        saved = sym SAVED,
        stack_pointer = const STACK_POINTER,
        fs_base = const FS_BASE,
        gs_base = const GS_BASE,
        components = const COMPONENTS,
        area = const AREA,
    )
}

/// Writes the registers to [`CONTROL`] and returns to the caller of [`leave`], with its registers.
#[unsafe(naked)]
extern "C" fn capture_and_return() {
    naked_asm!(
        "lea r10, [rip + {control}]",
        "call {capture}",
        "rdfsbase rax",
        "mov [r10 + {fs_base}], rax",
        "rdgsbase rax",
        "mov [r10 + {gs_base}], rax",
        "lea r10, [rip + {saved}]",
        "mov rsp, [r10 + {stack_pointer}]",
        "xor eax, eax",
        "mov ds, eax",
        "mov es, eax",
        "mov fs, eax",
        "mov gs, eax",
        // After the selectors, which set the bases as well.
        "mov rax, [r10 + {fs_base}]",
        "wrfsbase rax",
        "mov rax, [r10 + {gs_base}]",
        "wrgsbase rax",
        // Without raising an exception that is pending.
        "fninit",
        "mov eax, {components}",
        "xor edx, edx",
        "xrstor64 [r10 + {area}]",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        control = sym CONTROL,
        capture = sym capture,
        saved = sym SAVED,
        stack_pointer = const STACK_POINTER,
        fs_base = const FS_BASE,
        gs_base = const GS_BASE,
        components = const COMPONENTS,
        area = const AREA,
    )
}

/// The address of the runner's instructions `mov eax, PARK`, `syscall`, `mov r12, rax`. There are two such places: with
/// protection keys, WRPKRU comes next, whose operand has to be 0.
pub(super) fn instructions() -> io::Result<usize> {
    const ZERO_EAX: [u8; 2] = [0x31, 0xc0];
    let [a, b, c, d] = PARK.to_le_bytes();
    let park = [0xb8, a, b, c, d, 0x0f, 0x05, 0x49, 0x89, 0xc4];
    let text = Program::find()?.text;
    // SAFETY: the loader has mapped all of a segment, readable, and it stays.
    let bytes = unsafe { std::slice::from_raw_parts(text.start as *const u8, text.len()) };
    let is_it = |window: &[u8]| {
        window.starts_with(&park) && window.ends_with(&ZERO_EAX) == setters::has_protection_keys()
    };
    let at = bytes.windows(park.len() + ZERO_EAX.len()).position(is_it);
    at.map(|at| text.start + at).ok_or_else(|| missing("the program has no instructions that park"))
}

/// What the program doesn't use of the last page of its variables.
pub(super) fn unused_memory_of_program() -> io::Result<Range<usize>> {
    const PAGE_BYTES: usize = 4096;
    let end = Program::find()?.variables_end.next_multiple_of(size_of::<u64>());
    let unused = end..end.next_multiple_of(PAGE_BYTES);
    if unused.is_empty() {
        Err(missing("the program uses the last page of its variables whole"))
    } else {
        Ok(unused)
    }
}

/// Where the program is, the runner or a worker's own.
#[derive(Default)]
struct Program {
    text: Range<usize>,
    variables_end: usize,
}

impl Program {
    fn find() -> io::Result<Self> {
        let mut program = Self::default();
        // SAFETY: `note_first` takes the data for what it is, and it outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(note_first), std::ptr::from_mut(&mut program).cast()) };
        if program.text.is_empty() { Err(missing("the loader names no program")) } else { Ok(program) }
    }

    fn note(&mut self, base: usize, segment: &libc::Elf64_Phdr) {
        let start = base + segment.p_vaddr as usize;
        let end = start + segment.p_memsz as usize;
        match (segment.p_type, segment.p_flags) {
            (libc::PT_LOAD, flags) if flags & libc::PF_X != 0 => self.text = start..end,
            (libc::PT_LOAD, flags) if flags & libc::PF_W != 0 => self.variables_end = end,
            _ => {}
        }
    }
}

/// Notes the segments of the first object, which is the program (dl_iterate_phdr(3)).
///
/// # Safety
///
/// `data` points to a [`Program`], and `object` to an object that the loader has loaded.
unsafe extern "C" fn note_first(
    object: *mut libc::dl_phdr_info,
    _: libc::size_t,
    data: *mut libc::c_void,
) -> libc::c_int {
    const STOP: libc::c_int = 1;
    // SAFETY: the caller's condition, and nothing else refers to it meanwhile.
    let program = unsafe { &mut *data.cast::<Program>() };
    // SAFETY: the caller's condition.
    let object = unsafe { &*object };
    // SAFETY: the loader gives so many headers there.
    let segments = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) };
    segments.iter().for_each(|segment| program.note(object.dlpi_addr as usize, segment));
    STOP
}
