//! nginx doing what it does best: `proxy_pass` with kept connections and a header put in.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread::sleep,
    time::Duration,
};

use tempfile::TempDir;

use crate::{child::Running, limit::TOKEN};

/// A running nginx with a worker for each core, as it is set up by default.
pub(crate) struct Nginx {
    running: Running,
    pub(crate) address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts one in a folder of its own, if it is installed.
    pub(crate) fn start(upstream: SocketAddr) -> Option<Self> {
        let installed = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
        if !installed.is_ok_and(|status| status.success()) {
            println!("nginx is not installed, so it is not beside us.");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a loopback port");
        let config = folder.path().join("nginx.conf");
        std::fs::write(
            &config,
            settings(&folder.path().display().to_string(), address, upstream),
        )
        .expect("a writable folder");
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::null());
        let child = command.spawn().expect("nginx starts");
        let running = Running::known(child, address);
        while TcpStream::connect(address).is_err() {
            sleep(Duration::from_millis(20));
        }
        Some(Self {
            running,
            address,
            _folder: folder,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killing the master would leave its workers.
        let pid = self.pid().to_string();
        let _ = Command::new("kill").args(["-s", "QUIT", &pid]).status();
        sleep(Duration::from_millis(200));
    }
}

fn settings(folder: &str, own: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
user root;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    upstream service {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen {own};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_set_header Authorization 'Bearer {TOKEN}';
        }}
    }}
}}
"
    )
}
