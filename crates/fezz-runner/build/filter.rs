//! A compiler from lists of system calls to a seccomp filter (seccomp(2); the instructions are those of bpf(4)).
//!
//! The filter is a binary search tree over the calls' numbers. A linear filter, the default of seccompiler and
//! libseccomp, takes the kernel half a millisecond to install: it runs the filter once for each number, to find the
//! calls that it need not filter at all (kernel/seccomp.c, seccomp_cache_prepare). The tree takes a fifth of that.

use super::policy::{Allowed, Argument, THE_CALL, THIS_PROCESS, Test};
use libc::{
    BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W,
    SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, seccomp_data,
    sock_filter,
};
use std::collections::BTreeMap;
use std::mem::offset_of;

type Steps = Vec<sock_filter>;

/// The lists contradict each other.
#[derive(Debug)]
pub(crate) struct ListedTwice(&'static str);

impl std::fmt::Display for ListedTwice {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} is listed twice, and not both times with conditions", self.0)
    }
}

impl std::error::Error for ListedTwice {}

/// `AUDIT_ARCH_X86_64` or `AUDIT_ARCH_AARCH64` of linux/audit.h.
const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };

/// The call is made.
pub(crate) const ALLOW: u32 = SECCOMP_RET_ALLOW;
/// It fails by `EPERM`.
pub(crate) const REFUSE: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// It fails by `ENOSYS`.
pub(crate) const UNKNOWN: u32 = SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
/// It returns 0 without being made (seccomp(2), SECCOMP_RET_ERRNO).
pub(crate) const DONE: u32 = SECCOMP_RET_ERRNO;
/// The holder of the filter's listener decides (seccomp_unotify(2)).
pub(crate) const NOTIFY: u32 = SECCOMP_RET_USER_NOTIF;

/// The conditions on a call's arguments, and the action where they hold.
type Alternative<'a> = (&'a [Argument], u32);

/// Compiles lists, each with the answer to its calls; any other call gets `otherwise`. The filter kills a process that
/// calls by another architecture's numbers.
pub(crate) fn compile(lists: &[(&[Allowed], u32)], otherwise: u32) -> Result<Steps, ListedTwice> {
    let mut calls: BTreeMap<u32, Vec<Alternative<'_>>> = BTreeMap::new();
    for (list, action) in lists {
        for call in *list {
            let alternatives = calls.entry(number(call)).or_default();
            if alternatives.iter().any(|(others, _)| others.is_empty() || call.only.is_empty()) {
                return Err(ListedTwice(call.name));
            }
            alternatives.push((call.only, *action));
        }
    }
    // The steps for each number and those after it, up to the next key.
    let mut spans: BTreeMap<u32, Steps> = BTreeMap::from([(0, vec![answer(otherwise)])]);
    for (number, alternatives) in calls {
        spans.insert(number, conditions(&alternatives, otherwise));
        spans.insert(number + 1, vec![answer(otherwise)]);
    }
    let mut spans: Vec<(u32, Steps)> = spans.into_iter().collect();
    spans.dedup_by(|later, earlier| is_same(&later.1, &earlier.1));

    let mut steps = vec![
        load(offset_of!(seccomp_data, arch)),
        jump(BPF_JEQ, ARCHITECTURE, 1, 0),
        answer(SECCOMP_RET_KILL_PROCESS),
        load(offset_of!(seccomp_data, nr)),
    ];
    steps.extend(search(&spans));
    Ok(steps)
}

fn number(call: &Allowed) -> u32 {
    u32::try_from(call.number).expect("numbers of system calls are small")
}

fn is_same(some: &Steps, others: &Steps) -> bool {
    let parts = |step: &sock_filter| (step.code, step.jt, step.jf, step.k);
    some.iter().map(parts).eq(others.iter().map(parts))
}

/// Finds the span that a number lies in.
fn search(spans: &[(u32, Steps)]) -> Steps {
    let [(_, only)] = spans else {
        let (lower, upper) = spans.split_at(spans.len() / 2);
        let (first, lower, upper) = (upper[0].0, search(lower), search(upper));
        let mut steps = match u8::try_from(lower.len()) {
            Ok(over) => vec![jump(BPF_JGE, first, over, 0)],
            // Farther than a condition can jump.
            Err(_) => {
                let over = u32::try_from(lower.len()).expect("a filter has at most 4096 steps");
                vec![jump(BPF_JGE, first, 0, 1), jump(BPF_JA, over, 0, 0)]
            }
        };
        steps.extend(lower);
        steps.extend(upper);
        return steps;
    };
    only.clone()
}

/// Answers a call by the alternative that its arguments meet, or by `otherwise`.
fn conditions(alternatives: &[Alternative<'_>], otherwise: u32) -> Steps {
    let mut steps = Steps::new();
    for (arguments, action) in alternatives {
        if arguments.is_empty() {
            return vec![answer(*action)];
        }
        // From the last to the first, since each has to know how far the end is.
        let mut alternative = vec![answer(*action)];
        for argument in arguments.iter().rev() {
            let mut test = test(argument, alternative.len());
            test.append(&mut alternative);
            alternative = test;
        }
        steps.append(&mut alternative);
    }
    steps.push(answer(otherwise));
    steps
}

/// Continues if the argument meets its condition, else jumps over the `rest` of its alternative.
fn test(argument: &Argument, rest: usize) -> Steps {
    let low = offset_of!(seccomp_data, args) + usize::from(argument.index) * size_of::<u64>();
    let high = low + size_of::<u32>();
    let equal = |value, later: usize| {
        jump(BPF_JEQ, value, 0, u8::try_from(rest + later).expect("an alternative is short"))
    };
    match argument.test {
        Test::Is(value) => vec![load(low), equal(value, 0)],
        Test::Bits { mask, value } => {
            vec![load(low), step(BPF_ALU | BPF_AND | BPF_K, mask), equal(value, 0)]
        }
        Test::BitsOtherThan { mask, value } => {
            let over = u8::try_from(rest).expect("an alternative is short");
            vec![load(low), step(BPF_ALU | BPF_AND | BPF_K, mask), jump(BPF_JEQ, value, over, 0)]
        }
        Test::IsPositive => {
            const SIGN: u32 = 1 << 31;
            let refused = |later: usize| u8::try_from(rest + later).expect("an alternative is short");
            vec![load(low), jump(BPF_JEQ, 0, refused(1), 0), jump(BPF_JGE, SIGN, refused(0), 0)]
        }
        Test::IsNull => vec![load(low), equal(0, 2), load(high), equal(0, 0)],
        Test::IsThisProcess => vec![load(low), equal(THIS_PROCESS, 0)],
        Test::IsOfTheCall(at) => {
            let [lower, upper] = THE_CALL[at];
            vec![load(low), equal(lower, 2), load(high), equal(upper, 0)]
        }
    }
}

fn load(offset: usize) -> sock_filter {
    step(BPF_LD | BPF_W | BPF_ABS, u32::try_from(offset).expect("seccomp_data has 64 bytes"))
}

fn answer(action: u32) -> sock_filter {
    step(BPF_RET | BPF_K, action)
}

fn jump(how: u32, value: u32, if_true: u8, if_false: u8) -> sock_filter {
    sock_filter { jt: if_true, jf: if_false, ..step(BPF_JMP | how | BPF_K, value) }
}

fn step(code: u32, k: u32) -> sock_filter {
    sock_filter { code: u16::try_from(code).expect("codes have 16 bits"), jt: 0, jf: 0, k }
}
