//! Sets registers to values that no compiler leaves in them. Each of these functions keeps rdi and rsi, ends by a jump to
//! the address in r11, and is called by `stub` only.

use super::memory::{MARK, missing};
use std::arch::naked_asm;
use std::io;
use std::sync::atomic::AtomicU8;

/// A function that sets registers.
#[derive(Clone, Copy)]
pub(super) struct Setter {
    /// The function.
    pub(super) set: extern "C" fn(),
    is_possible: fn() -> bool,
    /// What is missing if it isn't possible.
    needs: &'static str,
}

impl Setter {
    /// Whether this processor has those registers, and those that every attempt here saves.
    pub(super) fn check(&self) -> io::Result<()> {
        const FSGSBASE: u64 = 1 << 1;
        // SAFETY: has no precondition.
        let has_bases = unsafe { libc::getauxval(libc::AT_HWCAP2) } & FSGSBASE != 0;
        match has_bases && std::is_x86_feature_detected!("xsave") {
            false => Err(missing("this machine has no XSAVE or no FSGSBASE")),
            true if (self.is_possible)() => Ok(()),
            true => Err(missing(self.needs)),
        }
    }
}

/// `NAME = "what the processor needs", whether it has that, instructions;`, one after the other.
macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident = $needs:literal, $is_possible:expr,
       [$($line:expr),+ $(,)?] $(, $operand:ident = $kind:ident $value:path)*;)*) => {
        $($(#[$doc])* pub(super) const $name: Setter = {
            #[unsafe(naked)]
            extern "C" fn set() {
                naked_asm!($($line,)+ "jmp r11", $($operand = $kind $value),*)
            }
            Setter { set, is_possible: || $is_possible, needs: $needs }
        };)*
    };
}

pub(super) const DIRECTION_FLAG: u64 = 1 << 10;
pub(super) const NESTED_TASK_FLAG: u64 = 1 << 14;
pub(super) const ALIGNMENT_FLAG: u64 = 1 << 18;

/// A base at which nothing is.
pub(super) const OWN_BASE: u64 = 0x1234_5678_9000;

/// The selector of the data of every program (`__USER_DS` of the kernel); 0 stands in these registers otherwise.
pub(super) const USER_DATA: u64 = 0x2b;

/// Like the default, but with less precision.
pub(super) const OWN_X87_CONTROL: u16 = 0x027f;

/// The default, but a division by zero isn't masked.
const WITH_ZERO_DIVIDE: u16 = 0x037b;

/// The bit of the status word that makes the next instruction fail.
pub(super) const X87_PENDING: u16 = 1 << 7;

/// Numbers near zero become zero.
pub(super) const OWN_MXCSR: u32 = 0x9fc0;

/// Access to memory with key 1, which the kernel denies by default.
pub(super) const OWN_PKRU: u32 = 0x5555_5550;

/// A stack in a static variable.
#[repr(C, align(4096))]
struct Stack([AtomicU8; STACK_BYTES]);

const STACK_BYTES: usize = 8192;

static STACK_MEMORY: Stack = Stack([const { AtomicU8::new(0) }; STACK_BYTES]);

/// Whether a stack pointer is in that stack.
pub(super) fn is_own_stack(pointer: u64) -> bool {
    let start = crate::sys::at(&STACK_MEMORY) as u64;
    (start..start + STACK_BYTES as u64).contains(&pointer)
}

