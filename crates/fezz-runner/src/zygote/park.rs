//! How a rewindable process waits for the host, and takes its registers back.
//!
//! While it waits, the host restores its memory, and nothing else: every register still has what the last request left
//! there. So the stub below is the first code that runs, and it loads all registers from memory, [`SAVED`] and the stack,
//! which are those of the snapshot. The host has checked that the process waits at the stub's own system call: a request
//! that makes the call elsewhere ends its process.

use super::syscalls::{extended_state_bytes, has_fs_gs_base, has_os_xsave, has_protection_keys};
use fezz_wire::rewind::{Obstacle, PARK, Resume, SETTLE};
use std::arch::{asm, naked_asm};
use std::mem::offset_of;

/// Space for the extended state, which on today's processors takes 2.7 KiB with AVX-512, and 11 KiB with AMX.
const EXTENDED_STATE_BYTES: usize = 16 * 1024;

/// What the stub loads the registers from that aren't on the stack.
#[repr(C, align(64))]
struct Saved {
    /// x87, SSE, AVX, mask registers, PKRU and what else the kernel has enabled, in the standard format of XSAVE. The
    /// instruction wants it aligned to 64 bytes and with a header of zeros.
    extended_state: [u8; EXTENDED_STATE_BYTES],
    stack_pointer: u64,
    fs_base: u64,
    gs_base: u64,
    ds: u16,
    es: u16,
    fs: u16,
    gs: u16,
}

static mut SAVED: Saved = Saved {
    extended_state: [0; EXTENDED_STATE_BYTES],
    stack_pointer: 0,
    fs_base: 0,
    gs_base: 0,
    ds: 0,
    es: 0,
    fs: 0,
    gs: 0,
};

type Stub = extern "C" fn(address: *const u8, bytes: usize) -> i64;

/// The way to wait on this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Park(Stub);

impl Park {
    /// Chooses it.
    ///
    /// # Errors
    ///
    /// The registers can't be restored here.
    pub(super) fn choose() -> Result<Self, Obstacle> {
        if !has_os_xsave() || !has_fs_gs_base() {
            return Err(Obstacle::Registers);
        }
        if extended_state_bytes() > EXTENDED_STATE_BYTES {
            return Err(Obstacle::ExtendedState);
        }
        Ok(Self(if has_protection_keys() { park_with_protection_keys } else { park }))
    }

    /// Saves what the stub loads that no call changes: once, before the first [`wait`](Self::wait).
    pub(super) fn prepare(self) {
        let saved = &raw mut SAVED;
        // SAFETY: the area must be writable, aligned to 64 bytes and large enough: `Saved` is, and `choose` has compared
        // the sizes. No other code writes it, for this process has one thread.
        unsafe {
            asm!("xsave64 [{0}]", in(reg) saved, in("eax") -1, in("edx") -1, options(nostack, preserves_flags));
        }
        let (fs_base, gs_base): (u64, u64);
        // SAFETY: only reads two registers; `choose` has checked that the kernel allows it.
        unsafe {
            asm!("rdfsbase {0}", "rdgsbase {1}", out(reg) fs_base, out(reg) gs_base, options(nomem, nostack, preserves_flags));
        }
        let (ds, es, fs, gs): (u16, u16, u16, u16);
        // SAFETY: only reads four registers.
        unsafe {
            asm!(
                "mov {0:e}, ds", "mov {1:e}, es", "mov {2:e}, fs", "mov {3:e}, gs",
                out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs,
                options(nomem, nostack, preserves_flags),
            );
        }
        // SAFETY: no reference to the static exists, and this process has one thread.
        let saved = unsafe { &mut *saved };
        (saved.fs_base, saved.gs_base) = (fs_base, gs_base);
        (saved.ds, saved.es, saved.fs, saved.gs) = (ds, es, fs, gs);
    }

    /// Waits until the host resumes this process; `None` if it wasn't the host. The two arguments are an address and the
    /// number of bytes there, which the host may read and write.
    ///
    /// If the host has restored this process meanwhile, it returns where the snapshot was taken: from the call in which
    /// this process waited then.
    pub(super) fn wait(self, address: *const u8, bytes: usize) -> Option<Resume> {
        Resume::decode((self.0)(address, bytes))
    }
}

