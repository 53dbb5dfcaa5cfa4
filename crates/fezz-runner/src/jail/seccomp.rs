//! The filter of system calls: the kernel's attack surface, cut down to `policy.rs` (seccomp(2)).

use super::policy::THIS_PROCESS;
use super::syscalls;
use rustix::io::Errno;

mod compiled {
    use libc::sock_filter;
    include!(concat!(env!("OUT_DIR"), "/filters.rs"));
}

/// Which kind of process the filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
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
    },
    /// A zygote whose children add a [`Filter::Function`] of their own.
    ScopedZygote {
        /// Whether its children may use the network.
        has_network: bool,
    },
}

impl Filter {
    fn steps(self) -> &'static [libc::sock_filter] {
        match self {
            Self::Function { has_network: false, has_scratch: false } => &compiled::PLAIN,
            Self::Function { has_network: true, has_scratch: false } => &compiled::NETWORK,
            Self::Function { has_network: false, has_scratch: true } => &compiled::SCRATCH,
            Self::Function { has_network: true, has_scratch: true } => &compiled::BOTH,
            Self::Zygote { has_network: false } => &compiled::FORK,
            Self::Zygote { has_network: true } => &compiled::FORK_NETWORK,
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
    let mut steps = filter.steps().to_vec();
    let own_id = rustix::process::getpid().as_raw_nonzero().get().cast_unsigned();
    for step in steps.iter_mut().filter(|step| step.k == THIS_PROCESS) {
        step.k = own_id;
    }
    syscalls::filter_system_calls(&steps)
}

#[cfg(test)]
mod tests {
    use super::super::policy::{self, Allowed, Test};
    use super::compiled;
    use fezz_wire::WrapperStatus;
    use libc::{SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS, c_long, sock_filter};

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
            (&compiled::SCOPED[..], with(&[policy::FORK, policy::SCOPED]), none),
            (&compiled::SCOPED_NETWORK[..], with(&[policy::FORK, policy::SCOPED, policy::NETWORK]), none),
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
    fn a_null_pointer_is_null_in_all_its_bits() {
        let call = libc::SYS_prlimit64 as u32;
        assert_eq!(run(&compiled::PLAIN, ARCHITECTURE, call, [0, 3, 0, 0x77, 0, 0]), SECCOMP_RET_ALLOW);
        assert_eq!(run(&compiled::PLAIN, ARCHITECTURE, call, [0, 3, 1 << 32, 0x77, 0, 0]), REFUSED);
    }
}