setters! {
    NOTHING = "", true, ["nop"];
    GENERAL = "", true, [
        "movabs rbx, {mark}",
        "mov rbp, rbx", "mov r8, rbx", "mov r9, rbx",
        "mov r12, rbx", "mov r13, rbx", "mov r14, rbx", "mov r15, rbx",
    ], mark = const MARK;
    STACK = "", true, ["lea rsp, [rip + {stack} + 4096]"], stack = sym STACK_MEMORY;
    DIRECTION = "", true, ["std"];
    ALIGNMENT = "", true, ["pushfq", "or qword ptr [rsp], {flag}", "popfq"], flag = const ALIGNMENT_FLAG;
    NESTED_TASK = "", true, ["pushfq", "or qword ptr [rsp], {flag}", "popfq"], flag = const NESTED_TASK_FLAG;
    FS_BASE = "", true, ["movabs rax, {base}", "wrfsbase rax"], base = const OWN_BASE;
    GS_BASE = "", true, ["movabs rax, {base}", "wrgsbase rax"], base = const OWN_BASE;
    DATA_SEGMENTS = "", true, ["mov eax, {selector}", "mov ds, eax", "mov es, eax"], selector = const USER_DATA;
    FS_SELECTOR = "", true, ["mov eax, {selector}", "mov fs, eax"], selector = const USER_DATA;
    GS_SELECTOR = "", true, ["mov eax, {selector}", "mov gs, eax"], selector = const USER_DATA;
    /// By the MMX registers, which are the same.
    X87 = "", true, [
        "movabs rax, {mark}",
        "movq mm0, rax", "movq mm1, rax", "movq mm2, rax", "movq mm3, rax",
        "movq mm4, rax", "movq mm5, rax", "movq mm6, rax", "movq mm7, rax",
    ], mark = const MARK;
    X87_CONTROL = "", true, ["push {control}", "fldcw [rsp]", "pop rax"], control = const OWN_X87_CONTROL;
    X87_EXCEPTION = "", true, [
        "push {control}", "fldcw [rsp]", "pop rax", "fld1", "fldz", "fdivp st(1), st",
    ], control = const WITH_ZERO_DIVIDE;
    SSE = "", true, [
        "movabs rax, {mark}", "movq xmm0, rax", "punpcklqdq xmm0, xmm0",
        "movdqa xmm1, xmm0", "movdqa xmm2, xmm0", "movdqa xmm3, xmm0", "movdqa xmm4, xmm0",
        "movdqa xmm5, xmm0", "movdqa xmm6, xmm0", "movdqa xmm7, xmm0", "movdqa xmm8, xmm0",
        "movdqa xmm9, xmm0", "movdqa xmm10, xmm0", "movdqa xmm11, xmm0", "movdqa xmm12, xmm0",
        "movdqa xmm13, xmm0", "movdqa xmm14, xmm0", "movdqa xmm15, xmm0",
    ], mark = const MARK;
    MXCSR = "", true, ["push {mxcsr}", "ldmxcsr [rsp]", "pop rax"], mxcsr = const OWN_MXCSR;
    AVX = "this processor has no AVX", std::is_x86_feature_detected!("avx"), [
        "movabs rax, {mark}", "vmovq xmm0, rax", "vpunpcklqdq xmm0, xmm0, xmm0", "vinsertf128 ymm0, ymm0, xmm0, 1",
        "vmovaps ymm1, ymm0", "vmovaps ymm2, ymm0", "vmovaps ymm3, ymm0", "vmovaps ymm4, ymm0",
        "vmovaps ymm5, ymm0", "vmovaps ymm6, ymm0", "vmovaps ymm7, ymm0", "vmovaps ymm8, ymm0",
        "vmovaps ymm9, ymm0", "vmovaps ymm10, ymm0", "vmovaps ymm11, ymm0", "vmovaps ymm12, ymm0",
        "vmovaps ymm13, ymm0", "vmovaps ymm14, ymm0", "vmovaps ymm15, ymm0",
    ], mark = const MARK;
    AVX512 = "this processor has no AVX-512", std::is_x86_feature_detected!("avx512f"), [
        "movabs rax, {mark}",
        "vpbroadcastq zmm0, rax", "vpbroadcastq zmm7, rax", "vpbroadcastq zmm8, rax", "vpbroadcastq zmm15, rax",
        "vpbroadcastq zmm16, rax", "vpbroadcastq zmm17, rax", "vpbroadcastq zmm23, rax", "vpbroadcastq zmm24, rax",
        "vpbroadcastq zmm30, rax", "vpbroadcastq zmm31, rax",
    ], mark = const MARK;
    MASKS = "this processor has no AVX-512 with masks of 64 bits", std::is_x86_feature_detected!("avx512bw"), [
        "movabs rax, {mark}",
        "kmovq k0, rax", "kmovq k1, rax", "kmovq k2, rax", "kmovq k3, rax",
        "kmovq k4, rax", "kmovq k5, rax", "kmovq k6, rax", "kmovq k7, rax",
    ], mark = const MARK;
    PKRU = "this machine has no protection keys", has_protection_keys(), [
        "mov eax, {keys}", "xor ecx, ecx", "xor edx, edx", "wrpkru",
    ], keys = const OWN_PKRU;
}

/// Whether the processor has them and the kernel uses them.
pub(super) fn has_protection_keys() -> bool {
    const OSPKE: u32 = 1 << 4;
    let highest = std::arch::x86_64::__cpuid(0).eax;
    highest >= 7 && std::arch::x86_64::__cpuid_count(7, 0).ecx & OSPKE != 0
}
