use instrumented_sync::{label, thread, Mutex};
use std::{
    io::Read,
    net::{TcpListener, TcpStream},
};

static TURN: Mutex<u32> = Mutex::new(0);

/// Waits for bytes from a peer that never sends any; another thread, which records nothing, waits beside it.
fn main() {
    label(&TURN, "turn");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    std::thread::Builder::new().name("bystander".into()).spawn(move || peer.read_exact(&mut [0])).unwrap();
    let reader = thread::Builder::new().name("reader".into()).spawn(move || {
        *TURN.lock().unwrap() += 1;
        stream.read_exact(&mut [0]).unwrap();
    });
    reader.unwrap().join().unwrap();
}
