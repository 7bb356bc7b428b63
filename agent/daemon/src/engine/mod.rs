//! The engine: Docker Engine, or Podman through its Docker-compatible API, over its Unix socket.
//!
//! Promises: each call has a deadline and reads a bounded answer. A call that got no whole answer is
//! [`EngineError::Unknown`], never "failed": it may have happened, look again. A call that could not
//! even be sent is [`EngineError::Away`] or [`EngineError::Denied`]: nothing happened.
//! Acts and the create body go through bollard; what is read is parsed by narrow types of this
//! room that keep words they do not know.
//! Trusts: the definition, already parsed. Distrusts: every answer (it lies by omission, see
//! `docs/engines.md`), its size, its spelling, and that the container is what was asked for.

// ---- public signatures (bodies follow) ----
//
// impl Engine {
//     pub fn new(socket: PathBuf) -> Result<Self, EngineError>;             // cheap clone, no IO
//     pub fn socket(&self) -> &Path;
//     pub async fn hello(&self) -> Result<About, EngineError>;              // negotiates the API version; Unsupported with its reason
//     pub async fn containers(&self, instance: &InstanceId) -> Result<Vec<Seen>, EngineError>;
//     pub async fn instances(&self) -> Result<BTreeSet<InstanceId>, EngineError>;
//
//     pub async fn pull(&self, pull: &Pull, on_progress: impl FnMut(Progress)) -> Result<(), EngineError>;  // drop the future to stop it
//     pub async fn tag(&self, image: &str, app: &AppName, generation: Generation) -> Result<(), EngineError>;
//     pub async fn untag(&self, app: &AppName, generation: Generation) -> Result<(), EngineError>;          // frees the image where nothing else names it
//     pub async fn tags(&self) -> Result<Vec<Tagged { app, generation, image: String }>, EngineError>;
//     pub async fn image(&self, app: &AppName, generation: Generation) -> Result<Option<ImageFacts>, EngineError>;
//     pub async fn image_by_name(&self, name: &str) -> Result<Option<ImageFacts>, EngineError>;     // Pull::name() right after a pull
//
//     pub async fn create(&self, plan: &Plan) -> Result<Created { id: String, warnings: Vec<String> }, EngineError>;
//     pub async fn compare(&self, plan: &Plan, id: &str) -> Result<Vec<Difference>, EngineError>;
//     pub async fn start(&self, id: &str) -> Result<Started::{Now, Already}, EngineError>;
//     pub async fn stop(&self, id: &str, grace: Millis) -> Result<Stopped::{WasRunning, WasDown, Gone}, EngineError>;
//     pub async fn remove(&self, id: &str) -> Result<(), EngineError>;        // gone already is fine; running is Conflict
//     pub async fn arm(&self, id: &str) -> Result<(), EngineError>;           // policy unless-stopped
//     pub async fn exec(&self, id: &str, argv: &[String], user: Option<Owner>, timeout: Millis) -> Result<Exec::{Exited{code, output}, TimedOut}, EngineError>;
//     pub async fn ensure_network(&self, name: &str) -> Result<(), EngineError>;
//
//     pub async fn throwaway(&self, app: &AppName, instance: &InstanceId, image: &str) -> Result<Throwaway, EngineError>; // `<app>-probe`, without mounts; a stale one is removed first
//     pub async fn remove_throwaway(&self, id: &str) -> Result<(), EngineError>;                                // with its anonymous volumes
//     pub async fn events(&self, instance: &InstanceId) -> Result<Events, EngineError>;
// }
// impl Throwaway { pub fn id(&self) -> &str;
//     pub async fn archive(&self, path: &str, bytes_max: u64) -> Result<Option<Archive>, EngineError>;  // None: no such path
//     pub async fn file(&self, path: &str, bytes_max: usize) -> Result<Option<Vec<u8>>, EngineError>;   // links followed inside the image
// }
// impl Archive { pub async fn chunk(&mut self) -> Result<Option<Bytes>, EngineError>; pub fn into_reader(self) -> ArchiveReader /* std::io::Read + Send, for a worker thread */ }
// impl Events { pub async fn next(&mut self) -> Result<EngineEvent, EngineError>; }                       // an error is the end of the stream
// pub struct EngineEvent { id, app: Option<AppName>, generation: Option<Generation>, what: What, at_ns: Option<i64> }
// pub enum What { Start, Die { exit: Option<i64> }, Oom, Kill { signal: Option<String> }, Destroy, Health(HealthCheck) }
//
// pub fn plan(making: &Making<'_>) -> Result<Plan, PlanError>;                // pure
// pub struct Making<'a> { app, instance, generation, spec: &Spec, image: &str, mounts: &[Mount { source, target, read_only }], secrets: &[(String, String)] /* env_file */, armed: bool }
// pub fn compare::differences(plan: &Plan, found: &Inspected, image: &ImageFacts, kind: Kind) -> Vec<Difference>;  // pure
// pub struct Difference { field: &'static str, wanted: String, found: String, strict: bool }
// pub fn local_tag(app: &AppName, generation: Generation) -> String;         // titania-agent.local/<app>:g<generation>
// impl EngineError { pub fn reason(&self, at: Timestamp) -> Reason; }

mod about;
mod error;
mod seen;

pub use about::{About, Kind, Remap};
pub use error::{EngineError, Refusal};
pub use seen::{HealthCheck, Role, Seen};