/// Defines a stub; `open` is what has to come before the first access to memory.
///
/// Up to its system call it is an ordinary function. From there on it assumes that each register, flag and segment is
/// hostile, the stack pointer and the bases of FS and GS among them. The instruction pointer isn't, and memory isn't.
macro_rules! stub {
    ($(#[$doc:meta])* $name:ident, [$($open:literal),*]) => {
        $(#[$doc])*
        #[unsafe(naked)]
        extern "C" fn $name(address: *const u8, bytes: usize) -> i64 {
            naked_asm!(
                // What the caller expects to find again (System V ABI, AMD64 supplement, 3.2.1), on the stack; the
                // arguments already are in the registers of a system call's first two.
                "push rbp",
                "push rbx",
                "push r12",
                "push r13",
                "push r14",
                "push r15",
                "mov qword ptr [rip + {saved} + {stack_pointer}], rsp",
                "2:",
                "mov eax, {park}",
                "syscall",
                // The host's answer: `rax` is needed below.
                "mov r12, rax",
                $($open,)*
                // Before anything is pushed: the stack of the snapshot. Addresses relative to `rip` use no segment's base.
                "mov rsp, qword ptr [rip + {saved} + {stack_pointer}]",
                // All flags 0 but the one that is always 1: no trap after each instruction (TF), no check of alignment
                // (AC), strings upwards (DF), no nested task (NT).
                "push 2",
                "popfq",
                // AMD's processors leave the addresses of the last x87 instruction and operand as they are when they load
                // a state without an exception (AMD64 Architecture Programmer's Manual, volume 2, 11.4.4.3). This clears
                // them, and waits for no exception that the request may have left pending.
                "fninit",
                // All components that the kernel has enabled, PKRU among them; those that were unused are reset.
                "mov eax, -1",
                "mov edx, -1",
                "xrstor64 [rip + {saved} + {extended_state}]",
                // Before the bases, since loading a selector may change a base.
                "mov ds, word ptr [rip + {saved} + {ds}]",
                "mov es, word ptr [rip + {saved} + {es}]",
                "mov fs, word ptr [rip + {saved} + {fs}]",
                "mov gs, word ptr [rip + {saved} + {gs}]",
                "mov rcx, qword ptr [rip + {saved} + {fs_base}]",
                "wrfsbase rcx",
                "mov rcx, qword ptr [rip + {saved} + {gs_base}]",
                "wrgsbase rcx",
                // The registers that a caller expects to have lost: a later request could read them.
                "xor ecx, ecx",
                "xor edx, edx",
                "xor esi, esi",
                "xor edi, edi",
                "xor r8d, r8d",
                "xor r9d, r9d",
                "xor r10d, r10d",
                "xor r11d, r11d",
                // The host only wants the registers restored: wait again, with 0 as the arguments. Memory is as before, but
                // for the word below the stack pointer, which has held the flags since the first time.
                "cmp r12, {settle}",
                "je 2b",
                "mov rax, r12",
                "pop r15",
                "pop r14",
                "pop r13",
                "pop r12",
                "pop rbx",
                "pop rbp",
                "ret",
                saved = sym SAVED,
                park = const PARK,
                settle = const SETTLE,
                extended_state = const offset_of!(Saved, extended_state),
                stack_pointer = const offset_of!(Saved, stack_pointer),
                fs_base = const offset_of!(Saved, fs_base),
                gs_base = const offset_of!(Saved, gs_base),
                ds = const offset_of!(Saved, ds),
                es = const offset_of!(Saved, es),
                fs = const offset_of!(Saved, fs),
                gs = const offset_of!(Saved, gs),
            )
        }
    };
}

stub! {
    /// The stub for processors without protection keys, or with a kernel that doesn't use them (pkeys(7)).
    park, []
}

stub! {
    /// The stub for the others, where WRPKRU needs no system call: the register may forbid this process to read its own
    /// memory. All keys are open until XRSTOR loads the saved value. `ecx` and `edx` must be 0 for the instruction.
    park_with_protection_keys, ["xor eax, eax", "xor ecx, ecx", "xor edx, edx", "wrpkru"]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registers after a stub has returned.
    #[repr(C)]
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        /// `rbx`, `rbp`, `r12` to `r15`.
        kept: [u64; 6],
        /// `rcx`, `rdx`, `rsi`, `rdi`, `r8` to `r11`.
        cleared: [u64; 8],
        fs_base: u64,
        gs_base: u64,
        flags: u64,
        selectors: [u16; 4],
        mxcsr: u32,
        x87_control: u32,
        xmm15: [u64; 2],
    }

    /// Calls a stub with a marker in each register that must be kept, and disorder in all others. Nothing in it needs
    /// the stack protector, a thread-local variable or the x87 stack.
    #[unsafe(naked)]
    extern "C" fn call_in_disorder(stub: Stub, seen: *mut Seen) -> i64 {
        naked_asm!(
            "push rbx",
            "push rbp",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "push rsi",
            "sub rsp, 16",
            // SSE: rounding towards zero, denormals are zeros, results too; x87: rounding towards zero.
            "mov dword ptr [rsp], 0xffc0",
            "ldmxcsr [rsp]",
            "mov word ptr [rsp], 0x0f7f",
            "fldcw [rsp]",
            "fld1",
            "pcmpeqd xmm15, xmm15",
            "xor ecx, ecx",
            "wrfsbase rcx",
            "wrgsbase rcx",
            "mov ecx, 0x2b",
            "mov ds, ecx",
            "mov es, ecx",
            "mov fs, ecx",
            "mov rax, rdi",
            "mov ebx, 1",
            "mov ebp, 2",
            "mov r12d, 3",
            "mov r13d, 4",
            "mov r14d, 5",
            "mov r15d, 6",
            "mov edi, 7",
            "mov esi, 8",
            "mov edx, 9",
            "mov r8d, 10",
            "mov r9d, 11",
            "mov r10d, 12",
            "pushfq",
            // Alignment check, nested task, direction.
            "or qword ptr [rsp], 0x44400",
            "popfq",
            "call rax",
            "push rsi",
            "mov rsi, qword ptr [rsp + 24]",
            "pop qword ptr [rsi + 64]",
            "mov [rsi], rbx",
            "mov [rsi + 8], rbp",
            "mov [rsi + 16], r12",
            "mov [rsi + 24], r13",
            "mov [rsi + 32], r14",
            "mov [rsi + 40], r15",
            "mov [rsi + 48], rcx",
            "mov [rsi + 56], rdx",
            "mov [rsi + 72], rdi",
            "mov [rsi + 80], r8",
            "mov [rsi + 88], r9",
            "mov [rsi + 96], r10",
            "mov [rsi + 104], r11",
            "rdfsbase rcx",
            "mov [rsi + 112], rcx",
            "rdgsbase rcx",
            "mov [rsi + 120], rcx",
            "pushfq",
            "pop qword ptr [rsi + 128]",
            "mov word ptr [rsi + 136], ds",
            "mov word ptr [rsi + 138], es",
            "mov word ptr [rsi + 140], fs",
            "mov word ptr [rsi + 142], gs",
            "stmxcsr [rsi + 144]",
            "fnstcw [rsi + 148]",
            "movdqu [rsi + 152], xmm15",
            "add rsp, 16",
            "pop rsi",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbp",
            "pop rbx",
            "ret",
        )
    }

    #[test]
    fn a_process_gets_its_registers_back_whatever_a_request_has_left_in_them() {
        const MXCSR: u32 = 0x1f80;
        const X87_CONTROL: u32 = 0x037f;
        /// Parity and sign, of the last comparison: without a host the call returns -ENOSYS.
        const FLAGS: u64 = 0x286;
        let Ok(way) = Park::choose() else {
            eprintln!("skipped: this machine's registers can't be restored");
            return;
        };
        way.prepare();
        let mut seen = Seen { xmm15: [!0; 2], ..Seen::default() };
        // Without the host's filter, the kernel refuses the call, and the stub returns.
        assert_eq!(call_in_disorder(way.0, &raw mut seen), -i64::from(libc::ENOSYS));

        let saved = &raw const SAVED;
        // SAFETY: no other test uses it, and it isn't written any more.
        let saved = unsafe { &*saved };
        let expected = Seen {
            kept: [1, 2, 3, 4, 5, 6],
            cleared: [0; 8],
            fs_base: saved.fs_base,
            gs_base: saved.gs_base,
            flags: FLAGS,
            selectors: [saved.ds, saved.es, saved.fs, saved.gs],
            mxcsr: MXCSR,
            x87_control: X87_CONTROL,
            xmm15: seen.xmm15,
        };
        assert_eq!(seen, expected);
        assert_ne!(seen.xmm15, [!0; 2], "what a request left in a vector register");
        assert_ne!(seen.fs_base, 0);
    }
}
