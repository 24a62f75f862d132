//! The thread of a server: lets connections in, by their pace and number, and serves them all. It runs at a
//! low priority.

use super::connection::{Caller, Shared, serve};
use super::limits::HttpLimits;
use super::message::HttpHandler;
use super::pace::Turns;
use super::tls::Tls;
use rustix::process::setpriority_process;
use std::collections::HashMap;
use std::io::{Error, Result};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// How nice the thread is: 10 of 19. Others that want the processor get nine times its share.
const NICENESS: i32 = 10;
/// After an error the next connection is let in so much later.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Where a server listens, and with which certificate.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Address and port.
    pub address: SocketAddr,
    /// Its certificate; `None` for plain HTTP.
    pub tls: Option<Tls>,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Listens from now on, in a thread of this name.
    ///
    /// # Errors
    /// When the address cannot be listened at, or the system gives no thread.
    pub fn start(
        name: &'static str,
        endpoint: Endpoint,
        limits: HttpLimits,
        handler: Arc<dyn HttpHandler>,
    ) -> Result<Self> {
        let listener = std::net::TcpListener::bind(endpoint.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let door = FrontDoor {
            tls: endpoint.tls,
            pace: Turns::a_second(limits.connections_a_second),
            places: Arc::new(Semaphore::new(limits.connections)),
            peers: Arc::default(),
            shared: Arc::new(Shared::new(handler, limits)),
        };
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
            // Where it is refused, the bounds of this server have to do.
            if let Err(error) = setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
                log::debug!("{name}: the thread keeps its priority: {error}");
            }
            runtime.block_on(async move {
                tokio::spawn(door.open(listener));
                // Also when the other end is gone.
                let _ = stopped.await;
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; the port is the one that the system chose if it was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was printed by its thread already.
            let _ = thread.join();
        }
    }
}

/// Who is let in.
struct FrontDoor {
    tls: Option<Tls>,
    pace: Turns,
    places: Arc<Semaphore>,
    peers: Arc<Peers>,
    shared: Arc<Shared>,
}

impl FrontDoor {
    async fn open(mut self, listener: TcpListener) {
        let limits = &self.shared.limits;
        loop {
            // Whoever has to wait waits in the kernel, which costs nothing here.
            let wait = self.pace.turn(Instant::now(), Duration::MAX).unwrap_or(AFTER_ERROR);
            if !wait.is_zero() {
                sleep(wait).await;
            }
            // It is never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    log::debug!("a connection could not be let in: {error}");
                    sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            let Some(seat) = PeerPlace::take(&self.peers, peer.ip(), limits.connections_a_peer) else {
                continue;
            };
            let (tls, shared) = (self.tls.clone(), Arc::clone(&self.shared));
            tokio::spawn(async move {
                greet(stream, peer, tls, shared).await;
                drop((place, seat));
            });
        }
    }
}

async fn greet(stream: TcpStream, peer: SocketAddr, tls: Option<Tls>, shared: Arc<Shared>) {
    // Small replies are not held back.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve(stream, Caller { peer, secure: false }, shared).await,
        Some(Tls(acceptor)) => {
            let shaken = timeout(shared.limits.patience, acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                serve(stream, Caller { peer, secure: true }, shared).await;
            }
        }
    }
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A place among the connections of an address.
struct PeerPlace(Arc<Peers>, IpAddr);

impl PeerPlace {
    /// Takes one, if there is one left.
    fn take(peers: &Arc<Peers>, address: IpAddr, most: Option<usize>) -> Option<Self> {
        let address = one_peer(address);
        let mut counts = peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if most.is_some_and(|most| *count >= most) && !address.is_loopback() {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self(Arc::clone(peers), address))
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

/// A household has a whole /64 of IPv6: it is one peer.
fn one_peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
        other => other,
    }
}

/// An error of [`HttpServer::start`] in one sentence that says what to do.
#[must_use]
pub fn unheard(key: &str, address: SocketAddr, error: &Error) -> String {
    use std::io::ErrorKind;
    let mend = match error.kind() {
        ErrorKind::AddrInUse => "give another port, or end the program that has it",
        ErrorKind::AddrNotAvailable => "give an address that this board has",
        ErrorKind::PermissionDenied => "give a port from 1024 on, and the service its drop-in",
        _ => "give another address and port",
    };
    format!("{key}: nothing can be heard at {address} ({error}); {mend}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_the_board_itself_all() {
        let peers = Arc::<Peers>::default();
        let take = |address: &str| PeerPlace::take(&peers, address.parse().unwrap(), Some(2));
        let seats = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(seats.iter().all(Option::is_some));
        assert!(take("2001:db8::ffff").is_none(), "the same /64");
        assert!(take("2001:db8:0:1::1").is_some());
        let own: Vec<_> = (0..9).map(|_| take("127.0.0.1")).collect();
        assert!(own.iter().all(Option::is_some));
        drop(seats);
        assert!(take("2001:db8::ffff").is_some());
        drop(own);
        assert!(peers.0.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn what_cannot_be_heard_is_said_with_the_mend() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = std::net::TcpListener::bind(address).unwrap_err();
        let said = unheard("web.listen", address, &error);
        assert!(said.ends_with("give another port, or end the program that has it"), "{said}");
    }
}
