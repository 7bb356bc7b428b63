//! What a board goes through in its life, one case after the other on the same board.
//!
//! Each leaves the board at rest with its app proven; one that fails ends its board, and the next goes
//! on with a fresh one.

mod clock;
mod engine;
mod kernel;
mod life;
mod operator;
mod package;
mod volumes;

use crate::failure::guard;
use crate::options::Options;
use harness::vm::{Arch, Stand};
use std::time::Instant;

/// A case: its name says cause and effect.
type Case = (&'static str, fn(&mut Stand));

/// All of them, in the order in which they are run.
const CASES: [Case; 23] = [
    ("unit_is_active_and_says_when_it_is_ready", life::unit),
    ("first_install_takes_the_entry_of_this_platform_from_an_index", life::entry),
    ("pushed_tag_arrives_and_all_volumes_are_right", life::pushed),
    ("agent_that_has_updated_an_app_fits_a_small_board", life::memory),
    ("state_is_copied_before_the_engine_answers_under_the_unit", life::early),
    ("stopped_loop_is_found_by_the_watchdog_and_the_app_runs_on", life::watchdog),
    ("operator_sees_status_with_and_without_a_terminal", operator::status),
    ("journal_has_the_events_with_their_fields", operator::journal),
    ("reboot_in_mid_update_is_gone_on_from", life::reboot),
    ("app_runs_after_a_boot_without_a_network", life::no_network),
    ("board_without_a_clock_works_in_1970_and_over_the_jump", clock::unset),
    ("removed_package_leaves_the_app_running_and_comes_back_to_it", package::remove),
    ("purged_package_leaves_the_volumes_and_says_where", package::purge),
    ("board_without_an_engine_says_so_and_comes_back_with_it", engine::without),
    ("engine_socket_without_rights_is_named", engine::without_rights),
    ("cgroup_v1_board_runs_its_app", kernel::cgroup_v1),
    ("board_without_memory_cgroup_names_the_limit_it_lacks", kernel::no_memory_cgroup),
    ("state_folder_on_tmpfs_is_refused_and_named", volumes::volatile_state),
    ("full_disk_blocks_updates_and_no_app", volumes::full),
    ("read_only_etc_keeps_nothing_from_running", volumes::read_only_etc),
    ("volume_root_that_is_not_mounted_starts_nothing_until_it_is", volumes::late_disk),
    ("power_cut_in_mid_update_is_gone_on_from", life::cut),
    ("upgrade_in_each_step_of_an_update_goes_on_and_restarts_no_app", package::upgrade),
];

/// True when all that were asked for held.
pub fn run(options: &Options) -> bool {
    let wanted = |name: &str| {
        options.only.as_deref().is_none_or(|list| list.split(',').any(|part| name.contains(part)))
    };
    let mut failed = Vec::new();
    let mut stand: Option<Stand> = None;
    let begun = Instant::now();
    for (name, act) in CASES.iter().filter(|(name, _)| wanted(name)) {
        if stand.is_none() {
            stand = installed(options.arch);
        }
        let Some(here) = &mut stand else {
            println!("no board to go on with");
            return false;
        };
        let since = Instant::now();
        let is_well = guard(here, name, *act).is_some();
        let word = if is_well { "well" } else { "FAILED" };
        println!("{word:<6} {name} ({:.0} s)", since.elapsed().as_secs_f64());
        if !is_well {
            failed.push(*name);
            stand = None;
        }
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    println!("{} failed {failed:?}, in {minutes:.0} min", failed.len());
    failed.is_empty()
}

fn installed(arch: Arch) -> Option<Stand> {
    let mut stand = Stand::new(arch);
    guard(&mut stand, "installing package and app", Stand::install)?;
    Some(stand)
}
