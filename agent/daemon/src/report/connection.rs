//! The connection to the broker: made, kept, lost, made again.
//!
//! Each connection is a new client of `rumqttc`: what the former one had in flight is on the desk, nothing else is
//! worth keeping. Its `poll` is never cancelled half way (a packet would be lost with it), it has no deadline of its
//! own for a broker that stops reading, and it does not say which packet an acknowledgement is for: all three are here.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, LastWill, MqttOptions, Outgoing, Packet, QoS, TlsConfiguration, Transport,
};
use titania_core::metrics::Metrics;
use titania_core::reason::Reason;
use titania_core::status::MqttState;
use tokio::time::{Instant, sleep_until};

use super::desk::{About, OFFLINE};
use super::settings::MqttSettings;
use super::{Shared, backoff, tls, trouble};

/// DESIGN §6.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Longest wait for TCP, TLS and CONNACK together, and for one flush.
const CONNECT_SECONDS_MAX: u64 = 15;
/// Largest packet sent (DESIGN §6).
const PACKET_OUT_MAX: usize = 256 * 1024;
/// Largest packet read (DESIGN §6): a request has 16 KiB at most.
const PACKET_IN_MAX: usize = 20 * 1024;
/// A board's document that is asked for: another board's in its place may be as large again, and a larger packet than is
/// read would end each connection.
const KEPT_DOCUMENT_MAX: usize = PACKET_IN_MAX / 2 - PACKET_HEAD_MAX;
/// Room for the topic and the header beside the payload of a packet.
const PACKET_HEAD_MAX: usize = 1024;
/// A broker owes this agent a handful of packets a minute: its own `availability`, answers to pings. One that sends
/// more than so many within a `KEEP_ALIVE`, acknowledgements apart, is not to be listened to.
pub(super) const PACKETS_IN_MAX: u32 = 200;
/// Packet ids that rumqttc keeps room for: one message is in flight, the ids go round.
const IN_FLIGHT_MAX: u16 = 8;
/// Requests on their way to `rumqttc`: a subscription, one QoS 1 message, metrics, the end.
const REQUESTS_MAX: usize = 8;

/// How long a broker is listened to that does not do its part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Nothing came: it owes an answer to each ping, one a `KEEP_ALIVE`.
    pub(super) silence: Duration,
    /// A publish was not acknowledged, though pings may be answered.
    pub(super) acknowledgement: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { silence: Duration::from_secs(75), acknowledgement: Duration::from_secs(60) }
    }
}

/// Why a connection ended.
enum End {
    /// As asked.
    Closed,
    /// Otherwise.
    Lost(Box<Reason>),
}

/// Keeps a connection until the desk is closed.
pub(super) async fn keep(
    shared: Rc<Shared>,
    settings: MqttSettings,
    patience: Patience,
    metrics: impl Fn() -> Metrics,
) {
    let mut failures = 0;
    while !shared.desk.borrow().is_closing() {
        shared.show(MqttState::Connecting, None);
        let begun = Instant::now();
        let end = match options(&shared, &settings).await {
            Ok(options) => Link::new(&shared, &settings, patience, options).run(&metrics).await,
            Err(error) => End::Lost(Box::new(trouble::files_wrong(&settings.address, &error))),
        };
        let End::Lost(reason) = end else {
            return;
        };
        failures = if begun.elapsed() >= backoff::STEADY { 1 } else { failures + 1 };
        log::warn!(target: "mqtt", "{}", reason.message);
        shared.show(MqttState::Backoff, Some(*reason));
        let until = Instant::now() + backoff::wait(settings.backoff, failures, &settings.board);
        while Instant::now() < until && !shared.desk.borrow().is_closing() {
            tokio::select! {
                () = sleep_until(until) => {}
                () = shared.changed.notified() => {} // news wait for the connection, the end does not
            }
        }
    }
}

