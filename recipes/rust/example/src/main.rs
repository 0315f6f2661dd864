//! Says hello to whoever asks.

use std::io::{Read, Write};
use std::net::TcpListener;

extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn _exit(code: i32) -> !;
}

extern "C" fn stop(_: i32) {
    unsafe { _exit(0) }
}

fn main() -> std::io::Result<()> {
    // SIGTERM: the first process of a container is not ended by signals that it does not handle.
    unsafe { signal(15, stop) };
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".into());
    for stream in TcpListener::bind(format!("0.0.0.0:{port}"))?.incoming() {
        let mut stream = stream?;
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
    }
    Ok(())
}
