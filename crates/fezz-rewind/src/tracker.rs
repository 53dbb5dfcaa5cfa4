//! Which pages of a process were written.
//!
//! A page that is write-protected by a userfaultfd with asynchronous write protection loses that protection when it is
//! written, also by the kernel on behalf of the process, and no one else hears of it (userfaultfd(2), UFFDIO_API(2const)).
//! `PAGEMAP_SCAN` finds the pages without protection and can protect them again (PAGEMAP_SCAN(2const)). A page that isn't
//! populated needs no protection: whoever populates it makes a page without.

use crate::ioctl::ioctl;
use libc::Ioctl;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The end of a process's addresses on x86-64 with four levels of page tables: the kernel maps nothing above unless it
/// is asked to.
const ADDRESSES: Range<u64> = 0..0x7fff_ffff_f000;

/// How many regions one scan returns at first: a request that writes to more costs a second system call.
const REGIONS: usize = 128;

// linux/fs.h, for which libc has no names.
const PAGEMAP_SCAN: Ioctl = libc::_IOWR::<ScanArgument>(b'f' as u32, 16);
const PM_SCAN_WP_MATCHING: u64 = 1 << 0;
const PM_SCAN_CHECK_WPASYNC: u64 = 1 << 1;
const PAGE_IS_WPALLOWED: u64 = 1 << 0;
const PAGE_IS_WRITTEN: u64 = 1 << 1;
const PAGE_IS_PRESENT: u64 = 1 << 3;
const PAGE_IS_SWAPPED: u64 = 1 << 4;
const PAGE_IS_PFNZERO: u64 = 1 << 5;

// linux/userfaultfd.h, likewise.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: Ioctl = libc::_IOWR::<ApiArgument>(0xaa, 0x3f);
const UFFDIO_REGISTER: Ioctl = libc::_IOWR::<RegisterArgument>(0xaa, 0x00);
const UFFDIO_REGISTER_MODE_WP: u64 = 1 << 1;
const UFFD_FEATURE_PAGEFAULT_FLAG_WP: u64 = 1 << 0;
const UFFD_FEATURE_WP_UNPOPULATED: u64 = 1 << 13;
const UFFD_FEATURE_WP_ASYNC: u64 = 1 << 15;