async fn options(shared: &Shared, settings: &MqttSettings) -> Result<MqttOptions, tls::FileError> {
    let address = &settings.address;
    let client = format!("titania-{}", settings.board);
    let mut options = MqttOptions::new(client, address.host_in_url(), address.port);
    let will = LastWill {
        topic: shared.desk.borrow().topic("availability"),
        message: OFFLINE.into(),
        qos: QoS::AtLeastOnce,
        retain: true,
    };
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_inflight(IN_FLIGHT_MAX)
        .set_max_packet_size(PACKET_IN_MAX, PACKET_OUT_MAX)
        .set_last_will(will);
    if let Some(user) = &settings.user {
        options.set_credentials(user.clone(), tls::password(settings)?);
    }
    if address.tls {
        let config = TlsConfiguration::Rustls(tls::config(settings).await?);
        options.set_transport(Transport::tls_with_config(config));
    }
    Ok(options)
}

/// The one QoS 1 message on its way.
struct InFlight {
    about: About,
    /// Known once it was written.
    packet: Option<u16>,
    since: Instant,
}

/// One connection.
struct Link<'a> {
    shared: &'a Shared,
    settings: &'a MqttSettings,
    patience: Patience,
    client: AsyncClient,
    events: rumqttc::EventLoop,
    is_connected: bool,
    in_flight: Option<InFlight>,
    heard: Instant,
    heard_since: Instant,
    heard_count: u32,
    metrics_at: Option<Instant>,
}

impl<'a> Link<'a> {
    fn new(
        shared: &'a Shared,
        settings: &'a MqttSettings,
        patience: Patience,
        options: MqttOptions,
    ) -> Self {
        let (client, mut events) = AsyncClient::new(options, REQUESTS_MAX);
        let mut network = events.network_options();
        network.set_connection_timeout(CONNECT_SECONDS_MAX);
        network.set_tcp_nodelay(true); // else an event waits for the acknowledgement of the one before
        events.set_network_options(network);
        Self {
            shared,
            settings,
            patience,
            client,
            events,
            is_connected: false,
            in_flight: None,
            heard: Instant::now(),
            heard_since: Instant::now(),
            heard_count: 0,
            metrics_at: None,
        }
    }

    async fn run(mut self, metrics: &impl Fn() -> Metrics) -> End {
        loop {
            let event = match self.wait(metrics).await {
                Ok(event) => event,
                Err(end) => return end,
            };
            match event {
                Event::Outgoing(Outgoing::Publish(packet)) if packet != 0 => {
                    if let Some(in_flight) = &mut self.in_flight {
                        in_flight.packet.get_or_insert(packet);
                    }
                }
                Event::Outgoing(Outgoing::Disconnect) => return End::Closed,
                Event::Outgoing(_) => {}
                Event::Incoming(packet) => {
                    if self.is_too_much(&packet) {
                        return End::Lost(Box::new(trouble::flood(&self.settings.address)));
                    }
                    self.heard(&packet);
                }
            }
            self.send();
        }
    }

    /// The next event of the connection; meanwhile news, metrics and deadlines are attended to.
    async fn wait(&mut self, metrics: &impl Fn() -> Metrics) -> Result<Event, End> {
        let Self {
            shared,
            settings,
            patience,
            client,
            events,
            is_connected,
            in_flight,
            heard,
            metrics_at,
            ..
        } = self;
        let mut poll = pin!(events.poll());
        loop {
            // Until CONNACK rumqttc's own deadline holds.
            let silent = *heard + patience.silence;
            let deadline = match in_flight {
                Some(in_flight) => silent.min(in_flight.since + patience.acknowledgement),
                None => silent,
            };
            let figures_at = metrics_at.unwrap_or(deadline);
            tokio::select! {
                biased;
                event = &mut poll => {
                    return event.map_err(|error| {
                        let is_clock_synced = shared.desk.borrow().is_clock_synced();
                        End::Lost(Box::new(trouble::lost(&settings.address, &error, is_clock_synced)))
                    });
                }
                () = shared.changed.notified() => {
                    if *is_connected {
                        send(shared, client, in_flight);
                    } else if shared.desk.borrow().is_closing() {
                        return Err(End::Closed);
                    }
                }
                () = sleep_until(figures_at), if metrics_at.is_some() => {
                    *metrics_at = Some(Instant::now() + settings.metrics);
                    send_metrics(shared, client, &metrics());
                }
                () = sleep_until(deadline) => {
                    return Err(End::Lost(Box::new(trouble::silence(&settings.address))));
                }
            }
        }
    }

