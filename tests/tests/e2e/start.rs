//! How most cases begin: one app with state and data, installed and proven.

use harness::{App, Board, Definition, Image, Pushed};

/// The app.
pub const APP: &str = "wallet";
/// Its uid, by its image's USER.
pub const UID: u32 = 10_000;
/// Its group, by its image's passwd.
pub const GID: u32 = 10_001;

/// A release with a user of its own.
pub fn image(version: &str) -> Image {
    Image::version(version).passwd("app", UID, GID).user("app")
}

/// Pushes a release under the tag that the app follows.
pub fn push(board: &Board, image: &Image) -> Pushed {
    board.registry().push(APP, "stable", image)
}

/// Its definition, in the making: a moving tag, a state and a data folder.
pub fn definition(board: &Board) -> Definition<'_> {
    let image = format!("{}/{APP}:stable", board.registry().host());
    board.app(APP).image(&image).state("/state").data("/data")
}

/// As [`installed_as`], with all as usual.
pub fn installed(board: &Board) -> App<'_> {
    installed_as(board, &image("1.0.0"), definition(board))
}

/// The app as defined, running its first release, healthy and proven.
pub fn installed_as<'b>(board: &'b Board, first: &Image, definition: Definition<'b>) -> App<'b> {
    push(board, first);
    let app = definition.define();
    board.agent().start();
    app.wait_version("1.0.0");
    app
}
