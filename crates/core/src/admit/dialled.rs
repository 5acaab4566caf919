//! A connection that is no HTTP, with its seat among the tenant's conversations with that host.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{http::TenantAndHost, shares::Share};

/// A connection to a host that was judged. Its seat is given back when it is dropped.
#[derive(Debug)]
pub struct Dialled {
    stream: TcpStream,
    _seat: Share<TenantAndHost>,
}

impl Dialled {
    pub(super) fn new(stream: TcpStream, seat: Share<TenantAndHost>) -> Self {
        Self { stream, _seat: seat }
    }
}

impl AsyncRead for Dialled {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