/// `struct pm_scan_arg`.
#[repr(C)]
struct ScanArgument {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: *mut Region,
    regions_length: u64,
    pages_max: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct uffdio_api`.
#[repr(C)]
struct ApiArgument {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
struct RegisterArgument {
    start: u64,
    length: u64,
    mode: u64,
    ioctls: u64,
}

/// Consecutive pages of the same kind: `struct page_region`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The address of the first page.
    pub start: u64,
    /// The address after the last page.
    pub end: u64,
    categories: u64,
}

/// The userfaultfd of a process. Dropping it ends the tracking, and the process goes on as if it had never been.
#[derive(Debug)]
pub struct Tracker(OwnedFd);

impl Tracker {
    /// Takes a userfaultfd that is new: for which `UFFDIO_API` wasn't called.
    ///
    /// # Errors
    ///
    /// `EINVAL` from a kernel before 6.7.
    pub fn new(userfaultfd: OwnedFd) -> io::Result<Self> {
        let features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC;
        let mut argument = ApiArgument { api: UFFD_API, features, ioctls: 0 };
        // SAFETY: the kernel reads and writes one `uffdio_api`.
        unsafe { ioctl(userfaultfd.as_fd(), UFFDIO_API, &mut argument) }?;
        Ok(Self(userfaultfd))
    }

    /// Has the kernel accept write protection in a range, which must begin in a mapping.
    ///
    /// # Errors
    ///
    /// `EINVAL` for memory of a kind that can't be tracked, such as huge pages in part or droppable memory.
    pub fn register(&self, range: &Range<u64>) -> io::Result<()> {
        let (start, length) = (range.start, range.end - range.start);
        let mut argument = RegisterArgument { start, length, mode: UFFDIO_REGISTER_MODE_WP, ioctls: 0 };
        // SAFETY: the kernel reads and writes one `uffdio_register`; what it changes is in the process of the
        // userfaultfd, where a write works as before.
        unsafe { ioctl(self.0.as_fd(), UFFDIO_REGISTER, &mut argument) }.map(drop)
    }

    /// Protects each populated page in a range that was registered.
    ///
    /// # Errors
    ///
    /// `EPERM` if a part of it isn't registered.
    pub fn protect(&self, pagemap: BorrowedFd<'_>, range: &Range<u64>) -> io::Result<()> {
        let flags = PM_SCAN_WP_MATCHING | PM_SCAN_CHECK_WPASYNC;
        scan(pagemap, &mut ScanArgument::new(range, flags, PAGE_IS_WRITTEN), &mut []).map(drop)
    }

    /// Protects each populated page in all ranges that were registered.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub fn protect_all(&self, pagemap: BorrowedFd<'_>) -> io::Result<()> {
        let mut argument = ScanArgument::new(&ADDRESSES, PM_SCAN_WP_MATCHING, PAGE_IS_WRITTEN);
        scan(pagemap, &mut argument, &mut []).map(drop)
    }

    /// Puts into `out` the pages that were written since they were protected last, ascending. In the `dense` ranges, which
    /// ascend, all pages were populated and protected: there the kernel needs less than half the time for each.
    ///
    /// # Errors
    ///
    /// The kernel's; [`io::ErrorKind::OutOfMemory`] if there is no memory for the list.
    pub fn written(
        &self,
        pagemap: BorrowedFd<'_>,
        dense: &[Range<u64>],
        out: &mut Vec<Region>,
    ) -> io::Result<()> {
        out.clear();
        let mut start = ADDRESSES.start;
        for range in dense {
            collect(pagemap, &mut ScanArgument::of_written(start..range.start), out)?;
            let mut argument = ScanArgument::new(range, 0, PAGE_IS_WRITTEN);
            // With these masks, and no others, the kernel looks at nothing else.
            argument.return_mask = PAGE_IS_WRITTEN;
            collect(pagemap, &mut argument, out)?;
            start = range.end;
        }
        collect(pagemap, &mut ScanArgument::of_written(start..ADDRESSES.end), out)
    }
}

/// Puts into `out` the pages in a range that are populated: in memory or swapped out.
///
/// # Errors
///
/// As for [`Tracker::written`].
pub fn populated(pagemap: BorrowedFd<'_>, range: &Range<u64>, out: &mut Vec<Region>) -> io::Result<()> {
    let mut argument = ScanArgument::new(range, 0, 0);
    argument.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED;
    out.clear();
    collect(pagemap, &mut argument, out)
}

/// Adds what a scan to the end of its range finds, with more space whenever the kernel stops for lack of it.
fn collect(pagemap: BorrowedFd<'_>, argument: &mut ScanArgument, out: &mut Vec<Region>) -> io::Result<()> {
    let end = argument.end;
    let mut length = out.len();
    loop {
        out.try_reserve(out.len().max(REGIONS)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        out.resize(out.capacity(), Region::EMPTY);
        length += scan(pagemap, argument, &mut out[length..])?;
        if argument.walk_end >= end || length < out.len() {
            out.truncate(length);
            return Ok(());
        }
        // With space for more than 512 regions, `walk_end` may be before the last of them (seen in Linux 6.18).
        let last_end = out.last().map_or(0, |last| last.end);
        argument.start = argument.walk_end.max(last_end);
    }
}

/// One `PAGEMAP_SCAN`. Returns how many regions it put into `space`; `argument.walk_end` says how far it came.
fn scan(pagemap: BorrowedFd<'_>, argument: &mut ScanArgument, space: &mut [Region]) -> io::Result<usize> {
    // The kernel refuses an address of no space.
    argument.regions = if space.is_empty() { std::ptr::null_mut() } else { space.as_mut_ptr() };
    argument.regions_length = space.len() as u64;
    // SAFETY: the kernel reads and writes one `pm_scan_arg`, and writes regions within `space`, which is borrowed
    // exclusively until then, and in which every value of each field is valid.
    let regions = unsafe { ioctl(pagemap, PAGEMAP_SCAN, argument) };
    argument.regions = std::ptr::null_mut();
    Ok(usize::try_from(regions?).unwrap_or(0))
}

impl ScanArgument {
    /// What was written, where it can be tracked.
    fn of_written(range: Range<u64>) -> Self {
        let mut argument = Self::new(&range, 0, PAGE_IS_WPALLOWED | PAGE_IS_WRITTEN);
        argument.return_mask = PAGE_IS_PFNZERO;
        argument
    }

    fn new(range: &Range<u64>, flags: u64, category_mask: u64) -> Self {
        Self {
            size: size_of::<Self>() as u64,
            flags,
            start: range.start,
            end: range.end,
            walk_end: 0,
            regions: std::ptr::null_mut(),
            regions_length: 0,
            pages_max: 0,
            category_inverted: 0,
            category_mask,
            category_anyof_mask: 0,
            return_mask: 0,
        }
    }
}

impl Region {
    const EMPTY: Self = Self { start: 0, end: 0, categories: 0 };

    /// No pages, at an address.
    pub(crate) fn at_end(address: u64) -> Self {
        Self { start: address, end: address, categories: 0 }
    }

    /// Its addresses.
    pub fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    /// Whether its pages are the kernel's one page of zeros, as after a read of memory that never was written. Only of
    /// what [`Tracker::written`] found.
    pub fn is_zero(&self) -> bool {
        self.categories & PAGE_IS_PFNZERO != 0
    }
}
