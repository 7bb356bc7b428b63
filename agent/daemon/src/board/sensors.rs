//! Sensors: load, memory, temperature, supply. Read only when metrics are due.

use std::path::Path;

use sysinfo::{Components, MemoryRefreshKind, RefreshKind, System};
use titania_core::metrics::{Flag, Memory, Metrics};
use titania_core::status::Disk;
use titania_core::time::Millis;

use super::clock;
use super::identity::read_short;

/// The Raspberry Pi firmware's word on supply and cooling
/// (raspberrypi.com/documentation, `vcgencmd get_throttled`).
const THROTTLED: &str = "/sys/devices/platform/soc/soc:firmware/get_throttled";

/// Names of sensors that mean the processor, the best first.
const PROCESSOR: [&str; 4] = ["cpu_thermal", "cpu-thermal", "Tctl", "Package id 0"];

/// All that can be read just now. A sensor that is not there is null.
pub fn read(disks: Vec<Disk>) -> Metrics {
    let flags = read_short(Path::new(THROTTLED)).and_then(|text| throttled(&text));
    Metrics {
        schema: 1,
        at: clock::wall(),
        uptime_ms: Millis(clock::moment().0),
        load: System::load_average().ok().map(|load| [load.one, load.five, load.fifteen]),
        memory: memory(),
        disks,
        temperature_c: temperature(),
        under_voltage: flags.map(|(voltage, _)| voltage),
        throttled: flags.map(|(_, speed)| speed),
        agent_memory_bytes: own_memory(),
    }
}

fn memory() -> Option<Memory> {
    let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(kinds).ok()?;
    Some(Memory {
        total_bytes: system.total_memory(),
        available_bytes: system.available_memory(),
        swap_used_bytes: system.used_swap(),
    })
}

/// The processor's own sensor, else the hottest one, to a tenth of a degree.
fn temperature() -> Option<f64> {
    let components = Components::new_with_refreshed_list().ok()?;
    let read: Vec<(&str, f32)> = components
        .iter()
        .filter_map(|one| Some((one.label(), one.temperature()?)))
        .filter(|(_, degrees)| degrees.is_finite())
        .collect();
    let own = PROCESSOR.iter().find_map(|name| read.iter().find(|(label, _)| label.contains(name)));
    let hottest = read.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    own.or(hottest).map(|(_, degrees)| (f64::from(*degrees) * 10.0).round() / 10.0)
}

/// Under-voltage and slowing down, each now (bits 0; 1, 2, 3) and since boot (bits 16; 17, 18, 19).
fn throttled(text: &str) -> Option<(Flag, Flag)> {
    let text = text.trim();
    let bits = u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()?;
    let flag = |now: u32| Flag { now: bits & now != 0, since_boot: bits & (now << 16) != 0 };
    Some((flag(0b0001), flag(0b1110)))
}

/// Resident memory of this process (proc(5), /proc/pid/statm: the second number, in pages).
pub fn own_memory() -> Option<u64> {
    let text = read_short(Path::new("/proc/self/statm"))?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmwares_word_has_now_and_since_boot() {
        let flag = |now, since_boot| Flag { now, since_boot };
        for (text, voltage, speed) in [
            ("0", flag(false, false), flag(false, false)),
            ("1\n", flag(true, false), flag(false, false)),
            ("50005", flag(true, true), flag(true, true)),
            ("0x50000", flag(false, true), flag(false, true)),
            ("80008", flag(false, false), flag(true, true)),
        ] {
            assert_eq!(throttled(text), Some((voltage, speed)), "{text}");
        }
        assert_eq!(throttled("none"), None);
    }

    #[test]
    fn every_board_tells_load_memory_and_the_agents_own() {
        let metrics = read(Vec::new());
        let memory = metrics.memory.expect("a board has memory");
        assert!(memory.total_bytes >= memory.available_bytes && memory.available_bytes > 0);
        assert!(metrics.load.is_some() && metrics.uptime_ms.0 > 0);
        assert!(metrics.agent_memory_bytes.expect("procfs") > 64 * 1024);
    }
}
