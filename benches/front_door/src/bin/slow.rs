//! Slow visitors: `slow PORT CONNECTIONS`. Each sends its request a byte every two seconds, the
//! rest at once before its time is over, reads the answer, and begins again, until it is killed.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: slow\r\n\r\n";
/// Pieces of a request: all but the last are one byte. At two seconds each the head takes eight.
const PIECES: usize = 5;
const PAUSE: Duration = Duration::from_secs(2);
/// Connections of one address, so that no address has more than its share.
const OF_ONE_ADDRESS: usize = 500;
/// Parts of a pause, each with its share of the connections.
const TURNS: usize = 200;

struct Visitor {
    socket: TcpStream,
    piece: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let numbers: Vec<usize> = std::env::args().skip(1).flat_map(|a| a.parse()).collect();
    let [port, connections] = numbers[..] else { return Err("slow PORT CONNECTIONS".into()) };
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port)?));
    let mut visitors = Vec::new();
    for number in 0..connections {
        visitors.push(Visitor { socket: connect(number, server)?, piece: 0 });
    }
    println!("all are connected");
    let (mut answers, mut lost) = (0, 0);
    let began = Instant::now();
    for turn in 0_usize.. {
        for at in (turn % TURNS..connections).step_by(TURNS) {
            match visitors[at].go_on() {
                Ok(answered) => answers += usize::from(answered),
                Err(_) => {
                    lost += 1;
                    visitors[at] = Visitor { socket: connect(at, server)?, piece: 0 };
                }
            }
        }
        if turn % TURNS == TURNS - 1 {
            println!("{answers} answers, {lost} connections lost");
        }
        let next = PAUSE / TURNS as u32 * (turn as u32 + 1);
        sleep(next.saturating_sub(began.elapsed()));
    }
    Ok(())
}

fn connect(number: usize, server: SocketAddr) -> io::Result<TcpStream> {
    let last = 2 + u8::try_from(number / OF_ONE_ADDRESS).map_err(io::Error::other)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
    socket.connect(&server.into())?;
    let socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Visitor {
    /// One piece more; true where an answer was read before it.
    fn go_on(&mut self) -> io::Result<bool> {
        let mut answered = false;
        if self.piece == PIECES {
            self.piece = 0;
            let mut answer = [0; 4096];
            let length = self.socket.read(&mut answer)?;
            if !answer[..length].starts_with(b"HTTP/1.1 200 ") {
                return Err(io::Error::other("another answer"));
            }
            answered = true;
        }
        let at = self.piece;
        let end = if at == PIECES - 1 { REQUEST.len() } else { at + 1 };
        self.piece += 1;
        self.socket.write_all(&REQUEST[at..end])?;
        Ok(answered)
    }
}
