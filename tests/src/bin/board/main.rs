//! Virtual boards at work: cases, power cuts, and one of each for CI.

use harness::vm::{Arch, Rig, package_for};

fn main() {
    let arch = Arch::Amd64;
    let rig = Rig::new(arch);
    rig.keep();
    let begun = std::time::Instant::now();
    let at = |what: &str| println!("{:.1} s: {what}", begun.elapsed().as_secs_f64());
    rig.set_up();
    at("in");
    print!("{}", rig.install(&package_for(arch)));
    at("installed");
    rig.push("1.0.0", "");
    rig.define(&rig.definition());
    rig.wait_version("1.0.0");
    at("app runs");
    println!("{:?}", rig.guest().disk().counts());
    rig.push("2.0.0", "");
    rig.update();
    rig.wait_version("2.0.0");
    at("updated");
    println!("{:?}", rig.guest().disk().counts());
    for message in rig.listener().on(&rig.topic("app/wallet")) {
        println!("{}", message.json()["update"]["step"]);
    }
    println!("{}", rig.guest().shell("docker ps -a; ls -la /var/lib/titania-volumes/wallet/state; agentctl status; systemd-analyze; systemd-analyze blame | head -20"));
    rig.guest().shut_down();
    at("off");
}
