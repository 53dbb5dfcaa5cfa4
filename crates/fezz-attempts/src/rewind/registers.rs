//! What a request leaves in the processor: it sets registers, and parks by the runner's own instructions, so that nothing
//! changes them in between. A later request sees what was in them when the module was called.

use super::setters::{self, Setter};
use super::{restored, stub};
use crate::attempt::Attempt;
use crate::state::Own;
use std::arch::naked_asm;
use std::cell::UnsafeCell;
use std::io;

/// `setter, |state| whether it is there` as an attempt's two parts.
macro_rules! own {
    ($setter:expr, $is_there:expr) => {
        Own { leave: || stub::park_with(&$setter), is_there: || look($setter, $is_there) }
    };
}
pub(super) const ATTEMPTS: &[Attempt] = &[
    restored(
        "keep-general-registers",
        "keep values in general registers",
        &own!(setters::GENERAL, State::has_mark_in_general_registers),
    ),
    restored(
        "keep-stack-pointer",
        "keep a stack of its own",
        &own!(setters::STACK, |state| setters::is_own_stack(state.stack_pointer)),
    ),
    restored(
        "keep-direction-flag",
        "keep the direction flag set",
        &own!(setters::DIRECTION, |state| state.flags & setters::DIRECTION_FLAG != 0),
    ),
    restored(
        "keep-alignment-flag",
        "keep the alignment flag set",
        &own!(setters::ALIGNMENT, |state| state.flags & setters::ALIGNMENT_FLAG != 0),
    ),
    restored(
        "keep-nested-task-flag",
        "keep the nested-task flag set",
        &own!(setters::NESTED_TASK, |state| state.flags & setters::NESTED_TASK_FLAG != 0),
    ),
    restored(
        "keep-fs-base",
        "keep another FS base, where thread-local variables are",
        &own!(setters::FS_BASE, |state| state.fs_base == setters::OWN_BASE),
    ),
    restored(
        "keep-gs-base",
        "keep another GS base",
        &own!(setters::GS_BASE, |state| state.gs_base == setters::OWN_BASE),
    ),
    restored(
        "keep-data-segments",
        "keep other selectors in DS and ES",
        &own!(setters::DATA_SEGMENTS, |state| state.selectors[..2].contains(&setters::USER_DATA)),
    ),
    restored(
        "keep-fs-selector",
        "keep another selector in FS",
        &own!(setters::FS_SELECTOR, |state| state.selectors[2] == setters::USER_DATA),
    ),
    restored(
        "keep-gs-selector",
        "keep another selector in GS",
        &own!(setters::GS_SELECTOR, |state| state.selectors[3] == setters::USER_DATA),
    ),
    restored(
        "keep-x87-registers",
        "keep values in x87 registers",
        &own!(setters::X87, |state| state.area[X87_TAGS] != 0 || state.holds_mark(LEGACY)),
    ),
    restored(
        "keep-x87-control",
        "keep another x87 control word",
        &own!(setters::X87_CONTROL, |state| state.word(X87_CONTROL) == setters::OWN_X87_CONTROL),
    ),
    restored(
        "keep-x87-exception",
        "keep an x87 exception pending",
        &own!(setters::X87_EXCEPTION, |state| state.word(X87_STATUS) & setters::X87_PENDING != 0),
    ),
    restored(
        "keep-sse-registers",
        "keep values in SSE registers",
        &own!(setters::SSE, |state| state.holds_mark(LEGACY)),
    ),
    restored(
        "keep-mxcsr",
        "keep another rounding of SSE (MXCSR)",
        &own!(setters::MXCSR, |state| state.mxcsr() == setters::OWN_MXCSR),
    ),
    restored(
        "keep-avx-registers",
        "keep values in AVX registers",
        &own!(setters::AVX, |state| state.holds_mark(EXTENDED)),
    ),
    restored(
        "keep-avx512-registers",
        "keep values in AVX-512 registers",
        &own!(setters::AVX512, |state| state.holds_mark(EXTENDED)),
    ),
    restored(
        "keep-mask-registers",
        "keep values in AVX-512 mask registers",
        &own!(setters::MASKS, |state| state.holds_mark(EXTENDED)),
    ),
    restored(
        "keep-protection-keys",
        "keep memory protection keys (PKRU)",
        &own!(setters::PKRU, |state| state.holds_word(EXTENDED, setters::OWN_PKRU)),
    ),
];

/// The bytes of the extended state: enough for all components in [`COMPONENTS`].
const AREA_BYTES: usize = 4096;

/// x87, SSE, AVX, the three of AVX-512, and PKRU, as bits of XCR0. Not AMX, which is disabled by default.
pub(super) const COMPONENTS: u32 = 0x2e7;

/// Where things are in the area (Intel's manual, volume 1, chapter 13).
const X87_CONTROL: usize = 0;
const X87_STATUS: usize = 2;
const X87_TAGS: usize = 4;
const MXCSR: usize = 24;
const LEGACY: std::ops::Range<usize> = 32..416;
const EXTENDED: std::ops::Range<usize> = 576..AREA_BYTES;

/// The state of the processor, as [`capture`] writes it; the bases are added later.
#[repr(C, align(64))]
pub(crate) struct State {
    /// rbx, rbp, r8, r9, and r12 to r15.
    general: [u64; 8],
    stack_pointer: u64,
    flags: u64,
    /// DS, ES, FS and GS.
    selectors: [u64; 4],
    fs_base: u64,
    gs_base: u64,
    area: [u8; AREA_BYTES],
}

