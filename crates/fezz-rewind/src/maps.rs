//! The mappings of a process: the text of /proc/PID/maps (proc_pid_maps(5)).

use std::fmt;

/// One line of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Its first address.
    pub start: u64,
    /// The address after its last.
    pub end: u64,
    /// What the process may do with it.
    pub permissions: Permissions,
    /// Where it begins in its file.
    pub offset: u64,
    /// The file's device: the major and the minor number.
    pub device: (u32, u32),
    /// The file's number; 0 if there is no file.
    pub inode: u64,
    /// The file's path, or the kernel's name for it, as in `[stack]`; empty if it has none.
    pub name: String,
}

/// What a process may do with a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// PROT_READ.
    pub read: bool,
    /// PROT_WRITE.
    pub write: bool,
    /// PROT_EXEC.
    pub execute: bool,
    /// MAP_SHARED: what is written reaches others.
    pub is_shared: bool,
}

/// A line isn't as the kernel writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the process's maps has no valid {field}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is missing or wrong.
    pub field: Field,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The two addresses, the second larger than the first.
    Addresses,
    /// The four letters.
    Permissions,
    /// The offset.
    Offset,
    /// The device.
    Device,
    /// The number of the file.
    Inode,
}

/// The mappings in the text of /proc/PID/maps, in its order.
///
/// # Errors
///
/// The first line that isn't a mapping.
pub fn parse(text: &str) -> Result<Vec<Mapping>, ParseError> {
    text.lines()
        .enumerate()
        .map(|(index, line)| parse_line(line).map_err(|field| ParseError { line: index + 1, field }))
        .collect()
}

fn parse_line(line: &str) -> Result<Mapping, Field> {
    let mut words = line.splitn(6, ' ');
    let mut word = || words.next().unwrap_or("");
    let (start, end) = parse_pair(word(), '-').filter(|(start, end)| start < end).ok_or(Field::Addresses)?;
    let permissions = parse_permissions(word()).ok_or(Field::Permissions)?;
    let offset = parse_hexadecimal(word()).ok_or(Field::Offset)?;
    let device = parse_pair(word(), ':')
        .and_then(|(major, minor)| Some((u32::try_from(major).ok()?, u32::try_from(minor).ok()?)))
        .ok_or(Field::Device)?;
    let inode = word();
    let is_number = inode.bytes().all(|byte| byte.is_ascii_digit());
    let inode = inode.parse().ok().filter(|_| is_number).ok_or(Field::Inode)?;
    // The kernel aligns names by spaces.
    let name = word().trim_start_matches(' ').to_owned();
    Ok(Mapping { start, end, permissions, offset, device, inode, name })
}

fn parse_pair(word: &str, separator: char) -> Option<(u64, u64)> {
    let (first, second) = word.split_once(separator)?;
    Some((parse_hexadecimal(first)?, parse_hexadecimal(second)?))
}

/// Without the sign that `from_str_radix` would take.
fn parse_hexadecimal(word: &str) -> Option<u64> {
    word.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(word, 16).ok())?
}

fn parse_permissions(word: &str) -> Option<Permissions> {
    let &[read, write, execute, sharing] = word.as_bytes() else { return None };
    let is = |byte, letter| match byte {
        b'-' => Some(false),
        _ => (byte == letter).then_some(true),
    };
    let is_shared = match sharing {
        b's' => true,
        b'p' => false,
        _ => return None,
    };
    Some(Permissions {
        read: is(read, b'r')?,
        write: is(write, b'w')?,
        execute: is(execute, b'x')?,
        is_shared,
    })
}

impl Mapping {
    /// Whether the process can change it without others seeing that.
    pub fn is_private_and_writable(&self) -> bool {
        self.permissions.write && !self.permissions.is_shared
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |is, letter| if is { letter } else { '-' };
        let (read, write) = (letter(self.read, 'r'), letter(self.write, 'w'));
        let sharing = if self.is_shared { 's' } else { 'p' };
        write!(formatter, "{read}{write}{}{sharing}", letter(self.execute, 'x'))
    }
}

/// The line, without the spaces that align its name.
impl fmt::Display for Mapping {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, permissions, offset, device: (major, minor), inode, name } = self;
        write!(
            formatter,
            "{start:08x}-{end:08x} {permissions} {offset:08x} {major:02x}:{minor:02x} {inode} {name}"
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Addresses => "addresses",
            Self::Permissions => "permissions",
            Self::Offset => "offset",
            Self::Device => "device",
            Self::Inode => "inode",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mapping() -> impl Strategy<Value = Mapping> {
        let permissions = any::<(bool, bool, bool, bool)>()
            .prop_map(|(read, write, execute, is_shared)| Permissions { read, write, execute, is_shared });
        let addresses = (0..u64::MAX, any::<u64>())
            .prop_map(|(start, length)| (start, start.saturating_add(length).max(start + 1)));
        let name = "(\\[[a-z]{1,8}\\]|/[^\\n\\r]{0,20})?";
        (addresses, permissions, any::<u64>(), any::<(u32, u32)>(), any::<u64>(), name).prop_map(
            |((start, end), permissions, offset, device, inode, name)| Mapping {
                start,
                end,
                permissions,
                offset,
                device,
                inode,
                name,
            },
        )
    }

    proptest! {
        #[test]
        fn a_mapping_survives_a_round_trip(mappings in prop::collection::vec(mapping(), 0..5)) {
            let text: String = mappings.iter().map(|mapping| format!("{mapping}\n")).collect();
            prop_assert_eq!(parse(&text), Ok(mappings));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".*", line in "[0-9a-f:. -]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&line);
        }
    }

    #[test]
    fn the_mappings_of_this_process_are_understood() {
        let mappings = parse(&std::fs::read_to_string("/proc/self/maps").unwrap()).unwrap();
        let stack = mappings.iter().find(|mapping| mapping.name == "[stack]").unwrap();
        assert!(stack.is_private_and_writable() && stack.inode == 0);
    }

    #[test]
    fn a_line_that_is_wrong_is_named_with_its_field() {
        let error = parse("1000-2000 rw-p 0 0:0 0\n1000-2000 rwxz 0 0:0 0\n").unwrap_err();
        assert_eq!(error, ParseError { line: 2, field: Field::Permissions });
        assert_eq!(parse("2000-1000 rw-p 0 0:0 0").unwrap_err().field, Field::Addresses);
        assert_eq!(parse("1000-2000 rw-p 0 0:0 +7").unwrap_err().field, Field::Inode);
    }
}
