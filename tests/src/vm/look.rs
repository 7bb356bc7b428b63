//! One look at all that a board has of its app, taken on the board at one instant.

use super::guest::Guest;
use super::rig::APP;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where the board keeps what the agent found at its first start in a boot: see [`watch_boots`].
const WITNESS: &str = "/run/witness";
/// A drop-in of the agent's unit.
const DROP_IN: &str = "/etc/systemd/system/titania-agent.service.d/witness.conf";

/// From its next boot on the board keeps a copy of the agent's durable files as each boot found
/// them, before the agent touched them.
#[track_caller]
pub fn watch_boots(guest: &Guest) {
    let script = format!(
        "test -d {WITNESS} || {{ mkdir {WITNESS}; \
         cp -a /var/lib/titania-agent/apps {WITNESS}/apps; \
         cp -a /var/lib/titania-volumes/{APP}/state/*.json {WITNESS}/; }}"
    );
    let text = format!("[Service]\nExecStartPre=-+/bin/sh -c '{script}'\n");
    guest.put(DROP_IN, text.as_bytes());
    guest.shell("systemctl daemon-reload");
}

/// See the head of the module.
#[derive(Debug, Clone)]
pub struct Look {
    sections: BTreeMap<String, String>,
}

/// A start or an end of a container, as the engine told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// `start`, `die`, …
    pub action: String,
    /// Generation of the container.
    pub generation: u64,
}

impl Look {
    /// Looks.
    #[track_caller]
    pub fn at(guest: &Guest) -> Self {
        Self::read(&guest.shell(&script()))
    }

    /// One that was taken by other means: parts by their names.
    pub fn of(sections: BTreeMap<String, String>) -> Self {
        Self { sections }
    }

    fn read(text: &str) -> Self {
        let mut sections = BTreeMap::new();
        for part in text.split("\u{1}").skip(1) {
            let (name, body) = part.split_once('\n').unwrap_or((part, ""));
            sections.insert(name.to_owned(), body.to_owned());
        }
        Self::of(sections)
    }

    /// A part as text; empty when it was not there.
    pub fn text(&self, name: &str) -> &str {
        self.sections.get(name).map_or("", String::as_str)
    }

    /// A part as JSON; null when it is none.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(self.text(name)).unwrap_or(Value::Null)
    }

    /// The app's record; null when it is not readable.
    pub fn record(&self) -> Value {
        self.json("record")
    }

    /// The record as this boot found it, else its predecessor.
    pub fn record_found(&self) -> Value {
        match self.json("found record") {
            Value::Null => self.json("found record.1"),
            record => record,
        }
    }

    /// The forks' files as this boot found them.
    pub fn forks_found(&self) -> Vec<Value> {
        let lines = self.text("found forks").lines();
        lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// All containers of the app, as `inspect` shows them.
    pub fn containers(&self) -> Vec<Value> {
        self.json("containers").as_array().cloned().unwrap_or_default()
    }

    /// Starts and ends of the app's containers since the board booted, in order.
    pub fn acts(&self) -> Vec<Act> {
        let lines = self.text("events").lines();
        let words = lines.filter_map(|line| line.split_once(' '));
        let acts = words.filter_map(|(action, generation)| {
            Some(Act { action: action.to_owned(), generation: generation.trim().parse().ok()? })
        });
        acts.collect()
    }

    /// Was the engine restarted in this boot, since it kept a published port for nobody? Its events of before are gone
    /// then.
    pub fn engine_was_restarted(&self) -> bool {
        self.text("engine restarted").trim() == "yes"
    }

    /// What the app wrote at each start, of the fork that `generation` runs on.
    pub fn stamps(&self, generation: u64) -> Vec<&str> {
        self.text(&format!("stamps {generation}")).lines().collect()
    }
}

/// Prints every part, each after a line with its name that begins with a sign no text has.
fn script() -> String {
    let volumes = "/var/lib/titania-volumes";
    let state = "/var/lib/titania-agent";
    let label = "org.titania.agent";
    format!(
        r#"part() {{ printf '\001%s\n' "$1"; }}
part record; cat {state}/apps/{APP}.json
part 'found record'; cat {WITNESS}/apps/{APP}.json
part 'found record.1'; cat {WITNESS}/apps/{APP}.json.1
part 'found forks'; for file in {WITNESS}/*.json; do tr -d '\n' <"$file"; echo; done
part instance; cat {state}/instance
part 'instance of volumes'; cat {volumes}/.titania-volumes
part containers; docker inspect $(docker ps -aq --no-trunc --filter label={label}.app={APP})
part events; docker events --since 0 --until "$(date +%s)" --filter type=container \
  --filter label={label}.app={APP} --filter event=start --filter event=die \
  --format '{{{{.Action}}}} {{{{index .Actor.Attributes "{label}.generation"}}}}'
part 'engine restarted'; test -d /run/titania-agent-engine/restarted && echo yes
part forks; ls -A {volumes}/{APP}/state
cd {volumes}/{APP}/state && for fork in [0-9]*; do
  [ -d "$fork/state" ] || continue
  part "stamps $fork"; cat "$fork/state/stamp.log"
  part "sum $fork"; cd "$fork/state"; find . -type f ! -name stamp.log | sort | xargs sha256sum; cd ../..
done
cd {volumes}/{APP}/data/data
part 'data stamps'; cat stamp.log
part 'data sum'; find . -type f ! -name stamp.log | sort | xargs sha256sum
part status; agentctl status --json
true"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_by_its_parts() {
        let text = "noise\u{1}record\n{\"schema\":1}\u{1}found forks\n{\"a\":1}\n{torn\n\
                    \u{1}events\nstart 1\ndie 1\nstart x\n\u{1}stamps 2\n1.0.0\n2.0.0\n";
        let look = Look::read(text);
        assert_eq!(look.record()["schema"], 1);
        assert_eq!(look.record_found(), Value::Null);
        assert_eq!(look.forks_found().len(), 1);
        let act = |action: &str| Act { action: action.to_owned(), generation: 1 };
        assert_eq!(look.acts(), [act("start"), act("die")]);
        assert_eq!(look.stamps(2), ["1.0.0", "2.0.0"]);
        assert_eq!(look.text("nothing"), "");
    }
}
