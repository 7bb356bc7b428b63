//! An update's whole life through the handle and its threads.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::*;
use crate::volumes::testing::{Board, OWNER, data, file, spec};

struct Life {
    board: Board,
    volumes: Volumes,
    app: AppName,
    spec: Arc<Spec>,
}

impl Life {
    fn new() -> Self {
        let board = Board::new();
        let volumes = Volumes::on(board.place.root().to_owned(), board.system()).unwrap();
        let app = board.place.app().clone();
        let spec = Arc::new(spec(&["/wallet"], &[data("/data")]));
        Self { board, volumes, app, spec }
    }

    /// All that an update does to volumes before its start.
    async fn update(&self, generation: u64, parent: Option<u64>, owner: Owner) {
        let started = parent.map(|p| StartedAt(format!("start of {p}")));
        let reserved = file(generation, parent, (*self.spec).clone());
        let generation = Generation(generation);
        self.volumes.reserve(&self.app, reserved).await.unwrap();
        self.volumes.check(&self.app, self.spec.clone(), generation).await.unwrap();
        self.volumes.copy(&self.app, generation).await.unwrap();
        for seed in self.volumes.seeds(&self.app, self.spec.clone(), generation).await.unwrap() {
            self.volumes.seed(&self.app, seed, None::<&[u8]>).await.unwrap();
        }
        let spec = self.spec.clone();
        self.volumes.finish(&self.app, generation, started, spec.clone(), owner).await.unwrap();
        self.volumes.own(&self.app, spec.clone(), generation, owner).await.unwrap();
        self.volumes.check(&self.app, spec, generation).await.unwrap();
        let forks = self.volumes.forks(&self.app).await.unwrap();
        let fork = forks.iter().find(|fork| fork.generation == generation).unwrap();
        assert!(fork.is_complete() && fork.owned, "{fork:?}");
    }

    fn wallet(&self, generation: u64) -> PathBuf {
        self.board.place.fork(Generation(generation)).join("wallet")
    }
}

#[tokio::test(flavor = "current_thread")]
async fn p2_state_goes_forward_as_a_copy_and_a_rollback_finds_its_own_byte_for_byte() {
    let life = Life::new();
    life.update(1, None, OWNER).await;
    fs::write(life.wallet(1).join("keys"), "of 1").unwrap();
    let chain = life.board.place.data_volume("data").join("chain");
    fs::write(&chain, "blocks").unwrap();
    std::os::unix::fs::chown(&chain, Some(OWNER.uid), Some(OWNER.gid)).unwrap();

    let other = Owner { uid: 70_000, gid: 70_000 };
    life.update(2, Some(1), other).await;
    assert_eq!(fs::read(life.wallet(2).join("keys")).unwrap(), b"of 1");
    fs::write(life.wallet(2).join("keys"), "spoilt by 2").unwrap();
    let seen = fs::metadata(life.wallet(2).join("keys")).unwrap();
    assert_eq!((seen.uid(), fs::metadata(&chain).unwrap().uid()), (70_000, 70_000));

    // Rolled back: only the data has to change hands again.
    let forks = life.volumes.forks(&life.app).await.unwrap();
    assert!(!forks[0].owned && forks[1].owned);
    life.volumes.own(&life.app, life.spec.clone(), Generation(1), OWNER).await.unwrap();
    assert!(life.volumes.forks(&life.app).await.unwrap()[0].owned);
    assert_eq!(fs::metadata(&chain).unwrap().uid(), OWNER.uid);
    assert_eq!(fs::read(&chain).unwrap(), b"blocks");
    assert_eq!(fs::read(life.wallet(1).join("keys")).unwrap(), b"of 1");
    assert_eq!(fs::read(life.wallet(2).join("keys")).unwrap(), b"spoilt by 2");
}

#[tokio::test(flavor = "current_thread")]
async fn looking_does_not_wait_behind_a_long_walk() {
    let life = Life::new();
    life.update(1, None, OWNER).await;
    let (feeder, stream) = crate::volumes::pipe();
    life.update(2, Some(1), OWNER).await;
    fs::remove_file(life.board.place.data_marker("data", "seeded")).unwrap();
    let seeds = life.volumes.seeds(&life.app, life.spec.clone(), Generation(2)).await.unwrap();
    let seed = life.volumes.seed(&life.app, seeds[0].clone(), Some(stream));
    let look = async {
        // The long thread waits for an archive that has not come; the quick one answers all the same.
        let forks = life.volumes.forks(&life.app).await.unwrap();
        drop(feeder);
        forks.len()
    };
    let (seeded, forks) = tokio::join!(seed, look);
    assert!(seeded.is_err());
    assert_eq!(forks, 2);
}
