//! Where the proxy listens: a port of the loopback address, or a Unix socket.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;

/// The pause after a connection could not be accepted, because there are no descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) enum Listener {
    Tcp(TcpListener, SocketAddr),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener, PathBuf),
}

/// A connection of either kind.
pub(super) enum Stream {
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Listener {
    /// The next connection, and a name for its peer.
    pub(super) async fn accept(&self) -> Option<(Stream, String)> {
        match self {
            Self::Tcp(listener, _) => {
                let Ok((stream, peer)) = listener.accept().await else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    return None;
                };
                let is_local = |ip: IpAddr| ip.to_canonical().is_loopback();
                if !is_local(peer.ip()) {
                    return None;
                }
                stream.set_nodelay(true).unwrap_or_default();
                Some((Stream::Tcp(stream), peer.ip().to_string()))
            }
            #[cfg(unix)]
            Self::Unix(listener, _) => {
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    return None;
                };
                // Others who can open the folder can connect, but are not listened to.
                let peer = stream.peer_cred().ok()?.uid();
                if peer != crate::fs::own_uid() {
                    return None;
                }
                Some((Stream::Unix(stream), String::from("unix")))
            }
        }
    }
}
