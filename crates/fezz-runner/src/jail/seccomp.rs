//! The filter of system calls: the kernel's attack surface, cut down to `policy.rs` (seccomp(2)).

use super::policy::{THE_CALL, THIS_PROCESS};
use super::syscalls;
use crate::options::ZygoteKind;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

mod compiled {
    use libc::sock_filter;
    include!(concat!(env!("OUT_DIR"), "/filters.rs"));
}

/// Which kind of process the filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    /// A process that executes a program, and this program.
    Program {
        /// The pointers of that one execve(2).
        call: [u64; 3],
        /// Whether it may use the network.
        has_network: bool,
        /// Whether it may write files.
        has_scratch: bool,
    },
    /// A process that serves one request.
    Function {
        /// Whether it may use the network.
        has_network: bool,
        /// Whether it may write files.
        has_scratch: bool,
    },
    /// A zygote whose children are in PID namespaces of their own, and these children.
    Zygote {
        /// Whether its children may use the network.
        has_network: bool,
        /// Which children it forks.
        kind: ZygoteKind,
    },
    /// A process that serves one request, and whose zygote forks rewindable ones too: in addition to that zygote's.
    NotRewound,
    /// A zygote whose children add a [`Filter::Function`] of their own.
    ScopedZygote {
        /// Whether its children may use the network.
        has_network: bool,
    },
}

impl Filter {
    fn steps(self) -> &'static [libc::sock_filter] {
        match self {
            Self::Program { has_network: false, has_scratch: false, .. } => &compiled::PROGRAM,
            Self::Program { has_network: true, has_scratch: false, .. } => &compiled::PROGRAM_NETWORK,
            Self::Program { has_network: false, has_scratch: true, .. } => &compiled::PROGRAM_SCRATCH,
            Self::Program { has_network: true, has_scratch: true, .. } => &compiled::PROGRAM_BOTH,
            Self::Function { has_network: false, has_scratch: false } => &compiled::PLAIN,
            Self::Function { has_network: true, has_scratch: false } => &compiled::NETWORK,
            Self::Function { has_network: false, has_scratch: true } => &compiled::SCRATCH,
            Self::Function { has_network: true, has_scratch: true } => &compiled::BOTH,
            Self::Zygote { has_network: false, kind: ZygoteKind::Forking } => &compiled::FORK,
            Self::Zygote { has_network: true, kind: ZygoteKind::Forking } => &compiled::FORK_NETWORK,
            Self::Zygote { has_network: false, kind: ZygoteKind::Rewinding } => &compiled::REWIND,
            Self::Zygote { has_network: true, kind: ZygoteKind::Rewinding } => &compiled::REWIND_NETWORK,
            Self::NotRewound => &compiled::NOT_REWOUND,
            Self::ScopedZygote { has_network: false } => &compiled::SCOPED,
            Self::ScopedZygote { has_network: true } => &compiled::SCOPED_NETWORK,
        }
    }
}

/// Installs the filter, permanently. Needs no_new_privs.
///
/// It kills a process that calls by another architecture's numbers (int 0x80), where the same number means another
/// call.
///
/// # Errors
///
/// `EINVAL`: the kernel is built without seccomp filters.
pub(super) fn install(filter: Filter) -> Result<(), Errno> {
    let call = match filter {
        Filter::Program { call, .. } => call,
        Filter::Function { .. }
        | Filter::Zygote { .. }
        | Filter::NotRewound
        | Filter::ScopedZygote { .. } => [0; 3],
    };
    syscalls::filter_system_calls(&put_in(filter.steps(), call))
}

/// Installs the filter of a rewindable process, permanently, and returns its listener, by which the holder learns which
/// calls the process makes that could leave something for the next request.
///
/// # Errors
///
/// `EBUSY`: a filter with a listener is there already. `EPERM`: one refuses this call.
pub(crate) fn install_with_listener() -> Result<OwnedFd, Errno> {
    syscalls::filter_with_listener(&compiled::TAINT)
}