    fn send(&mut self) {
        if self.is_connected {
            send(self.shared, &self.client, &mut self.in_flight);
        }
    }

    /// Counts what comes in. `select!` looks at the connection first, so a flood would keep it from the deadlines.
    fn is_too_much(&mut self, packet: &Packet) -> bool {
        self.heard = Instant::now();
        if self.heard.duration_since(self.heard_since) > KEEP_ALIVE {
            self.heard_since = self.heard;
            self.heard_count = 0;
        }
        if !matches!(packet, Packet::PubAck(_)) {
            self.heard_count += 1; // each acknowledgement is for a message of our own, rumqttc sees to that
        }
        self.heard_count > PACKETS_IN_MAX
    }

    fn heard(&mut self, packet: &Packet) {
        match packet {
            Packet::ConnAck(_) => self.connected(),
            Packet::PubAck(ack) => {
                let Some(in_flight) =
                    self.in_flight.take_if(|in_flight| in_flight.packet == Some(ack.pkid))
                else {
                    return;
                };
                let mut desk = self.shared.desk.borrow_mut();
                desk.acknowledged(&in_flight.about);
                let is_end = in_flight.about == About::Offline;
                drop(desk);
                self.shared.count();
                if is_end {
                    let _ = self.client.try_disconnect();
                }
            }
            Packet::Publish(publish) => {
                let mut desk = self.shared.desk.borrow_mut();
                let is_ours = publish.topic == desk.topic("availability");
                if is_ours && publish.payload == OFFLINE.as_bytes() && !desk.is_closing() {
                    desk.contradicted();
                }
                let board = desk.topic("board");
                drop(desk);
                if publish.topic == board {
                    // The first is what was kept; from then on it would be an echo.
                    let _ = self.client.try_unsubscribe(board);
                    if publish.retain {
                        self.shared.look_for_rival(&publish.payload);
                    }
                }
            }
            _ => {}
        }
    }

    fn connected(&mut self) {
        log::info!(target: "mqtt", "connected to {}", self.settings.address);
        self.is_connected = true;
        let mut desk = self.shared.desk.borrow_mut();
        desk.connected();
        // A full channel can't be: it is this connection's first request.
        let _ = self.client.try_subscribe(desk.topic("availability"), QoS::AtLeastOnce);
        if desk.asks_for_its_document(KEPT_DOCUMENT_MAX) {
            let _ = self.client.try_subscribe(desk.topic("board"), QoS::AtMostOnce);
        }
        drop(desk);
        self.shared.show(MqttState::Connected, None);
        if !self.settings.metrics.is_zero() {
            self.metrics_at = Some(Instant::now());
        }
    }
}

/// Sends the next message if none is in flight.
fn send(shared: &Shared, client: &AsyncClient, in_flight: &mut Option<InFlight>) {
    if in_flight.is_some() {
        return;
    }
    loop {
        let message = shared.desk.borrow_mut().next();
        shared.count(); // what it waits for may be on whoever follows it
        let Some(message) = message else {
            return;
        };
        let bytes = message.payload.len();
        if bytes > PACKET_OUT_MAX - PACKET_HEAD_MAX {
            // Sending it would end the connection, and the next one, and the next one.
            log::error!(target: "mqtt", "{} is not published: {bytes} bytes are too many", message.topic);
            shared.desk.borrow_mut().acknowledged(&message.about);
            continue;
        }
        let sent =
            client.try_publish(message.topic, QoS::AtLeastOnce, message.retain, message.payload);
        // Refused only when the channel is full, that is when the broker does not read: the deadline ends it.
        if let Err(error) = sent {
            log::warn!(target: "mqtt", "not sent: {error}");
        }
        *in_flight = Some(InFlight { about: message.about, packet: None, since: Instant::now() });
        return;
    }
}

/// Figures that are late are of no use: sent once, or not at all.
fn send_metrics(shared: &Shared, client: &AsyncClient, metrics: &Metrics) {
    let topic = shared.desk.borrow().topic("metrics");
    let payload = serde_json::to_vec(metrics).unwrap_or_default();
    if payload.len() <= PACKET_OUT_MAX - PACKET_HEAD_MAX {
        let _ = client.try_publish(topic, QoS::AtMostOnce, false, payload);
    }
}
