//! One board with an image under the agent's own tag, and the room that is tried on it.

use std::time::Duration;

use harness::{Board, Image, SOON, Settings};
use titania_agentd::engine::{
    Created, Engine, EngineError, EngineEvent, Events, Making, Mount, Plan, Pull, Role, Seen,
    local_tag, plan,
};
use titania_core::definition::{Definition, Shape};
use titania_core::names::{AppName, Generation, InstanceId, Owner};
use titania_core::release::Release;
use titania_core::spec::Spec;
use titania_core::track::Track;

pub struct Stage {
    pub board: Board,
    pub engine: Engine,
    pub instance: InstanceId,
}

impl Stage {
    pub fn new() -> Self {
        let board = Board::with(Settings { no_broker: true, ..Settings::default() });
        let engine = Engine::new(board.engine().socket());
        Self { board, engine, instance: InstanceId("00000000-0000-4000-8000-000000000001".into()) }
    }

    /// Pushes an image and pulls it by its manifest digest, under the agent's own tag.
    pub async fn image(&self, name: &str, generation: u64, image: &Image) -> Pull {
        let pushed = self.board.registry().push(name, "1", image);
        let pull = Pull {
            repository: pushed
                .repository
                .parse::<titania_core::reference::Reference>()
                .unwrap()
                .repository,
            manifest: pushed.digest.parse().unwrap(),
            credentials: None,
        };
        self.engine.pull(&pull, |_| {}).await.unwrap();
        self.engine.tag(&pull.name(), &app(name), Generation(generation)).await.unwrap();
        pull
    }

    pub fn plan(
        &self,
        name: &str,
        generation: u64,
        mounts: &[Mount],
        change: impl FnOnce(&mut Spec),
    ) -> Plan {
        let spec = spec(change);
        let making = Making {
            app: &app(name),
            instance: &self.instance,
            generation: Generation(generation),
            spec: &spec,
            image: &local_tag(&app(name), Generation(generation)),
            mounts,
            env_file: &[],
            armed: false,
            is_mapped: false,
        };
        plan(&making).unwrap()
    }

    pub async fn create(&self, plan: &Plan) -> Created {
        self.engine.ensure_network("titania").await.unwrap();
        self.engine.create(plan).await.unwrap()
    }

    /// Creates and starts the plain app `name`, generation 1.
    pub async fn run(&self, name: &str, image: &Image, change: impl FnOnce(&mut Spec)) -> String {
        self.image(name, 1, image).await;
        let created = self.create(&self.plan(name, 1, &[], change)).await;
        self.engine.start(&created.id).await.unwrap();
        created.id
    }

    pub async fn seen(&self, id: &str) -> Seen {
        let all = self.engine.containers(&self.instance).await.unwrap();
        all.into_iter().find(|seen| seen.id == id).expect("the container is there")
    }
}

pub fn app(name: &str) -> AppName {
    name.parse().unwrap()
}

pub fn spec(change: impl FnOnce(&mut Spec)) -> Spec {
    let definition = Definition {
        shape: Shape::of("r.example/x:1".parse().unwrap()),
        track: Track::Tag("1".into()),
        after: Vec::new(),
        health: Default::default(),
        update: Default::default(),
    };
    let mut spec = Spec {
        hash: definition.shape.hash(),
        release: Release {
            config: Some(titania_core::digest::Digest::of(b"c")),
            ..Release::default()
        },
        user: Some(Owner { uid: 70001, gid: 70001 }),
        groups: Vec::new(),
        definition,
    };
    change(&mut spec);
    spec
}

/// Sets a change of the shape alone.
pub fn shaped(change: impl FnOnce(&mut Shape)) -> impl FnOnce(&mut Spec) {
    move |spec| change(&mut spec.definition.shape)
}

pub fn generation(seen: &Seen) -> u64 {
    match &seen.role {
        Role::App { generation, .. } => generation.0,
        other => panic!("{other:?}"),
    }
}

/// The next event, in good time.
pub async fn next(events: &mut Events) -> Result<EngineEvent, EngineError> {
    tokio::time::timeout(SOON, events.next()).await.expect("an event in good time")
}

/// Looks again and again until it is so.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    loop {
        if let Some(fact) = look().await {
            return fact;
        }
        assert!(begun.elapsed() < SOON, "waited {SOON:?} for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