/// The compiled steps, with this process's id and the pointers of its execve(2) for their placeholders.
fn put_in(steps: &[libc::sock_filter], call: [u64; 3]) -> Vec<libc::sock_filter> {
    let own_id = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
    let halves = call.map(|pointer| [pointer as u32, (pointer >> 32) as u32]);
    let known = THE_CALL.as_flattened().iter().zip(halves.as_flattened());
    let known: Vec<(u32, u32)> =
        known.map(|(place, half)| (*place, *half)).chain([(THIS_PROCESS, own_id)]).collect();
    let value =
        |step: &libc::sock_filter| known.iter().find(|(place, _)| *place == step.k).map(|found| found.1);
    steps.iter().map(|step| libc::sock_filter { k: value(step).unwrap_or(step.k), ..*step }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::policy::{self, Allowed, Test};
    use super::compiled;
    use fezz_wire::WrapperStatus;
    use fezz_wire::rewind::PARK;
    use libc::{
        SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, c_long,
        sock_filter,
    };

    const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    const REFUSED: u32 = SECCOMP_RET_ERRNO | libc::EPERM as u32;
    /// The call returns 0.
    const DONE: u32 = SECCOMP_RET_ERRNO;

    /// What the kernel would answer: an interpreter for the few instructions that the filters use.
    fn run(filter: &[sock_filter], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
        let mut data = vec![number, architecture, 0, 0];
        data.extend(arguments.iter().flat_map(|value| [*value as u32, (value >> 32) as u32]));
        let (mut at, mut value) = (0, 0);
        loop {
            let step = filter[at];
            at += 1;
            let holds = match step.code {
                0x20 => {
                    value = data[step.k as usize / 4];
                    continue;
                }
                0x54 => {
                    value &= step.k;
                    continue;
                }
                0x05 => {
                    at += step.k as usize;
                    continue;
                }
                0x06 => return step.k,
                0x15 => value == step.k,
                0x35 => value >= step.k,
                code => panic!("unknown code {code:#x}"),
            };
            at += usize::from(if holds { step.jt } else { step.jf });
        }
    }

    /// Arguments that meet an entry's conditions.
    fn arguments(call: &Allowed) -> [u64; 6] {
        let mut arguments = [0x77; 6];
        for argument in call.only {
            arguments[usize::from(argument.index)] = match argument.test {
                Test::Is(value) | Test::Bits { value, .. } => value.into(),
                Test::IsPositive => 7,
                Test::IsNull | Test::BitsOtherThan { .. } => 0,
                Test::IsThisProcess => policy::THIS_PROCESS.into(),
                Test::IsOfTheCall(at) => {
                    let [lower, upper] = policy::THE_CALL[at].map(u64::from);
                    lower | upper << 32
                }
            };
        }
        arguments
    }

    #[test]
    fn each_listed_call_gets_its_lists_action_and_all_others_are_refused() {
        let with = |lists: &[&[Allowed]]| [&[policy::ALWAYS], lists].concat().concat();
        let (none, granted): (&[Allowed], _) = (&[], policy::GRANTED);
        for (filter, allowed, granted) in [
            (&compiled::PLAIN[..], with(&[]), none),
            (&compiled::NETWORK[..], with(&[policy::NETWORK]), none),
            (&compiled::SCRATCH[..], with(&[policy::SCRATCH]), granted),
            (&compiled::BOTH[..], with(&[policy::NETWORK, policy::SCRATCH]), granted),
            (&compiled::FORK[..], with(&[policy::FORK]), none),
            (&compiled::FORK_NETWORK[..], with(&[policy::FORK, policy::NETWORK]), none),
            (&compiled::REWIND[..], with(&[policy::FORK, policy::REWIND, policy::PARKING]), none),
            (
                &compiled::REWIND_NETWORK[..],
                with(&[policy::FORK, policy::REWIND, policy::PARKING, policy::NETWORK]),
                none,
            ),
            (&compiled::SCOPED[..], with(&[policy::FORK, policy::SCOPED]), none),
            (&compiled::SCOPED_NETWORK[..], with(&[policy::FORK, policy::SCOPED, policy::NETWORK]), none),
            (&compiled::PROGRAM[..], with(&[policy::PROGRAM, policy::STDIN]), none),
            (&compiled::PROGRAM_NETWORK[..], with(&[policy::PROGRAM, policy::NETWORK]), none),
            (
                &compiled::PROGRAM_SCRATCH[..],
                with(&[policy::PROGRAM, policy::STDIN, policy::SCRATCH]),
                granted,
            ),
            (
                &compiled::PROGRAM_BOTH[..],
                with(&[policy::PROGRAM, policy::NETWORK, policy::SCRATCH]),
                granted,
            ),
        ] {
            let answered = allowed.iter().map(|call| (call, SECCOMP_RET_ALLOW));
            for (call, expected) in answered.chain(granted.iter().map(|call| (call, DONE))) {
                let answer = run(filter, ARCHITECTURE, call.number as u32, arguments(call));
                assert_eq!(answer, expected, "{}", call.name);
                if !call.only.is_empty() {
                    assert_eq!(
                        run(filter, ARCHITECTURE, call.number as u32, [!0; 6]),
                        REFUSED,
                        "{}",
                        call.name
                    );
                }
            }
            for number in 0..2000 {
                let is_listed =
                    |list: &[Allowed]| list.iter().any(|call| call.number == c_long::from(number));
                let expected = match number {
                    _ if is_listed(&allowed) || is_listed(granted) => continue,
                    _ if is_listed(policy::UNKNOWN) => SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
                    _ => REFUSED,
                };
                assert_eq!(run(filter, ARCHITECTURE, number as u32, [0; 6]), expected, "{number}");
            }
        }
    }

    #[test]
    fn another_architectures_numbers_kill_and_x32_is_refused() {
        const I386: u32 = 0x4000_0003;
        const X32_BIT: u32 = 0x4000_0000;
        let read = libc::SYS_read as u32;
        assert_eq!(run(&compiled::PLAIN, I386, read, [0; 6]), SECCOMP_RET_KILL_PROCESS);
        assert_eq!(run(&compiled::PLAIN, ARCHITECTURE, read | X32_BIT, [0; 6]), REFUSED);
    }

    #[test]
    fn no_process_can_exit_with_a_status_that_wrappers_reserve() {
        for status in 0..1024 {
            let expected = if WrapperStatus::from_status((status & 0xff) as i32).is_some() {
                REFUSED
            } else {
                SECCOMP_RET_ALLOW
            };
            for call in [libc::SYS_exit, libc::SYS_exit_group] {
                let answer = run(&compiled::PLAIN, ARCHITECTURE, call as u32, [status, 0, 0, 0, 0, 0]);
                assert_eq!(answer, expected, "{status}");
            }
        }
    }

    #[test]
    fn a_zygote_kills_processes_and_no_groups() {
        let kill = |pid: i32| {
            let pid = u64::from(pid.cast_unsigned());
            run(&compiled::FORK, ARCHITECTURE, libc::SYS_kill as u32, [pid, libc::SIGKILL as u64, 0, 0, 0, 0])
        };
        assert_eq!([1, 7, i32::MAX].map(kill), [SECCOMP_RET_ALLOW; 3]);
        assert_eq!([0, -1, -7, i32::MIN].map(kill), [REFUSED; 4]);
    }

    #[test]
    fn execve_works_with_the_three_pointers_of_the_call_and_no_others() {
        let call = [0x1234_5678_9000, 0x2345_6789_a000, 0x3456_789a_b000];
        let filter = super::put_in(&compiled::PROGRAM, call);
        let execve = |pointers: [u64; 3]| {
            let [path, arguments, variables] = pointers;
            run(&filter, ARCHITECTURE, libc::SYS_execve as u32, [path, arguments, variables, 0, 0, 0])
        };
        assert_eq!(execve(call), SECCOMP_RET_ALLOW);
        for bit in [1, 1 << 12, 1 << 31, 1 << 32, 1 << 46, 1 << 63] {
            for at in 0..call.len() {
                let mut others = call;
                others[at] ^= bit;
                assert_eq!(execve(others), REFUSED, "pointer {at}, bit {bit:#x}");
            }
        }
    }

    #[test]
    fn a_null_pointer_is_null_in_all_its_bits() {
        let call = libc::SYS_prlimit64 as u32;
        assert_eq!(run(&compiled::PLAIN, ARCHITECTURE, call, [0, 3, 0, 0x77, 0, 0]), SECCOMP_RET_ALLOW);
        assert_eq!(run(&compiled::PLAIN, ARCHITECTURE, call, [0, 3, 1 << 32, 0x77, 0, 0]), REFUSED);
    }

    #[test]
    fn a_rewindable_process_makes_neutral_calls_and_its_host_is_told_of_all_others() {
        let taint = |number: c_long, arguments| run(&compiled::TAINT, ARCHITECTURE, number as u32, arguments);
        for call in policy::NEUTRAL {
            assert_eq!(taint(call.number, arguments(call)), SECCOMP_RET_ALLOW, "{}", call.name);
            if !call.only.is_empty() {
                assert_eq!(taint(call.number, [!0; 6]), SECCOMP_RET_USER_NOTIF, "{}", call.name);
            }
        }
        let lists = [policy::ALWAYS, policy::NETWORK, policy::FORK].concat();
        for call in &lists {
            if !policy::NEUTRAL.iter().any(|neutral| neutral.number == call.number) {
                assert_eq!(taint(call.number, arguments(call)), SECCOMP_RET_USER_NOTIF, "{}", call.name);
            }
        }
        assert_eq!(taint(c_long::from(PARK), [0x77; 6]), SECCOMP_RET_USER_NOTIF);
        let i386 = run(&compiled::TAINT, 0x4000_0003, libc::SYS_write as u32, [1; 6]);
        assert_eq!(i386, SECCOMP_RET_KILL_PROCESS);
    }

    #[test]
    fn a_rewindable_process_can_ask_for_the_time_and_not_for_what_it_has_used() {
        let clock = |clock| {
            run(&compiled::TAINT, ARCHITECTURE, libc::SYS_clock_gettime as u32, [clock, 1, 0, 0, 0, 0])
        };
        // A negative number is the processor time of a process or thread (clock_getcpuclockid(3)).
        for number in (0..32).chain([u64::MAX, (-6_i64).cast_unsigned()]) {
            let is_neutral = [0, 1, 4, 5, 6, 7, 11].contains(&number);
            let expected = if is_neutral { SECCOMP_RET_ALLOW } else { SECCOMP_RET_USER_NOTIF };
            assert_eq!(clock(number), expected, "{number}");
        }
    }

    #[test]
    fn a_prepared_process_can_not_prepare_again() {
        let taint = |number: c_long, arguments| run(&compiled::TAINT, ARCHITECTURE, number as u32, arguments);
        for call in policy::PREPARED {
            let mut arguments = arguments(call);
            arguments[1] = 1;
            assert_eq!(taint(call.number, arguments), REFUSED, "{}", call.name);
        }
        let dumpable = libc::PR_SET_DUMPABLE as u64;
        assert_eq!(taint(libc::SYS_prctl, [dumpable, 0, 0, 0, 0, 0]), SECCOMP_RET_USER_NOTIF);
        assert_eq!(taint(libc::SYS_seccomp, [0; 6]), REFUSED);
    }

    #[test]
    fn an_ordinary_child_of_a_rewinding_zygote_has_nothing_of_what_that_adds() {
        let both = |number: u32, arguments| {
            [&compiled::REWIND[..], &compiled::NOT_REWOUND[..]]
                .map(|filter| run(filter, ARCHITECTURE, number, arguments))
        };
        for call in [policy::REWIND, policy::PARKING].concat() {
            assert_eq!(
                both(call.number as u32, arguments(&call)),
                [SECCOMP_RET_ALLOW, REFUSED],
                "{}",
                call.name
            );
        }
        for call in [policy::ALWAYS, policy::FORK].concat() {
            assert_eq!(both(call.number as u32, arguments(&call)), [SECCOMP_RET_ALLOW; 2], "{}", call.name);
        }
    }
}