/// Where [`capture`] writes these parts.
pub(super) const STACK_POINTER: usize = 64;
const FLAGS: usize = 72;
const SELECTORS: usize = 80;
pub(super) const FS_BASE: usize = 112;
pub(super) const GS_BASE: usize = 120;
pub(super) const AREA: usize = 128;

/// A static that only assembly writes.
#[repr(transparent)]
pub(crate) struct Place(UnsafeCell<State>);

// SAFETY: it must not be written while it is read: writing is the first thing in a request, or its only one.
unsafe impl Sync for Place {}

impl Place {
    pub(crate) const fn new() -> Self {
        let (general, selectors, area) = ([0; 8], [0; 4], [0; AREA_BYTES]);
        let state = State { general, stack_pointer: 0, flags: 0, selectors, fs_base: 0, gs_base: 0, area };
        Self(UnsafeCell::new(state))
    }

    /// Adds the bases, which are the same as at the entry: no code that a compiler makes changes them.
    fn add_bases(&self) {
        let (fs_base, gs_base): (u64, u64);
        // SAFETY: the kernel must allow it: `Setter::check` has asked.
        unsafe { std::arch::asm!("rdfsbase {}", out(reg) fs_base, options(nomem, nostack)) };
        // SAFETY: the same.
        unsafe { std::arch::asm!("rdgsbase {}", out(reg) gs_base, options(nomem, nostack)) };
        let state = self.0.get();
        // SAFETY: nothing else may use it meanwhile: see `Sync`.
        unsafe { (*state).fs_base = fs_base };
        // SAFETY: the same.
        unsafe { (*state).gs_base = gs_base };
    }

    fn get(&self) -> &State {
        // SAFETY: nothing may write it meanwhile: see `Sync`.
        unsafe { &*self.0.get() }
    }
}

/// The state at the module's entry.
pub(crate) static ENTRY: Place = Place::new();

/// The state that the step `control` set.
pub(super) static CONTROL: Place = Place::new();

impl State {
    fn has_mark_in_general_registers(&self) -> bool {
        self.general.contains(&super::memory::MARK)
    }

    fn holds_mark(&self, part: std::ops::Range<usize>) -> bool {
        let mark = super::memory::MARK.to_ne_bytes();
        self.area[part].chunks_exact(mark.len()).any(|bytes| bytes == mark)
    }

    fn holds_word(&self, part: std::ops::Range<usize>, word: u32) -> bool {
        self.area[part].chunks_exact(4).any(|bytes| bytes == word.to_ne_bytes())
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_ne_bytes([self.area[at], self.area[at + 1]])
    }

    fn mxcsr(&self) -> u32 {
        u32::from(self.word(MXCSR)) | u32::from(self.word(MXCSR + 2)) << 16
    }
}

fn look(setter: Setter, is_there: fn(&State) -> bool) -> io::Result<bool> {
    setter.check()?;
    if super::is_control()? {
        return Ok(is_there(CONTROL.get()));
    }
    ENTRY.add_bases();
    Ok(is_there(ENTRY.get()))
}

/// Writes the state to the address in r10. It changes rax, rcx, rdx, r11 and some flags, and uses 16 bytes of the stack.
#[unsafe(naked)]
pub(crate) extern "C" fn capture() {
    naked_asm!(
        "mov [r10], rbx",
        "mov [r10 + 8], rbp",
        "mov [r10 + 16], r8",
        "mov [r10 + 24], r9",
        "mov [r10 + 32], r12",
        "mov [r10 + 40], r13",
        "mov [r10 + 48], r14",
        "mov [r10 + 56], r15",
        "mov [r10 + {stack_pointer}], rsp",
        "pushfq",
        "pop qword ptr [r10 + {flags}]",
        // Strings and checks of alignment as the compiler expects them, from here on.
        "push 2",
        "popfq",
        "mov eax, ds",
        "mov [r10 + {selectors}], rax",
        "mov eax, es",
        "mov [r10 + {selectors} + 8], rax",
        "mov eax, fs",
        "mov [r10 + {selectors} + 16], rax",
        "mov eax, gs",
        "mov [r10 + {selectors} + 24], rax",
        // Nothing else is there without XSAVE, which has bit 27 (OSXSAVE). cpuid changes rbx.
        "push rbx",
        "mov eax, 1",
        "xor ecx, ecx",
        "cpuid",
        "pop rbx",
        "bt ecx, 27",
        "jnc 2f",
        "mov eax, {components}",
        "xor edx, edx",
        "xsave64 [r10 + {area}]",
        "2: ret",
        stack_pointer = const STACK_POINTER,
        flags = const FLAGS,
        selectors = const SELECTORS,
        components = const COMPONENTS,
        area = const AREA,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn assembly_and_structure_agree() {
        let offsets = [
            offset_of!(State, stack_pointer),
            offset_of!(State, flags),
            offset_of!(State, selectors),
            offset_of!(State, fs_base),
            offset_of!(State, gs_base),
            offset_of!(State, area),
        ];
        assert_eq!(offsets, [STACK_POINTER, FLAGS, SELECTORS, FS_BASE, GS_BASE, AREA]);
    }
}
