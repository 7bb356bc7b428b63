//! Limits that an app has in its definition and the board's kernel does not keep.

use titania_core::names::Generation;
use titania_core::reason::{Class, Code, Reason};
use titania_core::record::Record;

use super::room::bytes;
use crate::board::clock;
use crate::engine::About;

/// The warning; null where every limit is in force.
pub fn missing(
    about: Option<&About>,
    record: &Record,
    shown: Option<Generation>,
) -> Option<Reason> {
    let committed = [&record.current, &record.previous].into_iter().flatten();
    let specs = committed
        .map(|one| (one.generation, &one.spec))
        .chain(record.intent.as_ref().map(|intent| (intent.generation, &intent.spec)));
    let spec = specs.into_iter().find(|(generation, _)| Some(*generation) == shown)?.1;
    let (about, limits) = (about?, &spec.definition.shape.limits);
    let memory = limits.memory.filter(|_| !about.limits_memory);
    let has_cpus = limits.cpus.is_some() && !about.limits_cpu;
    let message = match (memory, has_cpus) {
        (Some(most), false) => {
            format!(
                "its memory limit of {} is not in force: the kernel has no memory cgroup",
                bytes(most)
            )
        }
        (None, true) => {
            "its limit of cpus is not in force: the kernel has no cpu quotas".to_owned()
        }
        (Some(_), true) => {
            "its limits of memory and cpus are not in force: the kernel has no cgroups for them"
                .to_owned()
        }
        (None, false) => return None,
    };
    let hint = match memory {
        Some(_) => {
            "on Raspberry Pi OS add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt and reboot"
        }
        None => "take a kernel with CONFIG_CFS_BANDWIDTH",
    };
    Some(Reason::new(Code::LimitsMissing, Class::Environment, message, hint, clock::wall()))
}
