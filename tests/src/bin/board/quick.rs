//! One of each, for CI: boot, install with apt, one app, one update, one power cut in the middle of
//! another, boot again, P1 to P3 checked.

use crate::failure::guard;
use crate::options::Options;
use harness::vm::{APP, Chance, Stand};
use std::time::Instant;

/// Steps of the cutover: a cut when one of them was heard comes after the app was stopped and before
/// the new release is proven.
const CUTOVER: [&str; 5] = ["stop", "fork", "own", "start", "probation"];

/// True when all of it held.
pub fn run(options: &Options) -> bool {
    let mut stand = Stand::new(options.arch);
    let seed = options.seed;
    guard(&mut stand, "the short run", |stand| all(stand, seed)).is_some()
}

fn all(stand: &mut Stand, seed: u64) {
    let begun = Instant::now();
    let say = |text: String| println!("{:6.1} s  {text}", begun.elapsed().as_secs_f64());
    let arch = stand.rig.guest().arch().name();
    say(format!("a virtual board is switched on: {arch}"));
    stand.install();
    let version = stand.version();
    say(format!("package installed with apt, {APP} {version} runs from the index's own entry"));
    let timeline = stand.update_whole();
    let length = timeline.length().as_secs_f64();
    say(format!("a pushed tag arrived, {} runs; {length:.1} s", stand.version()));
    let (version, _) = stand.push("");
    let heard = stand.listen(|heard, _| CUTOVER.contains(&heard.step()) || heard.is_over());
    let cut_at = heard.step();
    let lost = stand.cut(&mut Chance::of(seed));
    let counts = stand.rig.guest().disk().counts();
    say(format!("power cut in step {cut_at:?} of the update to {version}: {lost:?}"));
    say(format!("the disk until then: {counts:?}"));
    assert!(counts.flushes > 0, "the guest flushes its disk, so a cut can lose what it did not");
    let back = stand.come_back(&version, None);
    let away = (back.app - back.engine).max(0.0);
    say(format!("{version} runs, {away:.1} s after the engine: {back:.1?}"));
    say("state, data, record, ids as promised; one container".to_owned());
    stand.rig.guest().shut_down();
    say("switched off".to_owned());
}
